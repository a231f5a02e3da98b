"""A cosine that is stepped beyond its end, where it turns and climbs back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.cosine import cosine_of
from trainvitals_server.diagnosis.reading import learning_rate
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Floats32, Window

FEWEST = 8  # recorded rates


def schedule_overrun(
    window: Window, *, alike: float = 0.02, back: float = 0.25, bottom: float = 0.1
) -> Iterator[Symptom]:
    """Since its peak the learning rate follows one cosine, to ``alike`` of the peak on average, and that has passed its
    end: from under ``bottom`` of the peak it has climbed back to ``back`` of it.

    A restart jumps, a second warm-up has a slope of its own, a rate that cycles on purpose (CyclicLR) is made of lines.
    Source: PyTorch's documentation of CosineAnnealingLR, whose formula is periodic in 2 T_max.
    """
    rate = learning_rate(window)
    if rate is None or len(rate.values) < FEWEST or not np.isfinite(rate.values).all() or rate.values.max() <= 0:
        return
    share = rate.values / rate.values.max()
    if not _climbs(share) or (fitted := cosine_of(rate)) is None:
        return
    turn, often = fitted.start + fitted.length, int((window.step - fitted.start) / fitted.length + 1) // 2
    climbed = share[rate.steps > turn]
    if fitted.error > alike or fitted.lowest > bottom or not len(climbed) or climbed.max() < back:
        return
    yield Symptom(
        rule="schedule_overrun",
        severity="warning",
        summary=f"The learning rate had run out at step {turn:,.0f} and climbs back"
        + (f", {often} times so far: down and up in {2 * fitted.length:,.0f} steps" if often > 1 else ""),
        first_step=round(turn),
        last_step=window.step,
        evidence=Evidence(
            metric="lr", value=float(rate.values[-1]), threshold=back * float(rate.values.max()), comparison=">",
            first_step=round(turn), last_step=window.step,
            numbers={"peak": float(rate.values.max()), "way down (steps)": round(fitted.length), "climbs": often},
        ),
        causes=("a schedule counted in epochs that is stepped once a batch", "T_max or total_steps of a shorter run"),
        advice=(
            "Give the schedule the number of its calls: CosineAnnealingLR(optimizer, T_max=epochs * len(loader)).",
            "Or call schedule.step() once an epoch, if it counts epochs.",
            "If it is to rise again, let it restart: CosineAnnealingWarmRestarts.",
        ),
    )  # fmt: skip


def _climbs(share: Floats32) -> bool:
    """Whether a rate that had fallen to half of its peak rises again: of most schedules that is all to be asked."""
    high = int(np.argmax(share > 0.9))
    low = np.flatnonzero(share[high:] < 0.5)
    return bool(len(low)) and bool((np.diff(share[high + int(low[0]) :]) > 0).any())
