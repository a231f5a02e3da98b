"""Where NaN or infinity was seen first, and what may have brought it about there."""

from __future__ import annotations

from typing import Final

import numpy as np

from trainvitals_server.diagnosis.window import Window

STATS: Final = {"activation": "activation_nonfinite", "gradient": "grad_norm", "weight": "weight_norm"}  # as it spreads
CAUSES: Final = {
    "activation": ("a non-finite input or weight", "overflow, in float16 above all", "log, sqrt or division at zero"),
    "gradient": ("the loss overflowed or divides by zero", "sqrt, norm or log differentiated at zero", "explosion"),
    "weight": ("the update before was non-finite", "a learning rate at which the updates exploded"),
    "loss": ("the loss function itself: log of zero, division by zero", "NaN in the targets"),
}
AT_ONCE: Final = (
    "log, sqrt or division at zero, in the loss function or in a layer",
    "NaN in the inputs or targets",
)
OVERFLOW: Final = "values that grew until they overflowed"
GREW: Final = 10.0  # times the run's first loss


def first_place(window: Window, kind: str) -> tuple[int, str, int] | None:
    """Step, kind and column of the first such value; backward, the last layer was ill first."""
    where = window.nonfinite.get(kind)
    if where is None or not where.any():
        return None
    row = int(np.flatnonzero(where.any(axis=1))[0])
    columns = np.flatnonzero(where[row])
    return int(window.steps[row]), kind, int(columns[-1] if kind == "gradient" else columns[0])


def first_loss(window: Window) -> int | None:
    """The first step whose loss is not finite."""
    loss = window.loss
    bad = np.flatnonzero(~np.isfinite(loss.values)) if loss is not None else np.empty(0, np.intp)
    return int(loss.steps[bad[0]]) if loss is not None and len(bad) else None


def causes_before(window: Window, *, step: int) -> tuple[str, ...]:
    """Of a loss that is ill at ``step``, before any layer was seen so: what happened between two snapshots. Values that
    overflow have grown before, as a rule, and the loss with them. The likeliest first."""
    loss = window.loss
    before = loss.values[(loss.steps < step) & np.isfinite(loss.values)] if loss is not None else np.empty(0)
    grew = len(before) > 0 and abs(float(before[-1])) > GREW * abs(float(before[0]))
    return (OVERFLOW, *AT_ONCE) if grew else (*AT_ONCE, OVERFLOW)
