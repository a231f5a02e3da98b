"""One metric as somebody wants to look at it: smoothed or not, on a logarithmic axis or not, by steps or by time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from trainvitals.wire.answers import Curve
from trainvitals_dashboard.figures.lines import single, values
from trainvitals_dashboard.figures.steps import FEW_TICKS

SMOOTHINGS: Final = {"off": 0.0, "little": 0.01, "much": 0.03}  # of the span that is shown
UNITS: Final = ((2 * 3600.0, 3600.0, " h"), (120.0, 60.0, " min"), (0.0, 1.0, " s"))  # from so many seconds on
ANY_RANGE: Final = 1.0  # who asks for a logarithmic axis has one, however little the values differ

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How metrics are looked at: ``smoothing`` by its name, ``log``: on a logarithmic axis, ``time``: by the time that
    went by."""

    smoothing: str = "off"
    log: bool = False
    time: bool = False

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> Look:  # Any: what an address or the browser says
        """What an address asks for; what it does not, or not well, is as usual."""
        smoothing = str(query.get("smooth"))
        return cls(
            smoothing=smoothing if smoothing in SMOOTHINGS else "off",
            log=query.get("y") == "log",
            time=query.get("x") == "time",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The training's time by its steps, both ascending, float64 [n]; between them it is interpolated."""

    steps: Times
    seconds: Times

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

    def at(self, steps: Times) -> Times:
        """Seconds since the start, float64 [n]; beyond the last step that is known time goes on as it did."""
        known: Times = np.interp(steps, self.steps, self.seconds)
        pace = float((self.seconds[-1] - self.seconds[0]) / (self.steps[-1] - self.steps[0]))
        beyond: Times = np.clip(steps - self.steps[-1], 0, None)
        there: Times = known + beyond * pace
        return there


def metric_chart(curve: Curve, *, look: Look, name: str, clock: Clock | None = None) -> go.Figure:
    """The metric, with its envelope. Values of 0 and below have no place on a logarithmic axis: a metric that has such
    keeps a linear one. By time it does not grow by itself; without a clock it is by steps."""
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
    return _by_time(figure, clock) if look.time and clock is not None else figure


def has_logarithms(curve: Curve) -> bool:
    """Whether all finite values are above 0."""
    low = values(curve.low)
    return bool(np.all(low[np.isfinite(low)] > 0))


def _by_time(figure: go.Figure, clock: Clock) -> go.Figure:
    unit, word = next((unit, word) for start, unit, word in UNITS if clock.seconds[-1] >= start)
    drawn = [trace for trace in figure.data if trace.x is not None and len(trace.x)]
    for trace in drawn:
        trace.x = clock.at(np.asarray(trace.x, np.float64)) / unit
        if trace.hovertemplate and "at step" in trace.hovertemplate:
            trace.hovertemplate = f"<b>not finite</b> after %{{x:.3g}}{word}<extra></extra>"
    axis: dict[str, Any] = {"ticksuffix": word, "nticks": FEW_TICKS, "uirevision": "time"}  # Any: plotly's own
    ends = [float(end) for trace in drawn for end in (trace.x[0], trace.x[-1])]
    if ends and max(ends) > min(ends):
        low, high = min(ends), max(ends)
        axis["autorangeoptions"] = {"clipmin": low, "clipmax": high, "include": [low, high]}
    figure.layout.xaxis = axis
    figure.layout.meta = {"points": figure.layout.meta["points"]}
    return figure
