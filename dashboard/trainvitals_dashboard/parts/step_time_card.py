"""Where a step's time goes, said and drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from dash import html

from trainvitals.wire.answers import Curve
from trainvitals_dashboard.figures.lines import values
from trainvitals_dashboard.figures.step_time import PARTS, WHOLE, step_time
from trainvitals_dashboard.parts.cards import Piece, card, graph, legend

HEIGHT_PX: Final = 260
ELSEWHERE: Final = "elsewhere"


def step_time_card(curves: Mapping[str, Curve]) -> html.Section:
    """The card; where nothing is known, how it comes to be."""
    if WHOLE not in curves:
        said = ["Not known: ", html.Code("run.watch(model, optimizer)"), " times the parts of a step."]
        return card("Where a step’s time goes", html.Div(html.Span(said), className="tv-none"))
    plot = graph("g-step-time", step_time(curves), height=HEIGHT_PX, label="Parts of a step's time over steps")
    key = legend([*((word, colour, "fi") for name, (word, colour) in PARTS.items() if name in curves), _WHOLE_KEY])
    body = [html.P(where_time_goes(curves), id="said-step-time", className="tv-sys-said"), plot]
    return card("Where a step’s time goes", body, right=key, name="tv-steptime")


_WHOLE_KEY: Final = ("whole step", "fg-2", "ln")


def shares(curves: Mapping[str, Curve]) -> dict[str, float]:
    """Part, as a word → its share of the whole step over the newer half of what is drawn, the largest first; with what
    is spent elsewhere. Empty where it cannot be told."""
    whole = _average(curves.get(WHOLE))
    parts = {word: _average(curves.get(name)) for name, (word, _) in PARTS.items()}
    known = {word: seconds / whole for word, seconds in parts.items() if seconds is not None} if whole else {}
    if not known:
        return {}
    rest = 1 - sum(known.values())
    return dict(sorted({**known, ELSEWHERE: max(0.0, rest)}.items(), key=lambda one: -one[1]))


def where_time_goes(curves: Mapping[str, Curve]) -> list[Piece]:
    """Which part is the largest, and what the others take."""
    whole, parts = _average(curves.get(WHOLE)), shares(curves)
    if whole is None:
        return ["No step was timed yet."]
    if len(parts) < 3:  # the optimizer alone, where the model's own call is not seen
        return ["An average step takes ", html.B(seconds(whole)), ". Of which parts it is made was not seen."]
    (largest, share), *others = parts.items()
    said = "of it is spent elsewhere, in what is not watched" if largest == ELSEWHERE else f"of it is the {largest}"
    said = said.replace("the waiting", "waiting")
    rest = ", ".join(f"{word} {part:.0%}" for word, part in others if part >= 0.005)
    tail = f"; {rest}." if rest else "."
    return ["An average step takes ", html.B(seconds(whole)), ". ", html.B(f"{share:.0%}"), f" {said}{tail}"]


def seconds(value: float) -> str:
    """A short time as people say it."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms")):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


def _average(curve: Curve | None) -> float | None:
    mean = values(curve.mean) if curve else np.empty(0, np.float32)
    newer = mean[len(mean) // 2 :]
    return float(newer[np.isfinite(newer)].mean()) if np.isfinite(newer).any() else None
