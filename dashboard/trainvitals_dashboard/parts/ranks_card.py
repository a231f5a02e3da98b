"""Ranks side by side: one metric of every process that trains in the run, and which of them stands apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import dash_mantine_components as dmc
import plotly.graph_objects as go
from dash import html

from trainvitals.wire.answers import RankCurves, RunDetail
from trainvitals.wire.definitions import Definitions
from trainvitals_dashboard import words
from trainvitals_dashboard.comparison import FEWEST_RANKS, Comparison
from trainvitals_dashboard.figures.lines import OTHERS, colours_of_ranks
from trainvitals_dashboard.gathering import LOOP_METRICS
from trainvitals_dashboard.parts.cards import Piece, card, graph, legend

HEIGHT_PX: Final = 240
MOST_NAMED: Final = 6
ORDER: Final = ("grad_norm", *LOOP_METRICS)  # of the chooser, after the loss; the user's own come last
GPU_METRICS: Final = {f"system/gpu*_{name}": f"GPU: {word}" for name, word in words.GPU_WORDS.items()}
GIBIBYTE: Final = 2**30


def ranks_card(detail: RunDetail) -> Piece:
    """The card before it is filled; nothing where one process trains."""
    if detail.summary.ranks < 2:
        return None
    chooser = dmc.Select(
        id="ranks-metric",
        data=[],
        value=None,
        size="xs",
        w=220,
        allowDeselect=False,
        **{"aria-label": "Metric of ranks"},
    )
    body = [
        html.Div(id="ranks-said", className="tv-ranks-said", role="status"),
        graph("g-ranks", go.Figure(), height=HEIGHT_PX, label="A metric of every rank over steps"),
    ]
    right = [html.Div(id="ranks-key"), chooser]
    return card(
        "Ranks", body, sub=html.Span(f"{detail.summary.ranks} ranks", id="ranks-sub"), right=right, name="tv-ranks"
    )


def choices(metrics: Sequence[str], definitions: Definitions) -> list[dict[str, str]]:
    """What the chooser offers: the loss, the gradient's norm, times, memory and GPUs, then what else is told. Each rank
    has a GPU of its own: they are compared whatever their numbers are."""
    loss = definitions.metric("loss", metrics)
    known = {name: place for place, name in enumerate((loss, *ORDER, *GPU_METRICS))}
    ordered = sorted(dict.fromkeys(map(_of_any_gpu, metrics)), key=lambda name: known.get(name, len(known)))
    return [{"value": name, "label": GPU_METRICS.get(name) or words.metric(name)} for name in ordered]


def _of_any_gpu(metric: str) -> str:
    gpu = words.gpu_metric(metric)
    return metric if gpu is None else f"system/gpu*_{gpu[1]}"


def how_many(found: RankCurves, *, ranks: int) -> str:
    """Of how many ranks there is anything to see."""
    return f"{ranks} ranks" if len(found.curves) in (0, ranks) else f"{len(found.curves)} of {ranks} ranks"


def key(found: RankCurves, compared: Comparison) -> html.Div:
    """What the colours of lines mean."""
    colours = colours_of_ranks([curve.rank for curve in found.curves], list(compared.apart))
    named = [
        (f"rank {rank}", colours[rank], "ln") for rank in [0, *list(compared.apart)[:MOST_NAMED]] if rank in colours
    ]
    rest = [rank for rank, colour in colours.items() if colour == OTHERS]
    others = [(f"rank {rest[0]}" if len(rest) == 1 else "others", OTHERS, "fa")] if rest else []
    return legend([*dict.fromkeys(named), *others])


def said(found: RankCurves, compared: Comparison) -> list[Piece]:
    """Which ranks stand apart, and by how much; which one was the first not to be finite, and which fell silent."""
    if not found.metrics:
        return ["Only rank 0 has told anything yet: call init on every rank to see them side by side."]
    lines: list[Piece] = []
    if compared.apart:
        steps = max(1, compared.last_step - compared.first_step)
        values = _listed([_value(found.metric, value) for value in compared.apart.values()])
        median = f"the median of {compared.compared} ranks is {_value(found.metric, compared.median)}"
        verb = "stand apart" if len(compared.apart) > 1 else "stands apart"
        names = html.B(_named(list(compared.apart)))
        lines.append([names, f" {verb} over the last {steps:,} steps: {values}, where {median}."])
    if compared.not_finite:
        lines.append(_first_not_finite(compared.not_finite, exact=all(curve.bucket == 1 for curve in found.curves)))
    if compared.silent:
        after = _listed([f"{step:,}" for step in dict.fromkeys(compared.silent.values())])
        lines.append([html.B(_named(list(compared.silent))), f" told nothing after step {after}."])
    if not lines and compared.compared >= FEWEST_RANKS:
        lines.append("No rank stands apart.")
    return [html.P(line) for line in lines]


def _first_not_finite(ranks: Mapping[int, int], *, exact: bool) -> Piece:
    where = "at" if exact else "about"
    verb = "were the first" if len(ranks) > 1 else "was the first"
    return [html.B(_named(list(ranks))), f" {verb} not to be finite, {where} step {min(ranks.values()):,}."]


def _named(ranks: Sequence[int]) -> str:
    return f"Rank{'s' * (len(ranks) > 1)} {_listed([str(rank) for rank in ranks])}"


def _listed(texts: Sequence[str]) -> str:
    if len(texts) == 1:
        return texts[0]
    if len(texts) > MOST_NAMED:
        return f"{', '.join(texts[:MOST_NAMED])} and {len(texts) - MOST_NAMED} more"
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


def _value(metric: str, value: float) -> str:
    return f"{value / GIBIBYTE:.3g} GiB" if metric.endswith("_bytes") else words.number(value)
