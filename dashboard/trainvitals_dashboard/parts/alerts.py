"""What the script itself told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dash import html

from trainvitals.wire.notes import Alert
from trainvitals_dashboard.parts.cards import Piece, card
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.theme import STATUS

MOST_SHOWN: Final = 50


def alerts_card(alerts: Sequence[Alert]) -> Piece:
    """The newest first; nothing where none was given."""
    if not alerts:
        return None
    items = [_item(alert) for alert in alerts[::-1][:MOST_SHOWN]]
    return card("Alerts", html.Ol(items, className="tv-timeline"), sub=f"{len(alerts)}", name="tv-findings")


def _item(alert: Alert) -> html.Li:
    token, picture, word = STATUS[alert.level]
    top = [html.Span(word, className=f"tv-sev tv-{token}")]
    if alert.step is not None:
        top.append(html.Span(f"step {alert.step:,}", className="tv-num tv-dim"))
    text = [html.Div(top, className="tv-tl-top"), html.Div(alert.title, className="tv-tl-title")]
    if alert.text:
        text.append(html.Div(alert.text, className="tv-tl-sum"))
    bullet = html.Span(icon(picture, 14), className=f"tv-tl-dot tv-{token}")
    return html.Li([bullet, html.Div(text, className="tv-tl-said")], className="tv-tl")
