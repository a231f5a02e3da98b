"""Whether what a step did is a cause: its size, its clipping, the loss scale."""

from __future__ import annotations

from typing import Final

import numpy as np

from trainvitals_server.diagnosis.arguing.said import Said, times
from trainvitals_server.diagnosis.reading import typical, weighted
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import LOSS_SCALE, Window

BLOW: Final = 0.1  # of the weights' size: a hundred times what is healthy (CS231n)
OUTSIZE: Final = 5.0  # times the usual
BEFORE: Final = 20  # steps
FEWEST: Final = 8  # snapshots, of which one is out of the ordinary
HALVED: Final = 0.25  # of the scale at the start


def blow(window: Window, symptom: Symptom) -> Said | None:
    """The largest step up to where the symptom was first seen."""
    found = _updates(window)
    if found is None:
        return None
    steps, sizes = found
    past = sizes[steps <= max(symptom.first_step, int(steps[0]))]
    largest, at = float(past.max()), int(past.argmax())
    if largest >= BLOW:
        return Said("likely", f"step {int(steps[at]):,} moved the weights by {_share(largest)} (0.1% is healthy)")
    told = f"no step that was looked at before moved the weights by more than {_share(largest)}"
    return Said("unlikely", told) if largest else None


def outsize(window: Window, symptom: Symptom) -> Said | None:
    """The steps just before the symptom against those before them."""
    found = _updates(window)
    if found is None:
        return None
    steps, sizes = found
    near = (steps <= symptom.first_step) & (steps >= symptom.first_step - BEFORE)
    before = sizes[steps < symptom.first_step - BEFORE]
    if not near.any() or len(before) < FEWEST or not float(np.median(before)) > 0:
        return None
    ratio = float(sizes[near].max() / np.median(before))
    told = f"a step just before moved the weights {times(ratio)} as far as is usual here"
    return Said("likely", told) if ratio > OUTSIZE else Said("unlikely", told)


def not_clipped(window: Window, _: Symptom) -> Said | None:
    """Whether any gradient was cut, as far as the SDK sees it: by its norm."""
    clipped = window.metrics.get("clipped_fraction")
    if clipped is None or not len(clipped.values) or not np.isfinite(clipped.values).any():
        return Said("possible", "no clipping by norm was seen") if len(window.steps) else None
    share = float(np.nanmax(clipped.values))
    if share > 0:
        return Said("unlikely", "gradients are clipped by their norm")
    return Said("possible", "clipping never cut a gradient")


def scale_falls(window: Window, _: Symptom) -> Said | None:
    """Where the loss scale went."""
    if (scale := window.metrics.get(LOSS_SCALE)) is None or len(scale.values) < 2:
        return None
    first, now = float(scale.values[0]), float(scale.values[-1])
    return Said("likely" if now < HALVED * first else "unlikely", f"the scale went from {first:,.6g} to {now:,.6g}")


def scale_swings(window: Window, symptom: Symptom) -> Said | None:
    """The same, where it was meant to stay."""
    if (falls := scale_falls(window, symptom)) is None:
        return None
    return Said("unlikely" if falls.likelihood == "likely" else "possible", falls.because)


def _updates(window: Window) -> tuple[np.ndarray, np.ndarray] | None:
    """Steps [n] and of each the median update ratio over the layers with weights."""
    updates, columns = window.stats.get("update_ratio"), weighted(window)
    if updates is None or not len(updates) or not len(columns):
        return None
    sizes = typical(updates[:, columns].T)
    known = np.isfinite(sizes)
    return (window.steps[known], sizes[known]) if known.any() else None


def _share(size: float) -> str:
    return f"{size:.2g} times their size" if size >= 1 else f"{size:.2%} of their size"
