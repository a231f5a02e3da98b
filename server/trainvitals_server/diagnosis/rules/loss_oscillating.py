"""A loss that swings up and down instead of falling."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import classifies, is_game, middle
from trainvitals_server.diagnosis.median import median, medians
from trainvitals_server.diagnosis.reading import MEDIAN_ERROR, learning_rate, loss_trend, noise_of
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

NEWEST, FEWEST_ROWS = 512, 5  # points, which a window has whole, and of a batch
SIZES = (8, 16, 32)  # of the stretches whose medians are compared


def loss_oscillating(
    window: Window, *, after: float = 0.3, points: int = 160, swing: float = 0.25, turns: int = 6, noises: float = 6.0
) -> Iterator[Symptom]:
    """Of the newest points (``points`` at least, all after the first ``after`` of the run) medians of short stretches
    turn ``turns`` times, each time by ``swing`` of their level, a tenth of the starting loss and ``noises`` times what
    the noise within the stretches explains; and they have no trend. A warning if they swing by a quarter of the start.

    Quiet where the rate does so, too, or batches are of few rows or one class. Source: AutoTrainer (ICSE 2021).
    """
    loss, trend = window.loss, loss_trend(window.loss)
    if loss is None or trend is None or trend.has_two_signs or trend.start <= 0:
        return
    judged = np.flatnonzero(np.isfinite(loss.values) & (loss.steps > after * window.step))[-NEWEST:]
    steps, values = loss.steps[judged], loss.values[judged].astype(np.float64)
    older, newer = (median(half) for half in np.array_split(values, 2))
    if len(values) < points or newer <= 0.8 * older:
        return
    noise = noise_of(values)
    for size in SIZES:
        levels = medians(values[len(values) % size :].reshape(-1, size), axis=1)
        least = max(swing * median(levels), 0.1 * trend.start, noises * MEDIAN_ERROR * noise / math.sqrt(size))
        if len(found := _turns(levels, least)) >= turns and not _is_meant(window, int(steps[0])):
            break
    else:
        return
    low, high = _range(levels)
    yield Symptom(
        rule="loss_oscillating",
        severity="warning" if high - low > 0.25 * trend.start else "info",
        summary=f"The loss swings by {high - low:.3g} around {median(levels):.3g}, up and down in about "
        f"{2 * size * np.mean(np.diff(found)):.0f} points, and does not fall",
        first_step=int(steps[0]), last_step=window.step,
        evidence=Evidence(
            metric=window.loss_name, value=high - low, threshold=least, is_drawn=False, first_step=int(steps[0]),
            last_step=window.step, numbers={"level": median(levels), "noise": noise, "turns": len(found)},
        ),
        causes=("a momentum too high for the rate", "a learning rate at the edge", "data of several kinds by turns"),
        advice=("Divide the learning rate by 3; with SGD try momentum=0.9.", "Mix the kinds of data in every batch."),
    )  # fmt: skip


def _range(levels: NDArray[np.float64]) -> tuple[float, float]:
    ordered, tenth = np.sort(levels), len(levels) // 10
    return float(ordered[tenth]), float(ordered[-1 - tenth])


def _turns(levels: NDArray[np.float64], least: float) -> NDArray[np.intp]:
    """Places at which levels have come from one side of their middle to the other, ``least`` away."""
    beyond = levels - sum(_range(levels)) / 2
    far = np.flatnonzero(np.abs(beyond) > least / 2)
    return np.asarray(far[1:][np.diff(np.sign(beyond[far])) != 0])


def _is_meant(window: Window, begun: int) -> bool:
    rate, rows, share = learning_rate(window), middle(window, "rows"), middle(window, "label_majority", samples=64)
    rates = np.zeros(1, np.float32) if rate is None else rate.values[rate.steps >= begun]
    is_cycle = bool(rates.max(initial=0.0) > 2 * rates.min(initial=np.inf))
    is_sorted = classifies(window) and (share or 0.0) > 0.5
    return is_cycle or is_sorted or is_game(window) or (rows or np.inf) < FEWEST_ROWS
