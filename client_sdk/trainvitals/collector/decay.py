"""What weight decay asks of the weights, as a part of the loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor


def decay_of(parameter: Tensor, settings: Mapping[str, Any]) -> float:  # Any: a parameter group's
    """λ of a parameter's group, 0 where it is not decayed: an optimizer passes over what has no gradient. NaN where it
    lies in a tensor, for reading it could make the training wait."""
    decay = settings.get("weight_decay", 0.0)
    if parameter.grad is None:
        return 0.0
    return float(decay) if isinstance(decay, (int, float)) else math.nan


def penalty(rms: Tensor, *, sizes: Sequence[int], decays: Sequence[float]) -> float | None:
    """Σ ½ λ ‖w‖² over parameters, from root mean squares of their weights before the step, [parameters]; None where
    nothing is decayed, or λ is not known.

    Where decay is coupled (SGD, Adam, RMSprop, Adagrad) its gradient is what the optimizer adds to the loss's: the loss
    that is minimised is the one that was logged plus this. Where it is decoupled (AdamW: Loshchilov & Hutter,
    arXiv:1711.05101) the weights follow lr · λ · w beside the optimizer's own step: it pulls the same sum down, but
    what weight it has against the loss, the optimizer's scaling decides.
    """
    total = sum(
        0.5 * decay * size * value**2 for value, size, decay in zip(rms.tolist(), sizes, decays, strict=True) if decay
    )
    return total if total and not math.isnan(total) else None
