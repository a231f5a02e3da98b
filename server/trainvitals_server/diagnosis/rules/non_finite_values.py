"""NaN or infinity somewhere: which layer, at which step, first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.non_finite import CAUSES, STATS, causes_before, first_loss, first_place
from trainvitals_server.diagnosis.ranks import loss_in_words
from trainvitals_server.diagnosis.reading import finite_before, word
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

ADVICE = (
    "Stop: from here on every step is lost. Go back to the last checkpoint before the first step named here.",
    "Run that step under torch.autograd.set_detect_anomaly(True) to see the operation.",
    "Lower the learning rate, clip gradients (torch.nn.utils.clip_grad_norm_), add an epsilon inside log and sqrt.",
)


def non_finite_values(window: Window) -> Iterator[Symptom]:
    """NaN or infinity in the loss, an activation, a gradient or a weight; the first in execution order leads.

    Exact. Source: DeepLocalize (Wardat et al., ICSE 2021), which reports the first such layer likewise.
    """
    found = [place for kind in STATS if (place := first_place(window, kind)) is not None]
    loss_step = first_loss(window)
    if not found and loss_step is None:
        return
    step, kind, column = min(found, key=lambda place: place[0]) if found else (loss_step or 0, "loss", 0)
    ill = sorted({int(c) for where in window.nonfinite.values() for c in np.flatnonzero(where.any(axis=0))})
    first = window.layers[column] if found else ""
    value = window.stats[STATS[kind]][np.searchsorted(window.steps, step), column] if found else np.nan
    begun = step if loss_step is None else min(step, loss_step)
    # metrics come at every step and snapshots at some: the layer that is seen first need not be the origin
    said = loss_in_words(window, step=loss_step)
    is_late = loss_step is not None and loss_step < step
    lead = f"{said} is not finite since step {loss_step:,}; " if is_late else ""
    seen = f"{kind} of {first}"
    yield Symptom(
        rule="non_finite_values",
        severity="critical",
        summary=f"{lead}NaN or infinity in the {kind} of {first} at step {step:,}, in {len(ill)} layer"
        f"{'s' * (len(ill) > 1)} since"
        if found
        else f"{said} is NaN or infinite at step {step:,}, while no layer was seen with such values",
        first_step=begun,
        last_step=window.step,
        layers=tuple(dict.fromkeys([first, *(window.layers[c] for c in ill)])) if found else (),
        evidence=Evidence(
            stat=STATS.get(kind),
            metric=None if found else window.loss_name,
            layers=[first] if found else [],
            value=word(float(value)),
            comparison="=",
            first_step=step,
            last_step=window.step,
            numbers={
                "first in": seen if found and not is_late else "loss",
                **({"seen next in": f"{seen}, at step {step:,}"} if is_late else {}),
                **finite_before(window, step=begun),
            },
        ),
        causes=causes_before(window, step=begun) if is_late else CAUSES[kind],
        advice=ADVICE,
    )
