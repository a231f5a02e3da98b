"""What changed since the project's last healthy run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from dash import dcc, html

from trainvitals.wire.checklist import Change, Changes, LayerDifference, LayerParting, Parting
from trainvitals_dashboard import words
from trainvitals_dashboard.parts.addresses import run_path
from trainvitals_dashboard.parts.cards import Piece, card
from trainvitals_dashboard.parts.health import score, told_health
from trainvitals_dashboard.parts.icons import icon

SHOWN: Final = 8  # of a kind; the others are folded in
KINDS: Final = ("settings", "code", "data", "environment", "layers")  # in words


def changes_card(found: Changes) -> Piece:
    """What differs, kind by kind, and where losses and layers part; nothing without a healthy run."""
    against = found.against
    if against is None:
        return None
    kinds = {
        "Settings": found.settings,
        "Optimizer": found.optimizers,
        "Code": found.code,
        "Data": found.data,
        "Layers": found.layers,
        "Environment": found.environment,
    }
    said = [parting_said(found.parting)] if found.parting is not None else []
    said += layers_said(found.layer_parting) if found.layer_parting is not None else []
    body: list[Piece] = [html.P(sentence, className="tv-ch-said") for sentence in said]
    body += [part for kind, differing in kinds.items() if differing for part in _kind(kind, differing)]
    if not any(kinds.values()):
        body.append(html.P(_all_the_same(found.unknown), className="tv-ch-said"))
    compare = dcc.Link(
        [icon("git-compare", 14), "Curves"],
        href=f"/compare?runs={quote(f'{against.run_id},{found.run_id}', safe=',')}",
        className="tv-ch-link",
        title="Both losses in one chart",
    )
    other = dcc.Link(against.name, href=run_path(against.run_id), className="tv-ch-link")
    sub = ["since ", other, f", health {score(against)}" if told_health(against) is not None else ""]
    return card("What changed", body, sub=sub, right=compare, name="tv-changes")


def _all_the_same(unknown: Sequence[str]) -> str:
    """Of what is known."""
    known = [kind for kind in KINDS if kind not in unknown]
    said = f"{', '.join(known[:-1])} and {known[-1]} are the same.".capitalize()
    return f"{said} Of {' and '.join(unknown)} it is not known." if unknown else said


def parting_said(parting: Parting) -> str:
    """Where the losses part, in a sentence."""
    before, now = words.number(parting.before), words.number(parting.now)
    at = f"{now} now, {before} then, around step {parting.step:,}"
    same = f"are the same to the last bit up to step {parting.same_until:,}" if parting.same_until is not None else ""
    if parting.same_until == parting.step:
        return f"The losses {same}, the last that both have."
    apart = f"part from step {parting.apart_from:,} on" if parting.apart_from is not None else "stay close"
    return f"The losses {f'{same}, and ' if same else ''}{apart}: {at}."


def layers_said(parting: LayerParting) -> list[str]:
    """Where the layers part, in a sentence or two."""
    said: list[str] = []
    if parting.first is not None:
        said.append(f"Layers: the first to differ at all is {_layer(parting.first, 'at')}.")
    elif parting.same_steps is not None:
        said.append(f"Layers are told the same, to the last bit, up to step {parting.same_steps:,}.")
    if parting.apart is not None:
        said.append(f"The first layer to go another way is {_layer(parting.apart, 'from')}.")
    elif parting.compared_until is not None and parting.first is not None:
        said.append(
            f"None stays at less than half or more than twice what it was, up to step {parting.compared_until:,}."
        )
    return said


def _layer(one: LayerDifference, since: str) -> str:
    also = f", and {one.layers - 1:,} more with it" if one.layers > 1 else ""
    values = f"{words.number(one.now)} now, {words.number(one.before)} then"
    values += ", by medians" if since == "from" else ""
    return f"{one.layer}, by its {words.stat(one.stat).lower()} {since} step {one.step:,}: {values}{also}"


def _kind(kind: str, differing: Sequence[Change]) -> list[Piece]:
    shown, more = differing[:SHOWN], differing[SHOWN:]
    rows: list[Piece] = [html.H3(kind, className="tv-h3"), _rows(shown)]
    if more:
        inside = [html.Summary(f"{len(more)} more"), _rows(more)]
        rows.append(html.Details(inside, className="tv-details", **{"data-fold": f"changes {kind}"}))
    return rows


def _rows(differing: Sequence[Change]) -> html.Dl:
    return html.Dl(
        [part for change in differing for part in (html.Dt(change.name), html.Dd(_values(change)))], className="tv-ch"
    )


def _values(change: Change) -> list[Piece]:
    if change.before is None:
        return [html.Span("new ", className="tv-dim"), html.B(change.now)]
    if change.now is None:
        return [html.Span("gone, was ", className="tv-dim"), change.before]
    return [html.Span(change.before, className="tv-dim"), icon("arrow-right", 12), html.B(change.now)]
