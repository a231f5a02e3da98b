"""A loss that had been lower and keeps rising."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.reading import LEAST_START, above_since, loss_trend
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

PARTS = 4

CAUSES = (
    "a learning rate too high for this phase",
    "gradients not clipped",
    "numbers overflowing in low precision",
)
ADVICE = (
    "Go back to the last checkpoint before the rise and divide the learning rate by 3.",
    "Clip: torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0).",
    "Warm up the learning rate over the first 1 to 5 % of the steps.",
)


def loss_diverging(
    window: Window,
    *,
    points: int = 64,
    rise: float = 1.0,
    noises: float = 6.0,
    share_of_start: float = 0.2,
    far: float = 100.0,
) -> Iterator[Symptom]:
    """The medians of four quarters of the newest ``points`` points rise one after the other, and the last is above the
    run's best by ``rise`` times the best (or ``share_of_start`` of the start, whichever is more) and ``noises`` times
    the noise between neighbouring steps; or the loss stands at more than ``far`` times its start.

    One-sided: a falling loss never speaks. A converged loss near zero that doubles is noise, hence the share of the
    start. Source: the loss rules of TheDeepChecker (Ben Braiek & Khomh, TOSEM 2022), made robust.
    """
    loss, trend = window.loss, loss_trend(window.loss)
    if loss is None or trend is None:
        return
    finite = np.isfinite(loss.values)
    steps, values = loss.steps[finite][-points:], loss.values[finite][-points:].astype(np.float64)
    if len(values) < points:
        return
    quarters = [float(np.median(quarter)) for quarter in np.array_split(values, PARTS)]
    risen = quarters[-1] - trend.lowest
    enough = max(rise * abs(trend.lowest), share_of_start * abs(trend.start), noises * trend.noise)
    climbs = risen > enough and all(later > earlier for earlier, later in pairwise(quarters))
    is_far = trend.start >= LEAST_START and min(quarters) > far * trend.start
    if not climbs and not is_far:
        return
    begun = int(steps[0]) if climbs else above_since(loss, far * trend.start)
    yield Symptom(
        rule="loss_diverging",
        severity="critical",
        summary=f"The loss {'climbs' if climbs else 'is lost'}: {quarters[-1]:.4g} now, "
        f"{trend.start:.4g} at the start, {trend.lowest:.4g} at its best",
        first_step=begun,
        last_step=window.step,
        evidence=Evidence(
            metric="loss",
            value=quarters[-1],
            threshold=trend.lowest + enough if climbs else far * trend.start,
            comparison=">",
            first_step=begun,
            last_step=window.step,
            numbers={"best": trend.lowest, "now": quarters[-1], "noise": trend.noise},
        ),
        causes=CAUSES,
        advice=ADVICE,
    )
