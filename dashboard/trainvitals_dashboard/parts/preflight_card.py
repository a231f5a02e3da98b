"""The checklist of what was found before the training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from dash import html

from trainvitals.wire.preflight import STAGES, CheckStatus, PreflightCheck, Stage
from trainvitals_dashboard import words
from trainvitals_dashboard.parts.cards import Piece, card
from trainvitals_dashboard.parts.findings import title_of
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.parts.prose import with_code

MARKS: Final[dict[CheckStatus, tuple[str, str]]] = {  # status: (token, icon)
    "failed": ("crit", "circle-x"),
    "unknown": ("fg-3", "help-circle"),
    "passed": ("ok", "circle-check"),
}


def preflight_card(checks: Sequence[PreflightCheck]) -> Piece:
    """By stage, each check with its mark, its sentence, and advice and numbers folded in; nothing where there was
    none."""
    if not checks:
        return None
    counts = Counter(check.status for check in checks)
    sub = " · ".join(f"{counts[status]} {status}" for status in MARKS if counts[status])
    groups = [(stage, [check for check in checks if check.stage == stage]) for stage in STAGES]
    body = [_group(stage, members) for stage, members in groups if members]
    return card("Preflight", body, sub=sub, name="tv-preflight")


def _group(stage: Stage, checks: Sequence[PreflightCheck]) -> html.Section:
    title = html.H3(stage.capitalize(), className="tv-h3")
    return html.Section([title, html.Ul([html.Li(_line(check)) for check in checks], className="tv-pf-list")])


def _line(check: PreflightCheck) -> html.Details:
    token, picture = MARKS[check.status]
    head = [
        html.Span(icon(picture, 16), className=f"tv-pf-mark tv-{token}", title=check.status),
        html.Span(title_of(check.name), className="tv-pf-name"),
        html.Span(check.status, className=f"tv-pf-status tv-{token}"),
        html.Span(check.summary[:1].upper() + check.summary[1:], className="tv-pf-sum"),
    ]
    inside: list[Piece] = [
        html.Div([icon("bulb", 14), html.Span(with_code(line))], className="tv-advice") for line in check.advice
    ]
    chips = [
        html.Span(
            [html.Span(label, className="tv-dim"), html.B(words.number(value), className="tv-num")], className="tv-ev"
        )
        for label, value in check.numbers.items()
    ]
    inside += [html.Div(chips, className="tv-evs")] if chips else []
    return html.Details(
        [html.Summary(head), html.Div(inside, className="tv-pf-more")],
        open=check.status == "failed",
        className=f"tv-pf tv-pf-{check.status}",
        **{"data-fold": f"preflight {check.name}"},
    )
