"""A validation that says the same every time, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import validation_metrics
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import loss_trend, word
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Steps, Window

FEWEST = 12  # points of the training loss
# fractions of examples may well stay the same, and counts and settings do: these cannot while weights move
CONTINUOUS = re.compile(r"(^|[/_.\-])(loss|nll|ce|bce|mse|rmse|mae|perplexity|ppl|bpb|elbo)([/_.\-]|$)", re.IGNORECASE)
FROZEN, NO_NUMBER = "the same to the last bit", "no number"
CAUSES = {
    FROZEN: ("a copy of the model from before the training is evaluated", "a result that is computed once, and logged"),
    NO_NUMBER: ("a mean over nothing: an empty loader, or one that is used up", "a precision that overflows"),
}
ADVICE = {
    FROZEN: "Print a weight of the model that is evaluated: it should change from one evaluation to the next.",
    NO_NUMBER: "Print how many examples an evaluation has seen, and whether its outputs are finite.",
}


def validation_degenerate(
    window: Window, *, evaluations: int = 4, moved: float = 0.05, apart: float = 2.0
) -> Iterator[Symptom]:
    """A loss of the validation that in the newest ``evaluations`` or more was the same to the last bit, while the
    training loss moved by ``moved`` of its start; or that was a number in none of them, while the training loss was.

    Quiet where it is logged less than ``apart`` times as seldom as the training loss: then its last value is repeated.

    Exact. Source: TrainCheck (Jiang et al., OSDI 2025), on faults of which the training loss tells nothing.
    """
    loss, trend = window.loss, loss_trend(window.loss)
    if loss is None or trend is None:
        return
    found: dict[str, list[str]] = {}
    for name in validation_metrics(window):
        if name != window.validation_loss_name and not CONTINUOUS.search(name):
            continue
        steps = _alike(window.metrics[name])
        meanwhile = loss.values[(loss.steps >= steps[0] - 1) & (loss.steps <= steps[-1])].astype(np.float64)
        if len(steps) < evaluations or len(meanwhile) < max(apart * len(steps), FEWEST):
            continue
        is_number = bool(np.isfinite(window.metrics[name].values[-1]))
        first, _, last = (median(third) for third in np.array_split(meanwhile, 3))
        if np.isfinite(meanwhile).all() and (not is_number or abs(first - last) > moved * abs(trend.start)):
            found.setdefault(FROZEN if is_number else NO_NUMBER, []).append(name)
    for what, names in found.items():
        steps, value = _alike(window.metrics[names[0]]), float(window.metrics[names[0]].values[-1])
        yield Symptom(
            rule="validation_degenerate",
            key=what,
            severity="warning",
            summary=f"{', '.join(names[:3])} was {what} in {len(steps)} evaluations"
            + (f" ({value:.4g}) while the training loss moved" if what == FROZEN else ""),
            first_step=int(steps[0]),
            last_step=window.step,
            evidence=Evidence(
                metric=names[0], value=word(value), comparison="=", first_step=int(steps[0]), last_step=window.step,
                numbers={"evaluations": len(steps), "training loss now": trend.now},
            ),
            causes=CAUSES[what],
            advice=(ADVICE[what],),
        )  # fmt: skip


def _alike(series: Series) -> Steps:
    """Steps of the newest points that are all the same: one number, or none."""
    values = series.values
    alike = values == values[-1] if np.isfinite(values[-1]) else ~np.isfinite(values)
    return series.steps[int(np.flatnonzero(~alike).max(initial=-1)) + 1 :]
