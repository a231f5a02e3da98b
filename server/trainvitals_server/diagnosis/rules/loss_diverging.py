"""A loss that had been lower and keeps rising."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import LEAST_START, above_since, loss_trend
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

PARTS = 4
SHORT = 3

CAUSES = ("a learning rate too high for this phase", "gradients not clipped", "numbers overflowing in low precision")
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
    the noise between neighbouring steps (of the newest third of them, and three times the start above the best); or
    the loss stands at more than ``far`` times its start.

    One-sided; the share of the start is for a loss near zero that doubles. Source: TheDeepChecker (Ben Braiek & Khomh,
    TOSEM 2022), its loss rules made robust.
    """
    loss, trend = window.loss, loss_trend(window.loss)
    if loss is None or trend is None or (finite := np.isfinite(loss.values)).sum() < points:
        return
    steps, values = loss.steps[finite], loss.values[finite].astype(np.float64)
    enough = max(rise * abs(trend.lowest), share_of_start * abs(trend.start), noises * trend.noise)
    for newest, least in ((points // SHORT, SHORT * abs(trend.start)), (points, 0.0)):  # few have to rise far
        quarters = [median(quarter) for quarter in np.array_split(values[-newest:], PARTS)]
        line = trend.lowest + max(enough, least)
        if climbs := quarters[-1] > line and all(later > earlier for earlier, later in pairwise(quarters)):
            break
    is_far = trend.start >= LEAST_START and min(quarters) > far * trend.start
    if not climbs and not is_far:
        return
    begun = int(steps[-newest]) if climbs else above_since(loss, far * trend.start)
    yield Symptom(
        rule="loss_diverging",
        severity="critical",
        summary=f"The loss {'climbs' if climbs else 'is lost'}: {quarters[-1]:.4g} now, "
        f"{trend.start:.4g} at the start, {trend.lowest:.4g} at its best",
        first_step=begun,
        last_step=window.step,
        evidence=Evidence(
            metric=window.loss_name,
            value=quarters[-1],
            threshold=line if climbs else far * trend.start,
            comparison=">",
            first_step=begun,
            last_step=window.step,
            numbers={"best": trend.lowest, "now": quarters[-1], "noise": trend.noise},
        ),
        causes=CAUSES,
        advice=ADVICE,
    )
