"""A penalty so large that the network minimises it instead of fitting the data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import loss_trend
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

PENALTIES = ("loss/regularisation", "loss/regularization", "loss/penalty", "loss/reg")
DATA = ("loss/data", "loss/fit", "loss/task")
BUILT_IN = "weight_decay_penalty"  # what SGD and Adam minimise beside the loss


def regularisation_dominating(
    window: Window, *, times: float = 1.0, data_fallen: float = 0.3, points: int = 20
) -> Iterator[Symptom]:
    """In the median of the newest ``points`` the penalty is more than ``times`` the loss of the data, which has fallen
    by less than ``data_fallen``. Penalties are what is logged as loss/regularisation, or the optimizer's own from
    weight decay.

    Source: TheDeepChecker (Ben Braiek & Khomh, TOSEM 2022), on over-regularised networks; gated by the data's loss.
    """
    data = next((window.metrics[name] for name in DATA if name in window.metrics), window.loss)
    found = next(((name, window.metrics[name]) for name in (*PENALTIES, BUILT_IN) if name in window.metrics), None)
    trend = loss_trend(data)
    if data is None or found is None or trend is None or trend.fallen > data_fallen or trend.has_two_signs:
        return
    name, penalty = found
    size, fit = _newest(penalty, points), _newest(data, points)
    if not np.isfinite(size) or not np.isfinite(fit) or fit <= 0 or size <= times * fit:
        return
    first = int(penalty.steps[max(0, len(penalty.steps) - points)])
    yield Symptom(
        rule="regularisation_dominating",
        severity="warning",
        summary=f"The penalty ({name}) is {size / fit:.2g} times the loss of the data, which stands at {fit:.4g} and "
        f"began at {trend.start:.4g}",
        first_step=first,
        last_step=window.step,
        evidence=Evidence(
            metric=name,
            value=size,
            threshold=times * fit,
            first_step=first,
            last_step=window.step,
            numbers={"penalty": size, "loss of the data": fit, "fallen": f"{trend.fallen:z.0%}"},
        ),
        causes=("the penalty's factor is too large", "a penalty summed over weights where a mean was meant"),
        advice=(
            f"Divide the factor by {max(10.0, 10 * size / fit):.0f}, and compare.",
            "Train once without the penalty: the loss of the data must fall.",
        ),
    )


def _newest(series: Series, points: int) -> float:
    values = series.values[np.isfinite(series.values)][-points:]
    return median(values) if len(values) else float("nan")
