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
CONTINUOUS = re.compile(r"(^|[/_.\-])(loss|nll|ce|bce|mse|rmse|mae|perplexity|ppl|bpb|elbo)([/_.\-]|$)", re.IGNORECASE)
FRACTION = re.compile(r"(^|[/_.\-])((acc|accuracy|top)[_@]?\d*|f1|auc|auroc|iou)([/_.\-]|$)", re.IGNORECASE)
FROZEN, NO_NUMBER = "the same to the last bit", "no number"
CAUSES = {
    FROZEN: ("a copy of the model from before training is evaluated", "a result that is computed once, or one class"),
    NO_NUMBER: ("a mean over nothing: an empty loader, or one that is used up", "a precision that overflows"),
}
ADVICE = {
    FROZEN: "Print a weight of the model that is evaluated: it should change from one evaluation to the next.",
    NO_NUMBER: "Print how many examples an evaluation has seen, and whether its outputs are finite.",
}


def validation_degenerate(
    window: Window, *, evaluations: int = 4, moved: float = 0.05, apart: float = 2.0, times: int = 2, far: float = 0.3
) -> Iterator[Symptom]:
    """A loss of the validation that in the newest ``evaluations`` or more was the same to the last bit, while the
    training loss moved by ``moved`` of its start; or that was a number in none of them, while the training loss was.
    An accuracy under a half: in ``times`` as many, while the training loss moved by ``far``. Quiet where it is logged
    less than ``apart`` times as seldom as the training loss: then its last value is repeated. Exact.

    Source: TrainCheck (Jiang et al., OSDI 2025), on faults of which the training loss tells nothing.
    """
    loss, trend = window.loss, loss_trend(window.loss)
    if loss is None or trend is None:
        return
    found: dict[str, list[tuple[str, Steps, float]]] = {}
    for name in (one for one in validation_metrics(window) if len(window.metrics[one].values)):
        steps, value = _alike(window.metrics[name]), float(window.metrics[name].values[-1])
        is_fraction = name != window.validation_loss_name and not CONTINUOUS.search(name)
        if is_fraction and not (FRACTION.search(name) and (0 < value < 0.5 or 1 < value < 50)):
            continue
        meanwhile = loss.values[(loss.steps >= steps[0] - 1) & (loss.steps <= steps[-1])].astype(np.float64)
        if len(steps) < evaluations * (times if is_fraction else 1) or len(meanwhile) < max(apart * len(steps), FEWEST):
            continue
        is_number, line = bool(np.isfinite(value)), far if is_fraction else moved
        first, _, last = (median(third) for third in np.array_split(meanwhile, 3))
        if np.isfinite(meanwhile).all() and (not is_number or abs(first - last) > line * abs(trend.start)):
            found.setdefault(FROZEN if is_number else NO_NUMBER, []).append((name, steps, value))
    for what, told in found.items():
        name, steps, value = told[0]
        yield Symptom(
            rule="validation_degenerate",
            key=what,
            severity="warning",
            summary=f"{', '.join(one for one, *_ in told[:3])} was {what} in {len(steps)} evaluations"
            + f" ({value:.4g}) while the training loss moved" * (what == FROZEN),
            first_step=int(steps[0]),
            last_step=window.step,
            evidence=Evidence(
                metric=name, value=word(value), comparison="=", first_step=int(steps[0]), last_step=window.step,
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
