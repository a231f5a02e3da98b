"""NaN or infinity somewhere: which layer, at which step, first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.reading import word
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

ORDER = ("activation", "gradient", "weight")  # in which an ill at one step spreads
STATS = {"activation": "activation_nonfinite", "gradient": "grad_norm", "weight": "weight_norm"}


def non_finite_values(window: Window) -> Iterator[Symptom]:
    """NaN or infinity in the loss, an activation, a gradient or a weight; the first in execution order leads.

    Exact: IEEE 754 non-finite values in what was recorded (DeepLocalize, Wardat et al., ICSE 2021, reports the first
    such layer likewise).
    """
    first: tuple[int, int, str, int] | None = None
    ill: set[int] = set()
    for place, kind in enumerate(ORDER):
        where = window.nonfinite.get(kind)
        if where is None or not where.any():
            continue
        row = int(np.flatnonzero(where.any(axis=1))[0])
        columns = np.flatnonzero(where[row])
        # a gradient comes from the back, so the last layer was ill first
        column = int(columns[-1] if kind == "gradient" else columns[0])
        ill.update(np.flatnonzero(where.any(axis=0)).tolist())
        candidate = (int(window.steps[row]), place, kind, column)
        first = min(first, candidate) if first else candidate
    loss_step = _first_bad_loss(window)
    if first is not None:
        step, _, kind, column = first
        layer = window.layers[column]
        value = window.stats[STATS[kind]][int(np.searchsorted(window.steps, step)), column]
        yield Symptom(
            rule="non_finite_values",
            severity="critical",
            summary=f"NaN or infinity first seen in the {kind} of {layer} at step {step:,}; {len(ill)} layers have it",
            first_step=step if loss_step is None else min(step, loss_step),
            last_step=window.step,
            layers=(layer, *(window.layers[other] for other in sorted(ill) if other != column)),
            evidence=Evidence(
                stat=STATS[kind],
                layers=[layer],
                value=word(float(value)),
                comparison="=",
                first_step=step,
                last_step=window.step,
                numbers={"first layer": layer, "first in": kind, "layers affected": len(ill)},
            ),
            causes=CAUSES[kind],
            advice=ADVICE,
        )
    elif loss_step is not None:
        yield Symptom(
            rule="non_finite_values",
            severity="critical",
            summary=f"The loss is NaN or infinite since step {loss_step:,}, while no layer was seen with such values",
            first_step=loss_step,
            last_step=window.step,
            evidence=Evidence(metric="loss", value="NaN", comparison="=", first_step=loss_step, last_step=window.step),
            causes=("the loss function itself: log of zero, division by zero, or a NaN in the targets",),
            advice=ADVICE,
        )


def _first_bad_loss(window: Window) -> int | None:
    loss = window.loss
    if loss is None:
        return None
    bad = np.flatnonzero(~np.isfinite(loss.values))
    return int(loss.steps[bad[0]]) if len(bad) else None


CAUSES = {
    "activation": ("a non-finite input or weight", "overflow, in float16 above all", "log, sqrt or division at zero"),
    "gradient": ("the loss overflowed or divides by zero", "sqrt, norm or log differentiated at zero", "explosion"),
    "weight": ("the update before was non-finite", "a learning rate at which the updates exploded"),
}
ADVICE = (
    "Stop: from here on every step is lost. Go back to the last checkpoint before the first step named here.",
    "Run that step under torch.autograd.set_detect_anomaly(True) to see the operation.",
    "Lower the learning rate, clip gradients (torch.nn.utils.clip_grad_norm_), add an epsilon inside log and sqrt.",
)
