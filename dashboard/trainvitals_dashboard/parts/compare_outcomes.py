"""Which setting made the difference: runs' outcomes against one setting, and against all of them side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

import dash_mantine_components as dmc
import plotly.graph_objects as go
from dash import html

from trainvitals_dashboard.comparing import Compared
from trainvitals_dashboard.differences import Setting
from trainvitals_dashboard.figures.outcomes import (
    MOST_AXES,
    READINGS,
    ParallelAxis,
    Reading,
    RunOutcome,
    parallel,
    read,
    scatter,
)
from trainvitals_dashboard.parts.cards import Piece, card, graph

FEWEST_RUNS = 3
SCATTER_PX, PARALLEL_PX = 320, 320


def reading_of(wanted: str) -> Reading:
    """The wanted reading; the last value where it is none."""
    return next((reading for reading in READINGS if reading == wanted), "last")


def setting_of(settings: Sequence[Setting], wanted: str) -> Setting | None:
    """The wanted setting, else the first; None where there is none."""
    return next((one for one in settings if one.name == wanted), next(iter(settings), None))


def outcome_cards(found: Compared, settings: Sequence[Setting], *, setting: str, reading: Reading) -> Piece:
    """The scatter and the parallel axes, from three runs on; what is missing where no number differs."""
    if len(found.details) < FEWEST_RUNS:
        return None
    chosen = setting_of(settings, setting)
    if chosen is None:
        said = "No setting that is a number differs between these runs. Pass them to tv.init as config=."
        return card("Outcome by setting", html.Div(said, className="tv-none"))
    controls = [
        dmc.Select(
            id="compare-setting",
            data=[one.name for one in settings],
            value=chosen.name,
            size="xs",
            w=180,
            allowDeselect=False,
            searchable=len(settings) > 8,
            **{"aria-label": "Setting"},
        ),
        dmc.Select(
            id="compare-outcome",
            data=[{"value": value, "label": f"{word} value"} for value, word in READINGS.items()],
            value=reading,
            size="xs",
            w=130,
            allowDeselect=False,
            **{"aria-label": "Outcome"},
        ),
    ]
    plots = [
        graph("g-scatter", scatter_figure(found, chosen, reading), height=SCATTER_PX, label="Outcome by one setting"),
        graph(
            "g-parallel",
            parallel_figure(found, settings, reading),
            height=PARALLEL_PX,
            label="All settings that differ",
        ),
    ]
    missing = html.P(left_out(found, reading), id="compare-left-out", className="tv-sub tv-cmp-same")
    more = len(settings) - (MOST_AXES - 1)
    sub = f"{more} more settings have no axis" if more > 0 else None
    return html.Div(
        [
            card("Outcome by setting", [plots[0], missing], right=controls),
            card("All numbers that differ", plots[1], sub=sub),
        ],
        className="tv-two tv-cmp-two",
    )


def outcomes_of(found: Compared, reading: Reading) -> list[RunOutcome]:
    """What each run came to, in their order."""
    names, outcomes = found.names, []
    for detail in found.details:
        run_id = detail.summary.run_id
        last = detail.summary.last.get(found.metrics[run_id])
        outcome = RunOutcome(
            name=names[run_id],
            place=found.places[run_id],
            value=read(found.curves.get(run_id), reading, last=last.value if last else None),
            is_baseline=run_id == found.baseline,
        )
        outcomes.append(outcome)
    return outcomes


def scatter_figure(found: Compared, setting: Setting, reading: Reading) -> go.Figure:
    """The outcome by one setting."""
    title = _outcome(found, reading)
    return scatter(outcomes_of(found, reading), setting.numbers, setting=setting.name, outcome=title)


def _outcome(found: Compared, reading: Reading) -> str:
    """ "Lowest loss"."""
    return f"{READINGS[reading]} {found.title[:1].lower()}{found.title[1:]}"


def left_out(found: Compared, reading: Reading) -> str:
    """Which runs have no such outcome, and so no point; empty where all have."""
    names = [one.name for one in outcomes_of(found, reading) if math.isnan(one.value)]
    return f"Without a point, for it is no number: {', '.join(names)}." if names else ""


def parallel_figure(found: Compared, settings: Sequence[Setting], reading: Reading) -> go.Figure:
    """All settings, and the outcome last."""
    outcomes = outcomes_of(found, reading)
    axes = [ParallelAxis(title=one.name, numbers=one.numbers) for one in settings[: MOST_AXES - 1]]
    axes.append(ParallelAxis(title=_outcome(found, reading), numbers=[one.value for one in outcomes]))
    return parallel(outcomes, axes)
