"""The metrics of a run in groups that can be folded, and the controls above them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypedDict

import dash_mantine_components as dmc
from dash import html

from trainvitals.wire.facts import FACTS
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.metric import SMOOTHINGS, STEP, TIME, Look, counting
from trainvitals_dashboard.parts.cards import legend, notice

LAST_GROUPS: Final = ("seconds/", "system/", FACTS)  # what the SDK tells of the loop and the machine, and for its rules
WORDS: Final = {
    "": "Without a prefix",
    "seconds/": "Where a step’s time goes",
    "system/": "Machine",
    FACTS: "What the rules go by",
}
MOST_COUNTS: Final = 3  # of what counts how far the training is, to be chosen among
FIRST_LINE: Final = 'run.log({"loss": loss, "val/accuracy": accuracy})'
_NUMBER: Final = re.compile(r"(\d+)")


def grouped(metrics: Sequence[str]) -> dict[str, list[str]]:
    """Prefix → its metrics: first those that have none, as they were logged; then prefixes as they were first seen,
    their metrics by name ("layer2" before "layer10"); the SDK's own last."""
    groups: dict[str, list[str]] = {}
    for metric in metrics:
        prefix, slash, _ = metric.partition("/")
        groups.setdefault(f"{prefix}/" if slash else "", []).append(metric)
    places = {prefix: place for place, prefix in enumerate(LAST_GROUPS, start=1)}
    order = sorted(groups, key=lambda prefix: -1 if prefix == "" else places.get(prefix, 0))
    return {prefix: sorted(groups[prefix], key=_by_name) if prefix else groups[prefix] for prefix in order}


class Group(TypedDict):
    """A section: ``prefix`` of its metrics, ``title``, whether it is ``open`` at first, and [name, title] of each."""

    prefix: str
    title: str
    open: bool
    metrics: list[list[str]]


def metric_groups(metrics: Sequence[str]) -> list[Group]:
    """What 55-metrics.js builds the sections and places from: hundreds of Dash's own components would be gone through
    at every change of the page."""
    return [
        Group(
            prefix=prefix,
            title=WORDS.get(prefix, prefix),
            open=prefix != FACTS,
            metrics=[[name, words.metric(name)] for name in names],
        )
        for prefix, names in grouped(metrics).items()
    ]


def no_metrics() -> html.Div:
    """How to log the first."""
    said = ["Nothing was logged yet. In the training loop: ", html.Code(FIRST_LINE), ". Charts appear by themselves."]
    return notice("No metrics yet", said)


def metric_controls(metrics: Sequence[str], query: Mapping[str, str]) -> html.Div:
    """Search, smoothing and axes, as the address has them."""
    look = Look.of(query)
    by = {STEP: "Steps", **({TIME: "Time"} if "elapsed_seconds" in metrics else {})}
    counts = {name: words.metric(name) for name in counting(metrics)[:MOST_COUNTS]}
    by |= {name: f"{word[:1].upper()}{word[1:]}" for name, word in counts.items()}
    search = dmc.TextInput(
        id="metrics-text", value=query.get("text", ""), placeholder="Search metrics", size="xs",
        className="tv-mt-search", **{"aria-label": "Search metrics by name"},
    )  # fmt: skip
    count = html.Span(_counted(len(metrics)), id="metrics-count", className="tv-sub tv-num", role="status")
    smoothing = _choice(
        "metrics-smooth", "Smoothing", look.smoothing, {"off": "Off", "little": "A little", "much": "Much"}
    )
    values_axis = _choice("metrics-y", "Values", "log" if look.log else "linear", {"linear": "Linear", "log": "Log"})
    steps_axis = _choice(
        "metrics-x",
        "By",
        look.by if look.by in by else STEP,
        by,
        hidden=len(by) == 1,
    )
    return html.Div(
        [
            html.Div([search, count], className="tv-mt-l"),
            html.Div([smoothing, values_axis, steps_axis], className="tv-mt-r"),
            html.Div(_key(), id="metrics-key", hidden=look.smoothing == "off"),
        ],
        className="tv-mt",
        role="group",
        **{"aria-label": "How metrics are shown"},
    )


def _choice(name: str, word: str, value: str, options: Mapping[str, str], *, hidden: bool = False) -> html.Div:
    control = dmc.SegmentedControl(
        id=name, value=value, size="xs", data=[{"value": one, "label": label} for one, label in options.items()],
        **{"aria-label": word},
    )  # fmt: skip
    label = html.Span(word, className="tv-sub", **{"aria-hidden": "true"})
    return html.Div([label, control], className="tv-mt-c", hidden=hidden)


def _key() -> html.Div:
    little, much = (f"{SMOOTHINGS[name]:.0%}" for name in ("little", "much"))
    averaged = f"exponential average over {little} (a little) or {much} (much) of the steps"
    return legend([(averaged, "s1", "ln"), ("as logged, low to high", "s1", "fa")])


def _counted(metrics: int) -> str:
    return "1 metric" if metrics == 1 else f"{metrics:,} metrics"


def _by_name(metric: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _NUMBER.split(metric.lower())]
