"""The head of the page that compares runs: which runs, which metric, against which; and what is missing of them."""

from __future__ import annotations

from typing import Final

import dash_mantine_components as dmc
from dash import html

from trainvitals.wire.answers import RunPage
from trainvitals_dashboard import words
from trainvitals_dashboard.comparing import MOST_RUNS, Compared, names_of
from trainvitals_dashboard.gathering import loss_metric
from trainvitals_dashboard.parts.cards import Piece, notice
from trainvitals_dashboard.parts.icons import icon

THEIR_LOSS: Final = "*"  # among metrics: the loss of each run, whatever it is called
Choice = list[dict[str, str]]


def head(listed: RunPage, found: Compared, *, metric: str) -> html.Div:
    """Title, and the three choices that make the page."""
    runs = dmc.MultiSelect(
        id="compare-runs",
        data=_runs(listed, found),
        value=list(found.names),
        size="xs",
        maxValues=MOST_RUNS,
        searchable=True,
        clearable=True,
        hidePickedOptions=True,
        limit=100,
        placeholder="Add runs" if found.details else f"Pick two to {MOST_RUNS} runs",
        nothingFoundMessage="No such run",
        **{"aria-label": "Runs"},
    )
    shown = dmc.Select(
        id="compare-metric",
        data=metrics(found, metric),
        value=metric_of(found, metric),
        size="xs",
        allowDeselect=False,
        searchable=True,
        **{"aria-label": "Metric"},
    )
    base = dmc.Select(
        id="compare-baseline",
        data=baselines(found),
        value=found.baseline or None,
        size="xs",
        allowDeselect=False,
        placeholder="Baseline",
        leftSection=html.Span("vs", className="tv-dim"),
        **{"aria-label": "Baseline"},
    )
    # Mantine has a nameless box around what opens: each control has one of its own that can be laid out
    boxes = {"tv-cmp-pick": runs, "tv-cmp-metric": shown, "tv-cmp-against": base}
    choice = [html.Div(control, className=name) for name, control in boxes.items()]
    return html.Div(
        [html.H1("Compare", className="tv-h1"), html.Div(choice, className="tv-cmp-choice")],
        className="tv-runhead tv-cmp-top",
    )


def _runs(listed: RunPage, found: Compared) -> Choice:
    """The newest runs, and those that are compared, however old."""
    summaries = {one.run_id: one for one in (*(detail.summary for detail in found.details), *listed.runs)}
    names = names_of([(run_id, f"{one.name} · {one.project}") for run_id, one in summaries.items()])
    return [{"value": run_id, "label": name} for run_id, name in names.items()]


def metric_of(found: Compared, metric: str) -> str:
    """The metric as it is chosen from: THEIR_LOSS where it is none, or the one that is every run's loss."""
    return THEIR_LOSS if not metric or {metric} == _losses(found) else metric


def _losses(found: Compared) -> set[str]:
    return {loss_metric(detail) for detail in found.details}


def metrics(found: Compared, metric: str) -> Choice:
    """The loss of each run, then all that any run logged."""
    losses = _losses(found)
    theirs = words.metric(next(iter(losses))) if len(losses) == 1 else "Loss of each run"
    named = {name for detail in found.details for name in detail.metrics} | ({metric} if metric else set())
    named -= losses if len(losses) == 1 else set()
    return [
        {"value": THEIR_LOSS, "label": theirs},
        *({"value": name, "label": words.metric(name)} for name in sorted(named)),
    ]


def baselines(found: Compared) -> Choice:
    """The runs, of which one is the baseline."""
    return [{"value": run_id, "label": name} for run_id, name in found.names.items()]


def said(found: Compared) -> html.Div:
    """What is not on the page, and why."""
    return html.Div(missing(found), id="compare-missing", className="tv-cmp-said", role="status")


def missing(found: Compared) -> list[Piece]:
    """A line each: runs that are gone, or did not log the metric."""
    lines = []
    if found.gone:
        lines.append(f"No longer there, deleted perhaps: {', '.join(found.gone)}.")
    if found.beyond:
        lines.append(f"At most {MOST_RUNS} runs are compared: {found.beyond} more are left out.")
    if found.without:
        names = [found.names[detail.summary.run_id] for detail in found.without]
        logged = {found.metrics[detail.summary.run_id] for detail in found.without}
        lines.append(f"{', '.join(sorted(logged))} is not logged by {', '.join(names)}.")
    if len(found.details) == 1:
        lines.append("Add a second run to compare this one with.")
    return [html.P([icon("info-circle", 15), html.Span(line)]) for line in lines]


def nothing_chosen() -> html.Div:
    """How to choose."""
    return notice(
        "Nothing chosen",
        "Pick runs above, or tick them in the table of runs and follow the link. The first is the baseline that all "
        "others are held against.",
    )
