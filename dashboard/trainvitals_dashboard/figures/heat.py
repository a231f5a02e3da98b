"""Layer × step heatmaps: one stat of all layers over the run."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from trainvitals.wire.answers import Heatmap
from trainvitals.wire.floats import Floats
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.emptiness import say_if_empty
from trainvitals_dashboard.figures.steps import TICKS as STEP_TICKS
from trainvitals_dashboard.figures.steps import step_axis
from trainvitals_dashboard.theme import DIVERGING, NONFINITE, SEQUENTIAL, TEMPLATE

COLUMNS: Final = 400
HEALTHY_UPDATE_RATIO: Final = 1e-3
TICKS: Final = 14
SHARES: Final = ("_fraction", "_entropy")  # how stats between 0 and 1 end
ZERO: Final = np.float32(-38)  # the logarithm in whose place an exact zero is drawn: the lowest there is, not a gap
GRADIENT_STATS: Final = ("update_ratio", "grad_norm", "grad_max", "weight_norm")

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatScale:
    """How values become colours. ``low`` and ``high`` are powers of ten where ``log`` is set; ``middle`` is neutral."""

    kind: Literal["seq", "div"]
    low: float
    high: float
    middle: float | None = None
    log: bool = True


def matrix(heatmap: Heatmap) -> Matrix:
    """float32 [layers, buckets]."""
    return np.frombuffer(heatmap.mean.data, "<f4").reshape(len(heatmap.layers), len(heatmap.steps))


def scale(heatmap: Heatmap) -> HeatScale:
    """The stat's scale: the update ratio diverges from 1e-3; shares go from 0 to 1, means to both sides of 0; norms are
    logarithmic between their own extremes, rounded so that both have a name."""
    if heatmap.stat == "update_ratio":
        return HeatScale(kind="div", low=-5, high=-1, middle=float(np.log10(HEALTHY_UPDATE_RATIO)))
    if words.is_linear(heatmap.stat):
        return _linear(heatmap)
    shown = _shown(matrix(heatmap), log=True)
    finite = shown[np.isfinite(shown) & (shown != ZERO)]
    if not len(finite):
        return HeatScale(kind="seq", low=-4, high=0)
    low, high = _rounded(*np.percentile(finite.astype(np.float64), [1, 99.5]).tolist())
    return HeatScale(kind="seq", low=low, high=high)


def _linear(heatmap: Heatmap) -> HeatScale:
    if heatmap.stat.endswith(SHARES):
        return HeatScale(kind="seq", low=0.0, high=1.0, log=False)
    shown = matrix(heatmap)
    sizes = np.abs(shown[np.isfinite(shown)]).astype(np.float64)
    reach = _named(float(np.percentile(sizes, 99.5))) if len(sizes) else 1.0
    if heatmap.stat.endswith("_mean"):
        return HeatScale(kind="div", low=-reach, high=reach, middle=0.0, log=False)
    return HeatScale(kind="seq", low=-reach if (shown < 0).any() else 0.0, high=reach, log=False)


def _named(value: float) -> float:
    """The next of one, two or five times a power of ten."""
    if value <= 0:
        return 1.0
    power = math.floor(math.log10(value))
    return next(factor * 10.0**power for factor in (1, 2, 5, 10, 20) if factor * 10.0**power >= value)


def _rounded(low: float, high: float) -> tuple[float, float]:
    """Whole powers of ten around both logarithms; within a decade one, two or five of them."""
    if high - low >= 1:
        return float(math.floor(low)), float(math.ceil(high))
    powers = range(math.floor(low), math.ceil(high) + 2)
    names = [power + math.log10(factor) for power in powers for factor in (1, 2, 5)]
    below = max(name for name in names if name <= low)
    return below, min(name for name in names if name >= high and name > below)


def heat(
    heatmap: Heatmap,
    *,
    applicable: Collection[str] | None = None,
    live: bool = True,
    last_step: int | None = None,
    ended: bool = False,
) -> go.Figure:
    """The heatmap. ``applicable``: layers that can have this stat; None is all. Rows that hold nothing are left out.
    ``last_step``: the run's own, as that of the loss above; None is the last snapshot's. ``ended``: no snapshot comes
    any more, and the last one stands for the steps after it, as each does for those until the next."""
    rows = rows_with_values(heatmap, applicable=applicable)
    names = [heatmap.layers[row] for row in rows]
    picked, first, width = even_columns(heatmap.steps, heatmap.last_step)
    if ended and last_step is not None:
        picked = _held(picked, heatmap.steps, first=first, width=width, until=last_step)
    colours = scale(heatmap)
    shown = _shown(matrix(heatmap)[rows], log=colours.log)[:, picked]
    bad = np.asarray(heatmap.nonfinite, np.int64).reshape(len(heatmap.layers), len(heatmap.steps))[rows][:, picked]
    figure = go.Figure()
    # [step][layer] and transposed, so that a live column can be appended; evenly spaced, which draws six times faster
    place = {"y": names, "x0": first, "dx": width, "transpose": True, "showscale": False, "hoverongaps": False}
    value = "log₁₀ %{z:.2f}" if colours.log else "%{z:.4~g}"  # 50-heatmap.js writes the value itself in its place
    figure.add_heatmap(
        z=np.ascontiguousarray(shown.T),
        zmin=colours.low,
        zmax=colours.high,
        colorscale=_plotly_scale(colours.kind),
        meta={"tv": colours.kind, **({"power": 10} if colours.log else {})},
        hovertemplate=f"%{{y}} · step %{{x:,.0f}}<br><b>{value}</b><extra></extra>",
        **place,
    )
    figure.add_heatmap(**_nonfinite(bad), **place)
    followed = {"heat": heatmap.stat, "log": colours.log, "layers": names, "x0": first, "dx": width, "max": COLUMNS * 2}
    followed["ticks"] = STEP_TICKS
    if not names:
        followed["awaits"] = _awaited(heatmap, applicable=applicable)
    figure.update_layout(
        template=TEMPLATE,
        uirevision=heatmap.stat,
        meta={"chart": f"{words.stat(heatmap.stat)} of layers over steps", **({"live": followed} if live else {})},
        hovermode="closest",
        xaxis={"showgrid": False, **_steps(heatmap, last_step)},
        yaxis=_layer_axis(names),
    )
    say_if_empty(figure, is_empty=not names)
    return figure


def _layer_axis(names: list[str]) -> dict[str, Any]:  # Any: plotly's own
    """From the first layer down, as many of them named as can be read."""
    named = names[:: max(1, math.ceil(len(names) / TICKS))]
    return {
        "showgrid": False,
        "autorange": "reversed",
        "type": "category",
        "tickvals": named,
        "ticktext": [_short(name) for name in named],
    }


def empty(stat: str) -> Heatmap:
    """Of a stat of which nothing was recorded."""
    none = Floats()
    return Heatmap(run_id="", stat=stat, layers=[], steps=[], last_step=0, mean=none, high=none, nonfinite=[])


def _awaited(heatmap: Heatmap, *, applicable: Collection[str] | None) -> list[str] | None:
    """The layers whose first number makes a row where there is none yet; None while nothing was recorded of the stat,
    so that any will do. Without them a page would ask for rows that never come, with every update."""
    if not heatmap.layers:
        return None
    return [name for name in heatmap.layers if _applies(name, heatmap.stat, applicable)]


def _applies(layer: str, stat: str, applicable: Collection[str] | None) -> bool:
    return applicable is None or layer in applicable or stat not in GRADIENT_STATS


def _nonfinite(counts: NDArray[np.int64]) -> dict[str, Any]:  # Any: plotly's own
    """The cells in which something was not finite, above all others; no cells if everything was. ``counts``: [layers,
    columns]."""
    cells = np.ascontiguousarray(np.where(counts > 0, 1, np.nan).astype(np.float32).T)
    return {
        "z": cells if counts.any() else [],
        "zmin": 0,
        "zmax": 1,
        "colorscale": NONFINITE["light"],
        "meta": {"tv": "nonfinite"},
        "hovertemplate": "%{y} · step %{x:,.0f}<br><b>not finite</b><extra></extra>",
    }


def rows_of(heatmap: Heatmap, layers: Collection[str]) -> Heatmap:
    """These layers alone."""
    rows = [row for row, name in enumerate(heatmap.layers) if name in layers]
    high = np.frombuffer(heatmap.high.data, "<f4").reshape(len(heatmap.layers), len(heatmap.steps))
    bad = np.asarray(heatmap.nonfinite, np.int64).reshape(len(heatmap.layers), len(heatmap.steps))
    return msgspec.structs.replace(
        heatmap,
        layers=[heatmap.layers[row] for row in rows],
        mean=Floats(matrix(heatmap)[rows].tobytes()),
        high=Floats(high[rows].tobytes()),
        nonfinite=bad[rows].ravel().tolist(),
    )


def rows_with_values(heatmap: Heatmap, *, applicable: Collection[str] | None) -> list[int]:
    """The rows worth drawing: some value was finite; for gradients also rows that were never finite."""
    finite = np.asarray(np.isfinite(matrix(heatmap)).any(axis=1))
    if heatmap.stat in GRADIENT_STATS and applicable is not None:
        bad = np.asarray(heatmap.nonfinite, np.int64).reshape(len(heatmap.layers), -1).any(axis=1)
        finite = np.logical_or(finite, bad)
    return [row for row, name in enumerate(heatmap.layers) if finite[row] and _applies(name, heatmap.stat, applicable)]


def even_columns(steps: list[int], last_step: int) -> tuple[NDArray[np.int64], float, float]:
    """Buckets on an evenly spaced grid: which bucket each column shows, the first column's centre, and the spacing."""
    if len(steps) < 2:
        return np.arange(len(steps)), float(steps[0] if steps else 0), 1.0
    starts = np.asarray(steps, np.int64)
    spacing = float(max(np.median(np.diff(starts)), (max(last_step, steps[-1]) - steps[0]) / COLUMNS, 1e-9))
    count = int((steps[-1] - steps[0]) / spacing) + 1
    centres = steps[0] + np.arange(count) * spacing
    return np.clip(np.searchsorted(starts, centres + spacing * 0.5, side="left") - 1, 0, None), float(steps[0]), spacing


def _held(picked: NDArray[np.int64], steps: list[int], *, first: float, width: float, until: int) -> NDArray[np.int64]:
    """The last column once more as far as ``until``, unless that is farther than from the snapshot before: then nobody
    looked any more."""
    if len(steps) < 2 or until - steps[-1] > steps[-1] - steps[-2]:
        return picked
    more = math.ceil((until - first) / width + 0.5) - len(picked)
    return np.concatenate((picked, np.repeat(picked[-1:], max(0, more))))


def _steps(heatmap: Heatmap, last_step: int | None) -> dict[str, Any]:  # Any: plotly's own
    if not heatmap.steps:
        return step_axis(None, None)
    return step_axis(heatmap.steps[0], max(heatmap.last_step, heatmap.steps[-1], last_step or 0))


def _shown(values: Matrix, *, log: bool) -> Matrix:
    if not log:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.log10(np.abs(values))
    return np.where(np.isneginf(logarithms), ZERO, logarithms).astype(np.float32)


def _plotly_scale(kind: Literal["seq", "div"]) -> list[tuple[float, str]]:
    return (DIVERGING if kind == "div" else SEQUENTIAL)["light"]


def _short(name: str, length: int = 13) -> str:
    """The end of a name that is too long, whole parts of it where one fits."""
    if len(name) <= length:
        return name
    end = name[-(length - 1) :]
    _, dot, parts = end.partition(".")
    return f"…{parts}" if dot and parts else f"…{end}"
