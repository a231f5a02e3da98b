"""The model at a glance: a block × module matrix (or a strip) coloured by health, and the layers needing attention."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from dash import html

from trainvitals.wire.answers import RunDetail, Snapshot
from trainvitals.wire.messages import Finding
from trainvitals_dashboard import words
from trainvitals_dashboard.parts.cards import Piece, card, pill
from trainvitals_dashboard.parts.icons import icon
from trainvitals_dashboard.theme import STATUS

REPEATED: Final = 3  # blocks with the same modules make a matrix
MAX_BLOCKS: Final = 40  # more would make cells too small to hit
MAX_LISTED: Final = 60
TICK_EVERY: Final = 4
_BLOCK: Final = re.compile(r"^(?P<tower>.*?\.)?(?P<block>\d+)\.(?P<module>.+)$")
GRAVITY: Final = {"critical": 0, "warning": 1, "ok": 2, "unknown": 3}


def layers_card(detail: RunDetail, findings: Sequence[Finding], snapshot: Snapshot | None) -> html.Section:
    """Health of every layer as its open findings have it; grey where nothing was recorded."""
    states = health_of_layers(detail, findings)
    counts = Counter(states.values())
    pills = [pill(kind, str(counts[kind])) for kind in ("critical", "warning", "ok") if counts[kind]]
    if not states:
        return card("Layers", html.Div("No model was declared yet.", className="tv-none"), name="tv-layers")
    body = [*maps(states), html.Div(_attention(states, findings, _ratios(detail, snapshot)), className="tv-lrows")]
    return card(
        "Layers",
        body,
        sub="1 layer" if len(states) == 1 else f"{len(states)} layers",
        right=html.Span(pills, className="tv-pills"),
        name="tv-layers",
    )


def health_of_layers(detail: RunDetail, findings: Iterable[Finding]) -> dict[str, str]:
    """Layer → "critical", "warning", "ok" or "unknown", in the model's order."""
    names = detail.recorded_layers or [layer.name for layer in detail.layers]
    return states_of(names, detail.recorded_layers, findings)


def states_of(names: Sequence[str], recorded: Sequence[str], findings: Iterable[Finding]) -> dict[str, str]:
    """The same of these layers, in their order."""
    known = set(recorded)
    states = {name: "ok" if name in known else "unknown" for name in names}
    for finding in findings:
        if finding.state == "resolved" or finding.severity == "info":
            continue
        for name in finding.layers:
            if name in states and GRAVITY[finding.severity] < GRAVITY[states[name]]:
                states[name] = finding.severity
    return states


def maps(states: Mapping[str, str]) -> list[Piece]:
    """A matrix for each tower of repeated blocks, a strip for all other layers."""
    towers, rest = split_towers(list(states))
    pieces: list[Piece] = [_matrix(tower, blocks, states) for tower, blocks in towers.items()]
    if rest:
        pieces.append(html.Div([_cell(name, states[name]) for name in rest], className="tv-strip"))
    return pieces


def split_towers(names: Sequence[str]) -> tuple[dict[str, dict[int, dict[str, str]]], list[str]]:
    """Tower → block → module → layer, where at least three blocks repeat the same modules; and the layers left over."""
    towers: dict[str, dict[int, dict[str, str]]] = {}
    for name in names:
        if found := _BLOCK.match(name):
            blocks = towers.setdefault(found["tower"] or "", {})
            blocks.setdefault(int(found["block"]), {})[found["module"]] = name
    kept = {tower: blocks for tower, blocks in towers.items() if _repeats(blocks) and len(blocks) <= MAX_BLOCKS}
    taken = {name for blocks in kept.values() for modules in blocks.values() for name in modules.values()}
    return kept, [name for name in names if name not in taken]


def _repeats(blocks: Mapping[int, Mapping[str, str]]) -> bool:
    counts = Counter(module for modules in blocks.values() for module in modules)
    return len(blocks) >= REPEATED and max(counts.values()) >= REPEATED


def _matrix(tower: str, blocks: Mapping[int, Mapping[str, str]], states: Mapping[str, str]) -> html.Div:
    numbers = sorted(blocks)
    modules = list(dict.fromkeys(module for number in numbers for module in blocks[number]))
    cells: list[Piece] = [html.Div(tower.rstrip("."), className="tv-mm-t")]
    cells += [html.Div(str(number) if number % TICK_EVERY == 0 else "", className="tv-mm-h") for number in numbers]
    for module in modules:
        cells.append(html.Div(module, className="tv-mm-l", title=module))
        for number in numbers:
            name = blocks[number].get(module)
            cells.append(_cell(name, states[name]) if name else html.Div())
    columns = {"gridTemplateColumns": f"minmax(58px, max-content) repeat({len(numbers)}, minmax(0, 1fr))"}
    return html.Div(cells, className="tv-mmap", style=columns)


def _cell(name: str, state: str) -> html.Div:
    word = STATUS[state][2] if state in STATUS else "Not recorded"
    token = STATUS[state][0] if state in STATUS else "none"
    return html.Div(className=f"tv-mm tv-b-{token}", title=f"{name} · {word}", **{"data-layer": name})


def _attention(states: Mapping[str, str], findings: Sequence[Finding], ratios: Mapping[str, float]) -> list[Piece]:
    bad = sorted((name for name in states if states[name] in ("critical", "warning")), key=lambda n: GRAVITY[states[n]])
    if not bad:
        return [
            html.Div(
                [html.Span(icon("circle-check", 15), className="tv-ok"), "No layer needs attention."],
                className="tv-none",
            )
        ]
    rules = {
        name: finding.rule
        for finding in sorted(findings, key=lambda finding: GRAVITY.get(finding.severity, 2), reverse=True)
        if finding.state != "resolved"
        for name in finding.layers
    }
    return [_row(name, states[name], rules.get(name, ""), ratios.get(name)) for name in bad[:MAX_LISTED]]


def _row(name: str, state: str, rule: str, ratio: float | None) -> html.Button:
    token, picture, word = STATUS[state]
    parts = [
        html.Span(icon(picture, 14), className=f"tv-{token}", title=word),
        html.Code(name, className="tv-lname", title=name),
        html.Span(rule.replace("_", " ").replace("-", " "), className=f"tv-lnote tv-{token}"),
        html.Span(words.number(ratio), className="tv-num tv-lval", title="newest update ratio"),
    ]
    return html.Button(parts, className="tv-lrow", **{"data-layer": name, "data-key": f"row {name}"})


def _ratios(detail: RunDetail, snapshot: Snapshot | None) -> dict[str, float]:
    """The newest update ratio of layers that have one: a layer without parameters has none, and no NaN either."""
    if snapshot is None or "update_ratio" not in snapshot.stats:
        return {}
    trained = {layer.name for layer in detail.layers if layer.trainable}
    newest = zip(snapshot.layers, snapshot.stats["update_ratio"].tolist(), strict=True)
    return {name: ratio for name, ratio in newest if name in trained or not detail.layers}
