"""How often, and how much, gradients are clipped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.parcel import at_device_of, on_one_device

MAX_WAITING: Final = 256  # norms, one for each clipping since the last snapshot
SHARE: Final = "clipped_fraction"
BEFORE: Final = "grad_norm_before_clipping"


class Clipping:
    """Norms before clipping, from ``clip_grad_norm_``, which has them anyway: nothing is computed until a snapshot.
    ``tell`` is told once of what is left out, on the rank that speaks."""

    def __init__(self, tell: Callable[[str], None] | None) -> None:
        self._tell = tell
        self._norms: list[Tensor] = []
        self._limits: list[float] = []
        self._in_step: list[Tensor] = []
        self._earlier = 0  # of the norms, those of steps before

    def add(self, norm: Tensor, max_norm: float | Tensor) -> None:
        """A clipping; norms of sharded gradients are left out, as reading them would make all ranks wait, and limits
        that lie on a device, for which the training would wait, are not compared with."""
        if hasattr(norm, "_local_tensor"):
            if self._tell is not None:
                self._tell(
                    "gradients that are clipped are sharded: grad_norm_before_clipping and clipped_fraction are left "
                    "out, for reading their norm would make all ranks wait"
                )
            self._tell = None
            return
        norm = norm.detach()
        self._in_step.append(norm)
        waits = isinstance(max_norm, Tensor) and max_norm.device.type != "cpu"
        if len(self._norms) < MAX_WAITING and not waits:
            self._norms.append(norm)
            self._limits.append(float(max_norm))

    def begin_step(self) -> None:
        """Other norms count from now on."""
        self._in_step.clear()
        self._earlier = len(self._norms)

    def forget(self) -> None:
        """The step is skipped: its gradients were not finite, and it counts for nothing."""
        self._in_step.clear()
        del self._norms[self._earlier :], self._limits[self._earlier :]

    @property
    def in_step(self) -> Tensor | None:
        """The norm before clipping in this step, over all that was clipped; None if nothing was."""
        if not self._in_step:
            return None
        norms = torch.stack([norm.float() for norm in on_one_device(self._in_step)])
        return norms.square().sum().sqrt()

    def metrics(self) -> dict[str, Tensor]:
        """The norm before clipping in this step, over all that was clipped, and the share of clippings since the last
        call that were more than a formality. Empty where nothing is clipped."""
        if not self._norms:
            return {}
        found: dict[str, Tensor] = {}
        norms = torch.stack([norm.float() for norm in on_one_device(self._norms)])
        limits = at_device_of(norms, torch.tensor(self._limits))
        # one that is not finite is of a step that an optimizer skips by itself, or tells of itself elsewhere
        finite = norms.isfinite()
        found[SHARE] = (norms.gt(limits) & finite).float().sum() / finite.float().sum().clamp(min=1)
        if (before := self.in_step) is not None:
            found[BEFORE] = before
        self._norms.clear()
        self._limits.clear()
        self._earlier = 0
        return found
