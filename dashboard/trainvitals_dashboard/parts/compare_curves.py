"""The card of curves of the page that compares runs: the plot, and beside it the runs by name and number."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote

import dash_mantine_components as dmc
import plotly.graph_objects as go
from dash import dcc, html

from trainvitals_dashboard import words
from trainvitals_dashboard.comparing import Compared
from trainvitals_dashboard.figures.compare import FEW, RunLine, compared, difference, last_finite, look, spans_decades
from trainvitals_dashboard.figures.lines import SMOOTHED_FROM_POINTS
from trainvitals_dashboard.parts.cards import Piece, card, graph
from trainvitals_dashboard.parts.icons import icon

PLOT_HEIGHT_PX = 440
KINDS = {"values": "Values", "difference": "Difference"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveView:
    """How curves are read: as ``differences`` from the baseline, ``smoothed``, on a logarithmic axis (None: where that
    is the natural one), without those that are ``hidden``, run ids."""

    differences: bool = False
    smoothed: bool = True
    log: bool | None = None
    hidden: Collection[str] = ()


def curves_card(found: Compared, view: CurveView) -> html.Section:
    """The plot, its switches, and the list of runs."""
    kind = dmc.SegmentedControl(
        id="compare-as",
        value="difference" if view.differences else "values",
        data=[{"value": value, "label": word} for value, word in KINDS.items()],
        size="xs",
        **{"aria-label": "What is drawn"},
    )
    smooth = dmc.Switch(id="compare-smooth", checked=view.smoothed, label="Smooth", size="xs")
    log = dmc.Switch(
        id="compare-log", checked=is_log(found, view), disabled=view.differences, label="Log axis", size="xs"
    )
    plot = graph(
        "g-compare",
        curves_figure(found, view),
        height=PLOT_HEIGHT_PX,
        label=f"{found.title} of {len(found.curves)} runs",
    )
    runs = html.Div(run_list(found, view.hidden), id="compare-list", className="tv-cmp-list")
    stores = [dcc.Store(id="compare-hidden", data=list(view.hidden)), dcc.Store(id="compare-numbers")]
    is_smoothed = any(len(curve.steps) >= SMOOTHED_FROM_POINTS for curve in found.curves.values())
    told = html.Span("lines are smoothed", id="compare-smoothed", hidden=not view.smoothed) if is_smoothed else None
    return card(
        curves_title(found, view),
        html.Div([html.Div(plot, className="tv-cmp-plot"), runs, *stores], className="tv-cmp-curves"),
        sub=told,
        right=[log, smooth, kind],
        title_id="compare-title",
        name="tv-cmp-card",
    )


def curves_title(found: Compared, view: CurveView) -> str:
    """What is drawn, in words."""
    minus = f", minus that of {found.names[found.baseline]}" if view.differences and found.baseline else ""
    return f"{found.title}{minus}"


def is_log(found: Compared, view: CurveView) -> bool:
    """Whether the axis of values is logarithmic, as it was chosen. That of differences never is, and the choice waits
    until values are drawn again."""
    if view.log is not None:
        return view.log
    return "grad_norm" in found.metrics.values() or spans_decades(list(found.curves.values()))


def curves_figure(found: Compared, view: CurveView) -> go.Figure:
    """The plot. Without a curve of the baseline there are no differences, and it is said to be empty."""
    names, base = found.names, found.curves.get(found.baseline)
    curves = dict(found.curves)
    if view.differences:
        curves = {run_id: difference(curve, base) for run_id, curve in curves.items()} if base is not None else {}
    lines = [
        RunLine(
            name=names[run_id],
            curve=curve,
            place=found.places[run_id],
            is_baseline=run_id == found.baseline,
            is_hidden=run_id in view.hidden,
        )
        for run_id, curve in curves.items()
    ]
    return compared(
        lines,
        metric=found.title,
        log=is_log(found, view) and not view.differences,
        smoothed=view.smoothed,
        against=names.get(found.baseline, "") if view.differences else "",
    )


def run_list(found: Compared, hidden: Collection[str]) -> list[Piece]:
    """A row for each run: what its curve looks like, the metric's last value, and how far it is from the baseline where
    both were last seen. A click hides the curve or shows it."""
    head = html.Div(
        [
            html.Span(f"{len(found.details)} {'run' if len(found.details) == 1 else 'runs'}"),
            html.Span("Last"),
            html.Span("− baseline", title="At the last step that the run and the baseline both have"),
        ],
        className="tv-cmp-head",
    )
    told = run_numbers(found)
    rows = [_row(found, run_id, hidden, numbers=told[run_id]) for run_id in found.names]
    return [head, html.Div(rows, className="tv-cmp-rows"), _key()]


def _key() -> html.P:
    many = f"Up to {FEW} runs are drawn with their spread."
    return html.P(
        f"Click a run to hide its curve or show it, point at it to see it alone. {many}", className="tv-cmp-key tv-sub"
    )


def _row(found: Compared, run_id: str, hidden: Collection[str], *, numbers: list[str]) -> html.Div:
    name = found.names[run_id]
    button = html.Button(
        [
            swatch(found.places[run_id]),
            html.Span(name, className="tv-cmp-name"),
            html.Span(numbers[0], className="tv-num"),
            html.Span("baseline", className="tv-cmp-base")
            if run_id == found.baseline
            else html.Span(numbers[1], className="tv-num tv-dim"),
        ],
        className="tv-cmp-run",
        title=name,
        **{
            "data-compare-run": run_id,
            "data-compare-place": str(found.places[run_id]),
            "aria-pressed": "false" if run_id in hidden else "true",
        },
    )
    link = dcc.Link(
        icon("arrow-right", 14), href=f"/runs/{quote(run_id, safe='')}", className="tv-cmp-go", title=f"Open {name}"
    )
    return html.Div([button, link], className="tv-cmp-row")


def run_numbers(found: Compared) -> dict[str, list[str]]:
    """Run id → the metric's last value, and but for the baseline how far it is from that. 57-compare.js writes them
    into the rows that are there."""
    told = {}
    for detail in found.details:
        run_id = detail.summary.run_id
        last = detail.summary.last.get(found.metrics[run_id])
        apart = [] if run_id == found.baseline else [_apart(found, run_id)]
        told[run_id] = [words.number(last.value) if last else "not logged", *apart]
    return told


def _apart(found: Compared, run_id: str) -> str:
    """The difference at the last step of both, with its sign; a dash where either is no number there."""
    base, curve = found.curves.get(found.baseline), found.curves.get(run_id)
    if base is None or curve is None or any(one.nonfinite[-1] for one in (base, curve) if one.nonfinite):
        return "–"
    last = last_finite(difference(curve, base))
    if last is None:
        return "–"
    return f"{'+' if last[1] > 0 else '−' if last[1] < 0 else '±'}{words.number(abs(last[1]))}"


def swatch(place: int) -> html.I:
    """A piece of the run's line: its colour and its dashes."""
    return html.I(className="tv-cmp-sw", style=swatch_style(place))


def swatch_style(place: int) -> dict[str, str]:
    """As CSS has it."""
    colour, dashes = look(place)
    at, stops = 0, []
    for index, length in enumerate(dashes):
        paint = "var(--c)" if index % 2 == 0 else "transparent"
        stops.append(f"{paint} {at}px {at + length}px")
        at += length
    line = f"repeating-linear-gradient(90deg,{','.join(stops)})" if stops else "var(--c)"
    return {"--c": f"var(--tv-{colour})", "background": line}
