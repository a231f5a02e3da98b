"""One metric as somebody wants to look at it: smoothed or not, on a logarithmic axis or not, by steps, by time or by
another metric that only grows, as epochs or tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from trainvitals.wire.answers import Curve
from trainvitals.wire.facts import is_fact
from trainvitals_dashboard.figures.lines import single, values
from trainvitals_dashboard.figures.steps import FEW_TICKS

SMOOTHINGS: Final = {"off": 0.0, "little": 0.01, "much": 0.03}  # of the span that is shown
UNITS: Final = ((2 * 3600.0, 3600.0, " h"), (120.0, 60.0, " min"), (0.0, 1.0, " s"))  # from so many seconds on
STEP, TIME = "step", "time"
# how libraries and people call what counts how far a training is, without what stands before a slash
COUNTS: Final = frozenset({
    "epoch", "epochs", "tokens", "num_tokens", "total_tokens", "tokens_seen", "num_input_tokens_seen", "examples",
    "examples_seen", "samples", "samples_seen", "consumed_samples", "images_seen", "env_steps", "global_step",
})  # fmt: skip
ANY_RANGE: Final = 1.0  # who asks for a logarithmic axis has one, however little the values differ

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How metrics are looked at: ``smoothing`` by its name, ``log``: on a logarithmic axis, ``by``: "step", "time", or
    the name of a metric that counts how far the training is."""

    smoothing: str = "off"
    log: bool = False
    by: str = STEP

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> Look:  # Any: what an address or the browser says
        """What an address asks for; what it does not, or not well, is as usual."""
        smoothing = str(query.get("smooth"))
        return cls(
            smoothing=smoothing if smoothing in SMOOTHINGS else "off",
            log=query.get("y") == "log",
            by=str(query.get("x") or STEP),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How far the training was, by its steps, both ascending, float64 [n]; between them it is interpolated. In seconds,
    or in what ``counts``."""

    steps: Times
    seconds: Times
    counts: str = ""

    @classmethod
    def of(cls, elapsed: Curve | None) -> Clock | None:
        """From the seconds since the start. A training that was resumed starts again at 0: its time goes on. None: too
        little is known."""
        if elapsed is None:
            return None
        # the first and the last step of each bucket, and when they were: time only grows
        steps = np.column_stack((elapsed.steps, elapsed.last_steps)).astype(np.float64).ravel()
        seconds = np.column_stack((values(elapsed.low), values(elapsed.high))).astype(np.float64).ravel()
        steps, seconds = steps[np.isfinite(seconds)], seconds[np.isfinite(seconds)]
        steps, first = np.unique(steps, return_index=True)
        seconds = seconds[first]
        if len(steps) < 2:
            return None
        gone = np.diff(seconds)
        gone = np.where(gone < 0, seconds[1:], gone)
        return cls(steps=steps, seconds=seconds[0] + np.concatenate(([0.0], np.cumsum(gone))))

    @classmethod
    def counted(cls, curve: Curve | None, name: str) -> Clock | None:
        """From a metric that counts epochs or tokens, by the first step of each value: within an epoch it goes on
        evenly. What is counted anew after a resume stands still until it is more than before. None: as above."""
        if curve is None:
            return None
        steps = np.column_stack((curve.steps, curve.last_steps)).astype(np.float64).ravel()
        counted = np.column_stack((values(curve.low), values(curve.high))).astype(np.float64).ravel()
        steps, counted = steps[np.isfinite(counted)], counted[np.isfinite(counted)]
        _, first = np.unique(np.maximum.accumulate(counted), return_index=True)
        steps, counted = steps[first], np.maximum.accumulate(counted)[first]
        if len(steps) < 2 or steps[-1] <= steps[0]:
            return None
        return cls(steps=steps, seconds=counted, counts=name)

    def at(self, steps: Times) -> Times:
        """Seconds since the start, or what is counted, float64 [n]; beyond the last step that is known it goes on as it
        did."""
        known: Times = np.interp(steps, self.steps, self.seconds)
        pace = float((self.seconds[-1] - self.seconds[0]) / (self.steps[-1] - self.steps[0]))
        beyond: Times = np.clip(steps - self.steps[-1], 0, None)
        there: Times = known + beyond * pace
        return there


def metric_chart(curve: Curve, *, look: Look, name: str, clock: Clock | None = None) -> go.Figure:
    """The metric, with its envelope. Values of 0 and below have no place on a logarithmic axis: a metric that has such
    keeps a linear one. By a ``clock`` it does not grow by itself; without one it is by steps."""
    smoothing = SMOOTHINGS[look.smoothing]
    figure = single(
        curve,
        log=look.log and has_logarithms(curve),
        log_from=ANY_RANGE,
        smoothing=smoothing,
        name=f"{name}, smoothed" if smoothing else name,
    )
    # what was zoomed into stays in view, whatever the smoothing is
    figure.update_layout(meta={**(figure.layout.meta or {}), "points": len(curve.steps)}, uirevision=curve.metric)
    return figure if clock is None else _by_clock(figure, clock)


def has_logarithms(curve: Curve) -> bool:
    """Whether all finite values are above 0."""
    low = values(curve.low)
    return bool(np.all(low[np.isfinite(low)] > 0))


def counting(metrics: Iterable[str]) -> list[str]:
    """Those that count how far the training is."""
    return [name for name in metrics if name.rpartition("/")[2].lower() in COUNTS and not is_fact(name)]


def _by_clock(figure: go.Figure, clock: Clock) -> go.Figure:
    unit, word = next((unit, word) for start, unit, word in UNITS if clock.counts or clock.seconds[-1] >= start)
    unit, word, shown = (1.0, f" {clock.counts}", "") if clock.counts else (unit, word, word)
    drawn = [trace for trace in figure.data if trace.x is not None and len(trace.x)]
    for trace in drawn:
        trace.x = clock.at(np.asarray(trace.x, np.float64)) / unit
        if trace.hovertemplate and "at step" in trace.hovertemplate:
            trace.hovertemplate = f"<b>not finite</b> after %{{x:.3g}}{word}<extra></extra>"
    axis: dict[str, Any] = {"ticksuffix": shown, "nticks": FEW_TICKS, "uirevision": word}
    if clock.counts:
        axis["tickformat"] = "~s"  # Any: plotly's own
    ends = [float(end) for trace in drawn for end in (trace.x[0], trace.x[-1])]
    if ends and max(ends) > min(ends):
        low, high = min(ends), max(ends)
        axis["autorangeoptions"] = {"clipmin": low, "clipmax": high, "include": [low, high]}
    figure.layout.xaxis = axis
    figure.layout.meta = {"points": figure.layout.meta["points"]}
    return figure
