"""Layer by layer, how many times as large a stat is in one run as in another, at the same steps."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from trainvitals.wire.answers import Heatmap
from trainvitals_dashboard.figures.emptiness import say_if_empty
from trainvitals_dashboard.figures.heat import HeatScale, even_columns, matrix, rows_with_values
from trainvitals_dashboard.figures.steps import step_axis
from trainvitals_dashboard.theme import DIVERGING, NONFINITE, TEMPLATE

COLUMNS: Final = 160
TICKS: Final = 24
LONGEST_NAME: Final = 22  # characters that fit beside the plot
NAMES_PX: Final = 140
CLIPPED_SHARE: Final = 0.02  # of the cells lie beyond the ends of the colours, at most
CLIPS: Final = (0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)  # log2
_FROM_ZERO: Final = 1000.0  # in the place of an infinite log2: beyond every clip, and drawn, where infinity is a gap

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRatio:
    """The layers that both runs have, over the steps that both have. ``logs``: float32 [layers, columns], log2 of now
    over before; infinite where one alone is zero, NaN where either is missing or not finite. ``now`` and ``before``:
    the values, in the same shape; ``nonfinite``: where either was not finite. The first column stands at ``first``,
    the others ``width`` steps apart, and the last step of all is ``last``."""

    layers: list[str]
    logs: Matrix
    now: Matrix
    before: Matrix
    nonfinite: NDArray[np.bool_]
    first: float
    width: float
    last: int

    @property
    def is_empty(self) -> bool:
        """Whether there is no cell that both have."""
        return not bool((~np.isnan(self.logs)).any())


def layer_ratio(now: Heatmap, before: Heatmap, *, applicable: Collection[str] | None = None) -> LayerRatio:
    """Aligned by the layers' names, in the order of ``now``, and by steps: a column shows the newest that each run has
    of its step or before it, from the first step that both have to the last. ``applicable``: layers that can have the
    stat; None is all. Layers of which neither run holds anything are left out."""
    told = {one.layers[row] for one in (now, before) for row in rows_with_values(one, applicable=applicable)}
    layers = [name for name in now.layers if name in told and name in set(before.layers)]
    first = max(now.steps[0], before.steps[0]) if now.steps and before.steps else 0
    last = min(now.last_step, before.last_step)
    at, start, width = _columns(now, before, first=first, last=last)
    ours, bad = _taken(now, layers, at)
    then, bad_then = _taken(before, layers, at)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log2(np.abs(ours)) - np.log2(np.abs(then))
    logs = np.where((ours == 0) & (then == 0), 0.0, logs)
    known = np.isfinite(ours) & np.isfinite(then)
    return LayerRatio(
        layers=layers,
        logs=np.where(known, logs, np.nan).astype(np.float32),
        now=ours,
        before=then,
        nonfinite=bad | bad_then,
        first=start,
        width=width,
        last=last,
    )


def _columns(now: Heatmap, before: Heatmap, *, first: int, last: int) -> tuple[NDArray[np.float64], float, float]:
    """The steps of the columns, the first of them, and their spacing: as fine as the coarser of both."""
    if last < first or not now.steps or not before.steps:
        return np.empty(0), 0.0, 1.0
    _, _, ours = even_columns(now.steps, now.last_step)
    _, _, theirs = even_columns(before.steps, before.last_step)
    width = max(ours, theirs, (last - first) / COLUMNS)
    at = np.arange(int((last - first) / width) + 1, dtype=np.float64) * width + first
    return at, float(first), width


def _taken(heatmap: Heatmap, layers: list[str], at: NDArray[np.float64]) -> tuple[Matrix, NDArray[np.bool_]]:
    """Values, and what was not finite: [layers, columns] each."""
    places = {name: row for row, name in enumerate(heatmap.layers)}
    rows = [places[name] for name in layers]
    columns = np.clip(np.searchsorted(np.asarray(heatmap.steps), at, side="right") - 1, 0, None)
    bad = np.asarray(heatmap.nonfinite, np.int64).reshape(len(heatmap.layers), len(heatmap.steps)) > 0
    return matrix(heatmap)[rows][:, columns], bad[rows][:, columns]


def ratio_scale(ratio: LayerRatio) -> HeatScale:
    """Colours from −clip to clip, the same in both directions. The clip is the least of a few round ones beyond which
    a fiftieth of the cells lie, at most."""
    known = np.abs(ratio.logs[np.isfinite(ratio.logs)]).astype(np.float64)
    reached = float(np.quantile(known, 1 - CLIPPED_SHARE)) if len(known) else 1.0
    clip = next((clip for clip in CLIPS if clip >= reached), CLIPS[-1])
    return HeatScale(kind="div", low=-clip, high=clip, middle=0.0, log=False)


def clipped(ratio: LayerRatio, scale: HeatScale) -> int:
    """How many cells lie beyond the colours' ends."""
    return int((np.abs(ratio.logs) > scale.high).sum())


def times(log: float) -> str:
    """A log2 as what it means: "×4", "÷4", "×1"."""
    factor = 2.0 ** abs(log)
    word = f"{factor:.3g}" if factor < 1000 else f"2^{abs(log):g}"
    return "×1" if math.isclose(log, 0.0) else f"{'×' if log > 0 else '÷'}{word}"


def ratio_figure(ratio: LayerRatio, scale: HeatScale, *, stat: str) -> go.Figure:
    """The heatmap; ``stat``: in words. Cells at which either run was not finite are marked as such."""
    shown = np.nan_to_num(ratio.logs, nan=np.nan, posinf=_FROM_ZERO, neginf=-_FROM_ZERO)
    place = {"y": ratio.layers, "x0": ratio.first, "dx": ratio.width, "showscale": False, "hoverongaps": False}
    figure = go.Figure()
    figure.add_heatmap(
        z=shown,
        zmin=scale.low,
        zmax=scale.high,
        colorscale=DIVERGING["light"],
        meta={"tv": "div", "power": 2},
        customdata=np.stack([ratio.now, ratio.before, np.exp2(ratio.logs)], axis=-1),
        hovertemplate=(
            f"%{{y}} · step %{{x:,.0f}}<br><b>×%{{customdata[2]:.3~g}}</b><br>{stat}: %{{customdata[0]:.4~g}} now, "
            "%{customdata[1]:.4~g} then<extra></extra>"
        ),
        **place,
    )
    figure.add_heatmap(
        z=np.where(ratio.nonfinite, 1, np.nan).astype(np.float32),
        zmin=0,
        zmax=1,
        colorscale=NONFINITE["light"],
        meta={"tv": "nonfinite"},
        hovertemplate="%{y} · step %{x:,.0f}<br><b>not finite in one of them</b><extra></extra>",
        **place,
    )
    ticks = ratio.layers[:: max(1, math.ceil(len(ratio.layers) / TICKS))]
    figure.update_layout(
        template=TEMPLATE,
        uirevision=stat,
        meta={"chart": f"{stat} of layers, one run over the other"},
        margin={"l": NAMES_PX},
        hovermode="closest",
        xaxis={"showgrid": False, **step_axis(int(ratio.first), ratio.last)} if not ratio.is_empty else {},
        yaxis={
            "showgrid": False,
            "autorange": "reversed",
            "type": "category",
            "tickvals": ticks,
            "ticktext": [_short(name) for name in ticks],
        },
    )
    say_if_empty(figure, is_empty=ratio.is_empty)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else "…" + name[-(LONGEST_NAME - 1) :]
