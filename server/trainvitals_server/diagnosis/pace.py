"""What several rules read of a training's pace: times of its phases, where nothing else was done in between."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainvitals_server.diagnosis.facts import fact, validation_metrics
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.window import Steps, Window

PHASES: Final = ("seconds/data", "seconds/forward", "seconds/backward", "seconds/optimizer")
LATE: Final = 8  # points
OTHERWISE: Final = (  # passes that no phase is told of
    "validated_in_evaluation_mode",
    "validated_in_training_mode",
    "trained_in_evaluation_mode",
)


def trained_alone(window: Window, steps: Steps) -> NDArray[np.bool_]:
    """Of each of these sampled steps whether, as far as is known, nothing was validated since the one before: whatever
    is done between two steps counts as waiting for data."""
    logged = [window.metrics[name].steps for name in validation_metrics(window)]
    evaluations = np.unique(np.concatenate([*logged, np.empty(0, np.int64)]))
    before = np.concatenate([[0], steps[:-1]])
    alone = np.searchsorted(evaluations, steps, "right") == np.searchsorted(evaluations, before, "left")
    for name in OTHERWISE:
        if (passes := fact(window, name)) is not None:
            alone &= ~np.isin(steps, passes.steps[passes.values > 0])
    return np.asarray(alone)


def seconds_of_phases(window: Window) -> tuple[Steps, NDArray[np.float64]]:
    """An average step's seconds in each of ``PHASES``, [n, phases], where the training was alone; nothing where a phase
    is not told. Waiting for data is that of usual steps, as far as it is told: a long pause now and then is for
    something else."""
    told = [window.metrics[name] for name in PHASES if name in window.metrics]
    if len(told) < len(PHASES):
        return np.empty(0, np.int64), np.empty((0, len(PHASES)))
    steps: Steps = functools.reduce(np.intersect1d, (series.steps for series in told))
    seconds = np.stack([series.values[np.searchsorted(series.steps, steps)] for series in told], axis=1)
    if (usual := fact(window, "usual_wait")) is not None:
        places = np.flatnonzero(np.isin(steps, usual.steps))
        waits = usual.values[np.searchsorted(usual.steps, steps[places])]
        seconds[places, 0] = np.fmin(seconds[places, 0], waits)
    kept = trained_alone(window, steps) & np.isfinite(seconds).all(axis=1)
    return steps[kept], seconds[kept].astype(np.float64)


def examples_in_a_step(window: Window) -> float | None:
    """Examples that a step takes in, over all its passes, as of late; None where it is not told."""
    rates, (_, seconds) = window.metrics.get("examples_per_second"), seconds_of_phases(window)
    if rates is None or not len(rates.values) or not len(seconds):
        return None
    return median(rates.values[-LATE:]) * median(seconds[-LATE:].sum(axis=1))
