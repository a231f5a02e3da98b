"""Findings: the timeline beside the curves, and one finding in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from dash import dcc, html

from trainvitals.wire.facts import is_fact
from trainvitals.wire.messages import Argument, Evidence, Finding, LayerInfo, OptimizerInfo
from trainvitals.wire.ordering import in_order
from trainvitals_dashboard import words
from trainvitals_dashboard.gathering import RunView
from trainvitals_dashboard.parts.cards import Piece, card, pill
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.parts.prose import with_code
from trainvitals_dashboard.parts.source import concerned, made_at
from trainvitals_dashboard.theme import STATUS

SHOWN: Final = 4  # that stand beside the curves; the gravest come first


def findings_of(view: RunView) -> html.Section:
    """The card of a run."""
    return findings_card(view.findings, muted=view.muted, project=view.detail.summary.project)


def findings_card(
    findings: Sequence[Finding], *, muted: Mapping[str, str] | None = None, project: str = ""
) -> html.Section:
    """All findings, open ones first; the gravest with evidence and advice, those beyond the first few folded in;
    beneath each what follows from it. In the end the rules that are ``muted``, and by whom."""
    path = f"/rules?project={quote(project, safe='')}"
    right = dcc.Link("Rules", href=path, className="tv-sub", title=f"Rules of {project}") if project else None
    ordered = [finding for finding, depth in in_order(findings) if not depth]
    opened = sum(finding.state != "resolved" for finding in findings)
    sub = f"{opened} open · {len(findings) - opened} resolved" if findings else None
    if not findings:
        body: Piece = [html.Span(icon("circle-check", 18), className="tv-ok"), html.Span("Nothing found so far.")]
        none = [html.Div(body, className="tv-none"), *_mutes(muted or {})]
        return card("Findings", none, right=right, name="tv-findings")
    items = [
        _item(finding, lead=index < 2 and finding.state != "resolved", follows=following(finding, findings))
        for index, finding in enumerate(ordered)
    ]
    shown = SHOWN if len(items) > SHOWN + 1 else len(items)  # one alone is as short as what would hide it
    beneath = [one for cause in ordered[shown:] for one in (cause, *following(cause, findings))]
    timeline = [html.Ol(items[:shown], className="tv-timeline"), *_folded(items[shown:], beneath)]
    return card("Findings", [*timeline, *_mutes(muted or {})], sub=sub, right=right, name="tv-findings")


def _folded(items: Sequence[html.Li], findings: Sequence[Finding]) -> list[Piece]:
    """The items, and above them how many findings they tell of."""
    if not items:
        return []
    counts = Counter(finding.severity for finding in findings if finding.state != "resolved")
    marks = [
        html.Span([icon(STATUS[severity][1], 13), str(count)], className=f"tv-{STATUS[severity][0]}", title=severity)
        for severity, count in counts.items()
    ]
    resolved = len(findings) - counts.total()
    rest = [html.Span(f"{resolved} resolved")] if resolved else []
    summary = html.Summary([html.Span(f"{len(findings)} more"), *marks, *rest])
    return [html.Details([summary, html.Ol(items, className="tv-timeline")], **{"data-fold": "findings"})]


def following(cause: Finding, findings: Sequence[Finding]) -> list[Finding]:
    """All that follows from a finding, by whatever way, nearest first."""
    near = [finding for finding in findings if finding.cause_id == cause.finding_id]
    return near + [further for finding in near for further in following(finding, findings)]


def finding_in_full(
    finding: Finding,
    chart: Piece,
    *,
    among: Sequence[Finding] = (),
    layers: Sequence[LayerInfo] = (),
    optimizers: Sequence[OptimizerInfo] = (),
) -> list[Piece]:
    """The drawer's content: summary, where its ``layers`` or the ``optimizers`` are made, evidence, causes, advice,
    what is its cause and what follows from it ``among`` the run's findings, and the way to the rule's page."""
    top = [pill(finding.severity), html.Span(_span(finding), className="tv-num tv-dim"), _state(finding)]
    chips = [
        html.Div([html.Div(label, className="tv-kpi-l"), html.Div(value, className="tv-kpi-v tv-kpi-vs")])
        for label, value in evidence_chips(finding.evidence)
    ]
    return [
        html.Div(top, className="tv-dr-top"),
        html.P(finding.summary, className="tv-p"),
        html.Code(finding.where, className="tv-code"),
        *made_at(concerned(finding, layers, optimizers)),
        *joined("Follows from", [one for one in among if one.finding_id == finding.cause_id]),
        html.H3("Evidence", className="tv-h3"),
        html.Div(chips, className="tv-dr-kpis"),
        chart,
        *_causes(finding),
        *_listed("What to try", finding.advice, html.Ol),
        *joined("What follows from it", following(finding, among)),
        dcc.Link(["About this rule", icon("arrow-right", 15)], href=f"/rules/{finding.rule}", className="tv-more"),
    ]


def evidence_chips(evidence: Evidence) -> list[tuple[str, str]]:
    """(label, value) for people: the value that was judged, its threshold, and the rule's own numbers."""
    chips: list[tuple[str, str]] = []
    named = words.stat(evidence.stat) if evidence.stat else words.metric(evidence.metric) if evidence.metric else ""
    limit = "threshold"
    if evidence.value is not None and evidence.value not in evidence.numbers.values():  # the rule's own word is better
        chips.append((named or "value", words.number(evidence.value)))
    elif named and evidence.is_drawn and not is_fact(evidence.metric or ""):  # facts have the SDK's own words
        limit = f"threshold of {named[0].lower()}{named[1:]}"
    if evidence.threshold is not None:
        chips.append((limit, f"{evidence.comparison} {words.number(evidence.threshold)}"))
    return chips + [(label, words.number(value)) for label, value in evidence.numbers.items()]


def title_of(rule: str) -> str:
    """The name of a rule, or of a check, as a heading."""
    return rule.replace("_", " ").replace("-", " ").capitalize().replace(" rms", " RMS").replace("Non ", "Non-")


def _mutes(muted: Mapping[str, str]) -> list[Piece]:
    if not muted:
        return []
    rules = [
        html.Li([dcc.Link(title_of(rule), href=f"/rules/{rule}"), html.Span(f" {who}", className="tv-dim")])
        for rule, who in muted.items()
    ]
    return [html.Div(["Muted:", html.Ul(rules)], className="tv-mutes")]


def _item(finding: Finding, *, lead: bool, follows: Sequence[Finding]) -> html.Li:
    token, picture, word = STATUS[finding.severity]
    resolved = finding.state == "resolved"
    top = [
        html.Span(f"{word} · resolved" if resolved else word, className=f"tv-sev tv-{token}"),
        html.Span(_span(finding), className="tv-num tv-dim"),
    ]
    text: list[Piece] = [
        html.Div(top, className="tv-tl-top"),
        html.Div(title_of(finding.rule), className="tv-tl-title"),
        html.Code(finding.where, className="tv-code") if finding.where else None,
    ]
    if lead:
        text += _lead(finding)
    button = html.Button(text, className="tv-tl-btn", **{"data-finding": finding.finding_id})
    bullet = html.Span(icon(picture, 14), className=f"tv-tl-dot tv-{token}")
    beneath = [html.Div(["What follows from it: ", *_links(follows)], className="tv-tl-follows")] if follows else []
    text_and_more = html.Div([button, *beneath])
    looks = "tv-tl tv-tl-closed" if resolved else "tv-tl"
    return html.Li([bullet, text_and_more], className=looks, **{"data-key": finding.finding_id})


def _lead(finding: Finding) -> list[Piece]:
    chips = [
        html.Span([html.Span(label, className="tv-dim"), html.B(value, className="tv-num")], className="tv-ev")
        for label, value in evidence_chips(finding.evidence)[:4]
    ]
    advice = [
        html.Div([icon("bulb", 14), html.Span(with_code(line))], className="tv-advice") for line in finding.advice[:1]
    ]
    return [html.Div(finding.summary, className="tv-tl-sum"), html.Div(chips, className="tv-evs"), *advice]


def joined(title: str, findings: Sequence[Finding]) -> list[Piece]:
    """Findings under a heading, as buttons that open them; nothing where there are none."""
    if not findings:
        return []
    return [html.H3(title, className="tv-h3"), html.Div(_links(findings), className="tv-tl-follows")]


def _links(findings: Sequence[Finding]) -> list[Piece]:
    """Findings as buttons that open them."""
    return [
        html.Button(
            [icon(STATUS[finding.severity][1], 12), title_of(finding.rule)],
            className=f"tv-follow tv-{STATUS[finding.severity][0]}",
            title=finding.summary,
            **{"data-finding": finding.finding_id},
        )
        for finding in findings
    ]


def _causes(finding: Finding) -> list[Piece]:
    """Causes, the likeliest first, each with what the run says for or against it."""
    if not finding.causes:
        return []
    argued = {argument.cause: argument for argument in finding.arguments}
    lines = [html.Li([*with_code(cause), *_argument(argued.get(cause))]) for cause in finding.causes]
    return [html.H3("Causes, the likeliest first", className="tv-h3"), html.Ol(lines, className="tv-ol")]


def _argument(argument: Argument | None) -> list[Piece]:
    if argument is None:
        return []
    word = html.B(argument.likelihood, className=f"tv-odds tv-odds-{argument.likelihood}")
    return [html.Div([word, html.Span(f": {argument.because}")], className="tv-argument")]


def _listed(title: str, lines: Sequence[str], kind: type[html.Ul] | type[html.Ol]) -> list[Piece]:
    if not lines:
        return []
    return [html.H3(title, className="tv-h3"), kind([html.Li(with_code(line)) for line in lines], className="tv-ol")]


def _span(finding: Finding) -> str:
    if finding.state != "resolved":
        return f"since step {finding.first_step:,}"
    return f"step {finding.first_step:,} – {finding.last_step:,}"


def _state(finding: Finding) -> html.Span:
    return html.Span(finding.state, className="tv-dim")
