"""The second moments that optimizers of Adam's kind keep in their state, and what corrects their bias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from trainvitals.collector.parcel import at_device_of, on_one_device

SECOND_MOMENTS: Final = ("exp_avg_sq", "square_avg")  # as Adam and its kin, and RMSprop, call them in their state


class Fading(NamedTuple):
    """A moment's bias correction is 1 - factor ** step; ``epsilon``: what its root is told apart from zero by."""

    step: float | Tensor = 1.0
    factor: float | Tensor = 0.0
    epsilon: float = 0.0


_NONE: Final = Fading()


def second_moment(state: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[Tensor | None, Fading]:
    """That of a parameter, by its state and the settings of its group; None where there is none. Any: the
    optimizer's own."""
    epsilon = settings.get("eps")
    for name in SECOND_MOMENTS:
        moment = state.get(name)
        if isinstance(moment, Tensor) and isinstance(epsilon, float):
            step, betas = state.get("step"), settings.get("betas")
            if step is None or betas is None:
                return moment, Fading(epsilon=epsilon)
            return moment, Fading(step, betas[1], epsilon)
    return None, _NONE


def corrections(fadings: Sequence[Fading], *, like: Tensor) -> Tensor:
    """1 - factor ** step of each, [moments], of the type and on the device of ``like``."""
    factors = _together([fading.factor for fading in fadings], like=like)
    return (1 - factors.pow(_together([fading.step for fading in fadings], like=like))).to(like.dtype)


def _together(numbers: Sequence[float | Tensor], *, like: Tensor) -> Tensor:
    """Float32. Steps are counted on the host unless the optimizer is capturable: then one copy, not one each, and
    nothing that the host would wait for."""
    on_host = [number for number in numbers if not isinstance(number, Tensor) or number.is_cpu]
    if len(on_host) == len(numbers):
        return at_device_of(like, torch.tensor(list(map(float, on_host))))
    whole = [torch.as_tensor(number, dtype=torch.float32) for number in numbers]
    return at_device_of(like, torch.stack(on_one_device(whole)))
