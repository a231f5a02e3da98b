"""How often, and how much, gradients are clipped."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.parcel import at_device_of, on_one_device

MAX_WAITING: Final = 256  # norms, one for each clipping since the last snapshot
MOST_CALLS: Final = 4096  # in a step: of one that never ends, as nobody sees the optimizer, no more are kept
SHARE: Final = "clipped_fraction"
BEFORE: Final = "grad_norm_before_clipping"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call:
    """Gradients of these parameters had this norm before they were clipped; ``is_euclidean`` where that is known."""

    parameters: Sequence[Tensor]
    norm: Tensor
    max_norm: float | Tensor
    is_euclidean: bool

    @property
    def waits(self) -> bool:
        """Whether the training would wait for the limit, which lies on a device."""
        return isinstance(self.max_norm, Tensor) and self.max_norm.device.type != "cpu"

    @property
    def changes_nothing(self) -> bool:
        """Whether it is made for the norm alone, and known to be."""
        return not self.waits and float(self.max_norm) == math.inf


class Clipping:
    """Norms before clipping, from ``clip_grad_norm_`` or ``clip_grads_with_norm_``, which have them anyway: nothing is
    computed until a snapshot. ``tell`` is told once of what is left out, on the rank that speaks."""

    def __init__(self, tell: Callable[[str], None] | None) -> None:
        self._tell = tell
        self._norms: list[Tensor] = []
        self._limits: list[float] = []
        self._steps: list[int] = []  # in which of the steps since the last snapshot
        self._step = 0
        self._in_step: list[Call] = []
        self._earlier = 0  # of the norms, those of steps before

    def add(self, call: Call) -> None:
        """A clipping; norms of sharded gradients are left out, as reading them would make all ranks wait, and limits
        that lie on a device, for which the training would wait, are not compared with."""
        if hasattr(call.norm, "_local_tensor"):
            if self._tell is not None:
                self._tell(
                    "gradients that are clipped are sharded: grad_norm_before_clipping and clipped_fraction are left "
                    "out, for reading their norm would make all ranks wait"
                )
            self._tell = None
            return
        if len(self._in_step) <= MOST_CALLS:  # one too many, by which it is known that there are more
            self._in_step.append(call)
        if len(self._norms) < MAX_WAITING and not call.waits:
            self._norms.append(call.norm)
            self._limits.append(float(call.max_norm))
            self._steps.append(self._step)

    def begin_step(self) -> None:
        """Other norms count from now on."""
        self._in_step.clear()
        self._earlier = len(self._norms)
        self._step += 1

    def forget(self) -> None:
        """The step is skipped: its gradients were not finite, and it counts for nothing."""
        self._in_step.clear()
        for of_calls in (self._norms, self._limits, self._steps):
            del of_calls[self._earlier :]

    def metrics(self) -> dict[str, Tensor]:
        """The norm before clipping in this step, over all that was clipped, and the share of the steps with a clipping
        since the last call in which one was more than a formality. Each where it is known."""
        found: dict[str, Tensor] = {}
        if self._norms:
            found[SHARE] = self._share()
        if (before := _norm_before(self._in_step)) is not None:
            found[BEFORE] = before
        self._norms.clear()
        self._limits.clear()
        self._steps.clear()
        self._step = self._earlier = 0
        return found

    def _share(self) -> Tensor:
        norms = torch.stack([norm.float() for norm in on_one_device(self._norms)])
        limits = at_device_of(norms, torch.tensor(self._limits))
        steps = torch.tensor(self._steps)
        of_steps = at_device_of(norms, steps == steps.unique().unsqueeze(1))  # [steps, calls]
        # one that is not finite is of a step that an optimizer skips by itself, or tells of itself elsewhere
        finite = norms.isfinite()
        bitten = (of_steps & norms.gt(limits) & finite).any(dim=1)
        return bitten.float().sum() / (of_steps & finite).any(dim=1).float().sum().clamp(min=1)


def _norm_before(calls: Sequence[Call]) -> Tensor | None:
    """The norm of all gradients that a step's calls clipped, before the first of them did. None where there is no call,
    and where it is not known: of norms that are not Euclid's, of gradients some of which were clipped before, or of
    more calls than are kept."""
    if len(calls) > MOST_CALLS:
        return None
    counted: dict[int, tuple[set[int], Call]] = {}
    clipped_by: dict[int, int] = {}  # each parameter
    for number, call in enumerate(calls):
        own = {id(parameter) for parameter in call.parameters}
        if (call.changes_nothing and not call.is_euclidean) or own <= clipped_by.keys():
            continue
        for earlier in {clipped_by[one] for one in own if one in clipped_by}:
            part, other = counted.pop(earlier)
            if not (part <= own and other.changes_nothing):
                return None
        counted[number] = own, call
        clipped_by.update(dict.fromkeys(own, number))
    if not counted or not all(call.is_euclidean for _, call in counted.values()):
        return None
    norms = on_one_device([call.norm.float() for _, call in counted.values()])
    together: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return together
