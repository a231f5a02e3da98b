"""The examples of the probe: what the network is shown, and on what of it the score depends."""

from __future__ import annotations

from collections.abc import Sequence

from dash import html

from trainvitals.wire.looks import ALL, Picture
from trainvitals_dashboard.inside_view import InsideView
from trainvitals_dashboard.parts.cards import Piece, card
from trainvitals_dashboard.parts.inside_pictures import block, cells, laid_over, scale_bar

SALIENCY = "How much the score changes with each place of the input: the gradient's size (saliency)."


def examples_card(view: InsideView) -> Piece:
    """None where nothing of the input can be drawn."""
    shown = [one for one in view.shown if one.kind in ("input", "saliency")]
    if not shown:
        return None
    if any(one.example == ALL for one in shown):
        choice = [_choice(view)] if view.examples > 1 else []
        return card("The probe", [_together(shown), *choice], sub=_counted(view), name="tv-in-probe")
    chosen = view.of_example("saliency", view.example)
    body = [_choice(view), _large(view, chosen)]
    return card("The probe", body, sub=_counted(view), name="tv-in-probe")


def _together(shown: Sequence[Picture]) -> html.Div:
    """Of examples that are a row of numbers, or of tokens, each."""
    titles = {"input": "Input", "saliency": "Saliency"}
    columns = "features" if any(one.kind == "input" for one in shown) else "tokens"
    parts = [
        block(titles[one.kind], f"examples ↓ {columns} →", cells(one), scaled=one)
        for one in shown
        if one.example == ALL
    ]
    return html.Div(parts, className="tv-in-col")


def _choice(view: InsideView) -> html.Div:
    """All examples, of which one is chosen."""
    made = []
    for example in range(view.examples):
        below = view.of_example("input", example)
        picture = laid_over(below, None if below else view.of_example("saliency", example), alt="")
        parts = [picture, html.Span(str(example))] if picture.children else f"Example {example}"
        word = f"Example {example}"
        made.append(
            html.Button(
                parts,
                className="tv-in-example",
                type="button",
                **{
                    "aria-pressed": "true" if example == view.example else "false",
                    "aria-label": word,
                    "data-inside-example": str(example),
                },
            )
        )
    return html.Div(made, className="tv-in-examples", role="group", **{"aria-label": "Examples"})


def _large(view: InsideView, saliency: Picture | None) -> html.Div:
    below = view.of_example("input", view.example)
    figures = []
    if below is not None:
        figures.append(
            _figure("Input", laid_over(below, None, alt=f"Example {view.example}"), scale_bar(below, look="light"))
        )
    if saliency is not None:
        of = "" if saliency.target is None else f" of class {saliency.target}"
        over = laid_over(below, saliency, alt=f"Saliency of example {view.example}")
        figures.append(_figure(f"Saliency{of}", over, scale_bar(saliency, look="over"), title=SALIENCY))
    return html.Div(figures, className="tv-in-large")


def _figure(word: str, picture: Piece, scale: Piece, *, title: str = "") -> html.Figure:
    return html.Figure([html.Figcaption(word, title=title), picture, scale])


def _counted(view: InsideView) -> str:
    count = view.examples or max((one.height for one in view.shown), default=0)
    return "1 example" if count == 1 else f"{count} examples, kept from one batch"
