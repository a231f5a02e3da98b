"""The checklist: five stages of the method, each with what is known of it folded in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from dash import html

from trainvitals.wire.checklist import Checklist, ChecklistLine, LineSource, StageOutcome
from trainvitals.wire.preflight import CheckStatus
from trainvitals_dashboard.parts.cards import Piece, card
from trainvitals_dashboard.parts.findings import title_of
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.parts.preflight_card import MARKS
from trainvitals_dashboard.parts.prose import with_code

WORDS: Final[dict[CheckStatus, str]] = {"failed": "failed", "unknown": "not known yet", "passed": "passed"}
LOOKED: Final[dict[LineSource, str]] = {  # rules bear the names of ills
    "preflight": "Passed in the preflight:",
    "rule": "Looked for and not found:",
    "record": "Kept:",
}
MOST_NAMED: Final = 3
BLIND_FROM: Final = 4  # rules that lack the same: then their silence has to be told


def checklist_card(found: Checklist) -> html.Section:
    """Stage by stage; of those that failed the first is unfolded, for that is where to begin, unless it failed by
    findings alone: they have a card of their own."""
    failed = [outcome for outcome in found.stages if outcome.status == "failed"]
    stages = [
        html.Li(_stage(place, outcome, is_open=outcome in failed[:1] and not _is_found(outcome)))
        for place, outcome in enumerate(found.stages, start=1)
    ]
    sub = counted(outcome.status for outcome in found.stages)
    blind = [_blind(lines) for lines in found.blind() if len(lines) >= BLIND_FROM]
    return card("Checklist", [*blind, html.Ol(stages, className="tv-pf-list")], sub=sub, name="tv-checklist")


def counted(statuses: Iterable[CheckStatus]) -> str:
    """ "1 failed · 3 not known yet · 12 passed"."""
    counts = Counter(statuses)
    return " · ".join(f"{counts[status]} {word}" for status, word in WORDS.items() if counts[status])


def gathered(lines: Sequence[ChecklistLine]) -> Iterator[list[ChecklistLine]]:
    """Lines that say the same stand together; those with a finding each by itself."""
    groups: dict[tuple[str, ...], list[ChecklistLine]] = {}
    for line in lines:
        groups.setdefault((line.finding_id or "", line.summary, *line.advice), []).append(line)
    yield from groups.values()


def _blind(lines: Sequence[ChecklistLine]) -> html.Div:
    """That silence of so many rules is no sign of health, and what they lack."""
    names = ", ".join(title_of(line.name) for line in lines)
    said = html.Span(f"{len(lines)} rules cannot look", className="tv-cl-names", title=names)
    text = [
        html.Div([said, html.Span(f": {lines[0].summary}.", className="tv-cl-sum")]),
        *(
            html.Div([icon("bulb", 14), html.Span(with_code(advice))], className="tv-advice")
            for advice in lines[0].advice
        ),
    ]
    mark = html.Span(icon("help-circle", 14), className="tv-pf-mark tv-info")
    return html.Div([mark, html.Div(text, className="tv-cl-text")], className="tv-cl-line tv-cl-blind")


def _stage(place: int, outcome: StageOutcome, *, is_open: bool) -> html.Details:
    token, picture = MARKS[outcome.status]
    head = [
        html.Span(icon(picture, 16), className=f"tv-pf-mark tv-{token}", title=WORDS[outcome.status]),
        html.Span([html.Span(f"{place}", className="tv-cl-place"), outcome.stage.capitalize()], className="tv-pf-name"),
        html.Span(WORDS[outcome.status], className=f"tv-pf-status tv-{token}"),
        html.Span(_lead(outcome), className="tv-pf-sum"),
    ]
    by_status = {status: [line for line in outcome.lines if line.status == status] for status in WORDS}
    inside: list[Piece] = [_line(group) for group in gathered([*by_status["failed"], *by_status["unknown"]])]
    for source, words in LOOKED.items():
        chips = [_chip(line) for line in by_status["passed"] if line.source == source]
        inside += (
            [html.Div([html.Span(words, className="tv-cl-by"), *chips], className="tv-cl-passed")] if chips else []
        )
    return html.Details(
        [html.Summary(head), html.Div(inside, className="tv-pf-more")],
        open=is_open,
        className=f"tv-pf tv-pf-{outcome.status}",
        **{"data-fold": f"checklist {outcome.stage}"},
    )


def _is_found(outcome: StageOutcome) -> bool:
    return all(line.finding_id is not None for line in outcome.lines if line.status == "failed")


def _lead(outcome: StageOutcome) -> str:
    """What failed, by name; else how many lines are how."""
    failed = [title_of(line.name) for line in outcome.lines if line.status == "failed"]
    if not failed:
        return counted(line.status for line in outcome.lines)
    more = f" and {len(failed) - MOST_NAMED} more" if len(failed) > MOST_NAMED else ""
    return ", ".join(failed[:MOST_NAMED]) + more


def _line(lines: Sequence[ChecklistLine]) -> html.Div:
    first = lines[0]
    token, picture = MARKS[first.status]
    names: Piece = ", ".join(title_of(line.name) for line in lines)
    if first.finding_id is not None:
        names = html.Button(
            [names, icon("arrow-right", 13)], className="tv-cl-link", **{"data-finding": first.finding_id}
        )
    by = [html.Span("in the preflight", className="tv-cl-by")] if first.source == "preflight" != first.name else []
    summary = f"{first.summary[:1].upper()}{first.summary[1:]}"
    text = [
        html.Div([html.Span(names, className="tv-cl-names"), *by]),
        html.Div(summary, className="tv-cl-sum"),
        *(html.Div([icon("bulb", 14), html.Span(with_code(advice))], className="tv-advice") for advice in first.advice),
    ]
    mark = html.Span(icon(picture, 14), className=f"tv-pf-mark tv-{token}", title=WORDS[first.status])
    return html.Div([mark, html.Div(text, className="tv-cl-text")], className="tv-cl-line")


def _chip(line: ChecklistLine) -> html.Span:
    """What passed, in a word; why, under the pointer."""
    mark = html.Span(icon(MARKS["passed"][1], 12), className="tv-ok")
    return html.Span([mark, title_of(line.name)], className="tv-cl-chip", title=line.summary)
