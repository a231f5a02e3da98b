"""Findings as lanes below one another: a bar for as long as each lasts, with marks for what became of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dash import html

from trainvitals.wire.messages import Finding, FindingEvent, Severity
from trainvitals.wire.ordering import in_order
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.timeline import Extent
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.findings import title_of
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.theme import STATUS

GRAVITY: Final[dict[Severity, int]] = {"info": 0, "warning": 1, "critical": 2}
KINDS: Final[dict[str, tuple[str, str]]] = {  # of marks: (icon, word)
    "found": ("", "Found"),  # in the shape of its severity
    "graver": ("arrow-up", "Grew graver"),
    "milder": ("arrow-down", "Grew milder"),
    "acknowledged": ("eye", "Acknowledged"),
    "snoozed": ("moon", "Snoozed"),
    "resolved": ("check", "Resolved"),
    "reopened": ("rotate", "Open again"),
    "comment": ("message", "Comment"),
}
NEAR: Final = 0.025  # of the axis: marks that are nearer stand side by side
MOST_TOGETHER: Final = 5
EDGE: Final = 0.04  # of the axis: what is nearer to an end stands within it
DEEPEST: Final = 3  # beyond it lanes are not indented further


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that became of a finding, by its ``kind``, at a step."""

    kind: str
    step: int
    event: FindingEvent


def lanes(findings: Sequence[Finding], extent: Extent, *, chosen: str = "") -> html.Ol:
    """A lane for each, causes first, what follows from them beneath; the ``chosen`` one stands out."""
    items = [
        html.Li(_lane(finding, extent, depth=depth, is_chosen=finding.finding_id == chosen))
        for finding, depth in in_order(findings)
    ]
    return html.Ol(items, className="tv-lanes")


def marks_of(finding: Finding) -> list[Mark]:
    """Its history in marks; what an older server wrote down without a step is left out, but that it was found."""
    found: list[Mark] = []
    before: FindingEvent | None = None
    for event in finding.history:
        step = event.step if before is not None or event.step is not None else finding.opened_step
        if step is not None:
            found.append(Mark(kind=_kind(event, before), step=step, event=event))
        before = event
    return found


def _kind(event: FindingEvent, before: FindingEvent | None) -> str:
    if before is None:
        return "found"
    if event.state == "open" and GRAVITY[event.severity] > GRAVITY[before.severity]:
        return "graver"
    if event.state != before.state:
        return "reopened" if event.state == "open" else event.state
    if event.severity != before.severity:
        return "graver" if GRAVITY[event.severity] > GRAVITY[before.severity] else "milder"
    return "comment" if event.comment else event.state if event.state != "open" else "reopened"


def _lane(finding: Finding, extent: Extent, *, depth: int, is_chosen: bool) -> html.Button:
    token, picture, word = STATUS[finding.severity]
    title, state = title_of(finding.rule), finding.state
    name = [
        html.Span(icon(picture, 15), className=f"tv-{token}", title=word),
        html.Span(
            [html.Span(title, className="tv-lane-title"), html.Span(_under(finding), className="tv-lane-under")],
            className="tv-lane-text",
        ),
    ]
    label = html.Span(name, className="tv-lane-name", style={"--depth": min(depth, DEEPEST)})
    said = f"{word}: {title}, {state}, from step {finding.first_step:,} to {_end(finding, extent.last):,}"
    return html.Button(
        [label, html.Span(_track(finding, extent, token), className="tv-lane-track")],
        className=f"tv-lane tv-lane-{finding.severity} tv-lane-is-{state}",
        **{"data-finding": finding.finding_id, "aria-pressed": str(is_chosen).lower(), "aria-label": said},
    )


def _under(finding: Finding) -> str:
    """Where it is, and what state it is in unless it is simply open."""
    state = [] if finding.state == "open" else [finding.state]
    return " · ".join([*state, *([finding.where] if finding.where else [])]) or f"since step {finding.first_step:,}"


def _end(finding: Finding, now: int) -> int:
    """What is not over goes on until now."""
    return finding.last_step if finding.state == "resolved" else max(finding.last_step, now)


def _track(finding: Finding, extent: Extent, token: str) -> list[Piece]:
    grid = [html.I(className="tv-lane-tick", style={"left": _percent(extent.share(at))}) for at in extent.ticks()]
    marks, stood = marks_of(finding), spans(finding, now=extent.last)
    whole = (stood[0][0], max([stood[-1][1], *(mark.step for mark in marks)]))
    bars = [html.I(className=f"tv-lane-bar tv-{token}", style=_between(span, extent)) for span in stood]
    if finding.state != "resolved":
        bars[-1].className += " tv-lane-bar-on"
    thread = html.I(className=f"tv-lane-thread tv-{token}", style=_between(whole, extent))
    return [*grid, thread, *bars, *(_cluster(group, extent) for group in _together(marks, extent))]


def spans(finding: Finding, *, now: int) -> list[tuple[int, int]]:
    """From which step to which it stood, by its history: once, and again each time that it came back. What is not over
    goes on until the step ``now``; the last time ends when the symptom was there last, be it resolved later."""
    marks = marks_of(finding)
    begun: int | None = min([finding.first_step, *(mark.step for mark in marks[:1])])
    stood: list[tuple[int, int]] = []
    for mark in marks:
        if mark.event.state == "resolved":
            stood += [(begun, max(begun, mark.step))] if begun is not None else []
            begun = None
        elif begun is None:
            begun = finding.first_step if finding.first_step > stood[-1][1] else mark.step
    if begun is not None:
        return [*stood, (begun, max(begun, _end(finding, now)))]
    *before, (first, last) = stood
    return [*before, (first, max(first, min(last, finding.last_step)))]


def _between(span: tuple[int, int], extent: Extent) -> dict[str, str]:
    low, high = (extent.share(step) for step in span)
    return {"left": _percent(low), "width": _percent(high - low)}


def _together(marks: Sequence[Mark], extent: Extent) -> list[list[Mark]]:
    groups: list[list[Mark]] = []
    for mark in sorted(marks, key=lambda mark: mark.step):
        if groups and extent.share(mark.step) - extent.share(groups[-1][0].step) < NEAR:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    return groups


def _cluster(marks: Sequence[Mark], extent: Extent) -> html.Span:
    """Side by side at the first one's step; of many the first and the newest."""
    shown = marks if len(marks) <= MOST_TOGETHER else [marks[0], *marks[len(marks) - MOST_TOGETHER + 1 :]]
    at = extent.share(marks[0].step)
    side = " tv-marks-l" if at < EDGE else " tv-marks-r" if at > 1 - EDGE else ""
    return html.Span([_mark(one) for one in shown], className=f"tv-marks{side}", style={"left": _percent(at)})


def _mark(mark: Mark) -> html.Span:
    event = mark.event
    token, of_severity, severity = STATUS[event.severity]
    picture, word = KINDS[mark.kind]
    who = f" by {event.by}" if event.by else ""
    ago = words.duration(max(0.0, time.time() - event.at))
    said = f"{word}{who} at step {mark.step:,}, {ago} ago: {severity.lower()}"
    said += f"\n{event.comment}" if event.comment else ""
    return html.Span(icon(picture or of_severity, 12), className=f"tv-mark tv-mark-{mark.kind} tv-{token}", title=said)


def _percent(share: float) -> str:
    return f"{100 * share:.3f}%"
