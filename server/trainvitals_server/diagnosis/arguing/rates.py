"""Whether the learning rate is a cause: where it stands in the range that is usual for the optimizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from trainvitals_server.diagnosis.arguing.said import Said, groups, times
from trainvitals_server.diagnosis.reading import HEALTHY_UPDATE, learning_rate, typical, weighted
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.usual_rates import ROUNDING, USUAL
from trainvitals_server.diagnosis.window import Series, Window

BEYOND: Final = 3.0  # times the ends of the range
WARMED_UP: Final = 0.5  # of the peak: a rate that began under it was warmed up
AT_ONCE: Final = 0.99  # of the peak: one that began over it was not


@dataclass(frozen=True, slots=True)
class _Rate:
    peak: float
    kind: str
    low: float
    high: float

    @property
    def stands(self) -> str:
        where = "somewhat above" if self.peak > self.high * ROUNDING else "within"
        return f"{self.peak:.3g} is {where} what is usual for {self.kind} ({self.low:g} to {self.high:g})"

    @property
    def is_high(self) -> bool:
        return self.peak >= BEYOND * self.high / ROUNDING

    @property
    def is_low(self) -> bool:
        return self.peak < self.low / ROUNDING


def too_high(window: Window, symptom: Symptom) -> Said | None:
    """Likely beyond the range; in it, no rate is too small to be too high for some network."""
    if (rate := _rate(window, symptom)) is None:
        return None
    if rate.is_high:
        most = f"the highest that is usual for {rate.kind} ({rate.high:g})"
        remedy = f"Set the learning rate to at most {rate.high:g}"
        return Said("likely", f"{rate.peak:.3g} is {times(rate.peak / rate.high)} {most}", remedy=remedy)
    if rate.is_low and _update(window) < HEALTHY_UPDATE:
        return Said("unlikely", f"{rate.peak:.3g} is under what is usual for {rate.kind}, and steps are small")
    return None if rate.is_low else Said("possible", rate.stands)


def too_low(window: Window, symptom: Symptom) -> Said | None:
    """The same, the other way round."""
    if (rate := _rate(window, symptom)) is None:
        return None
    if rate.is_low:
        least = f"the lowest that is usual for {rate.kind} ({rate.low:g})"
        remedy = f"Set the learning rate to at least {rate.low:g}"
        return Said("likely", f"{rate.peak:.3g} is {times(rate.low / rate.peak)} less than {least}", remedy=remedy)
    if rate.is_high:
        return Said("unlikely", f"{rate.peak:.3g} is more than is usual for {rate.kind}")
    return Said("possible", rate.stands)


def off(window: Window, symptom: Symptom) -> Said | None:
    """Of a cause that has two sides: on which one it is."""
    for side in (too_high, too_low):
        if (said := side(window, symptom)) is not None and said.likelihood == "likely":
            return said
    rate = _rate(window, symptom)
    return None if rate is None else Said("possible", rate.stands)


def no_warm_up(window: Window, _: Symptom) -> Said | None:
    """Whether the rate began well under its peak, and rises no more."""
    if (rate := _known(window)) is None or len(rate.values) < 2:
        return None
    first, top, peak = float(rate.values[0]), int(rate.values.argmax()), float(rate.values.max())
    if first >= AT_ONCE * peak:
        return Said("possible", f"the rate began at {first:.3g}, as high as it ever was")
    if first < WARMED_UP * peak and top < len(rate.values) - 1:
        over = f"over {int(rate.steps[top] - rate.steps[0]):,} steps"
        return Said("unlikely", f"the rate was warmed up from {first:.3g} to {peak:.3g} {over}")
    return None


def rises_by_mistake(window: Window, _: Symptom) -> Said | None:
    """Whether the rate rises still."""
    if (rate := _known(window)) is None or len(rate.values) < 2:
        return None
    first, now = float(rate.values[0]), float(rate.values[-1])
    if now > first and now >= float(rate.values.max()):
        return Said("possible", f"the rate has risen from {first:.3g} to {now:.3g}, and is at its highest")
    return None


def _known(window: Window) -> Series | None:
    rate = learning_rate(window)
    return rate if rate is not None and len(rate.values) and bool(np.isfinite(rate.values).all()) else None


def _rate(window: Window, symptom: Symptom) -> _Rate | None:
    """The peak of the first group's rate up to where the symptom was last seen, where the optimizer is known, and the
    only one: other rates are not charted as the first is."""
    rate, kinds = _known(window), {group.kind for group in groups(window, symptom)}
    if rate is None or len(kinds) != 1 or len(window.optimizers) != 1 or (kind := kinds.pop()) not in USUAL:
        return None
    rates = {group.number("lr") for group in groups(window, symptom)}
    seen = rate.values[rate.steps <= symptom.last_step]
    peak = float(seen.max(initial=0.0))
    low, high = USUAL[kind]
    return _Rate(peak, kind, low, high) if peak > 0 and len(rates) == 1 else None


def _update(window: Window) -> float:
    """The largest median update ratio of the layers of any snapshot; infinite where none is known."""
    updates, columns = window.stats.get("update_ratio"), weighted(window)
    if updates is None or not len(updates) or not len(columns):
        return float("inf")
    each = typical(updates[:, columns].T)
    return float(np.nan_to_num(each, nan=0.0).max(initial=0.0))
