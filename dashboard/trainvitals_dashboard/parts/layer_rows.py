"""What lists of layers tell of each: what it is, how well it is, and which findings name it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dash import html

from trainvitals.wire.answers import FindingList, RunDetail
from trainvitals.wire.messages import Finding
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.layers import GRAVITY, states_of
from trainvitals_dashboard.theme import STATUS

Order = Literal["model", "trouble"]
ORDERS: Final[dict[Order, str]] = {"model": "Model order", "trouble": "Worst first"}
ILL: Final = ("critical", "warning")
NOT_RECORDED: Final = ("fg-3", "help-circle", "Not recorded")
_LARGE: Final = ((1e9, "B"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """A layer. ``state``: "critical", "warning", "ok" or "unknown" as its open ``findings`` have it, the gravest first;
    ``health``: 0 to 100."""

    name: str
    kind: str = ""
    parameters: int = 0
    state: str = "unknown"
    health: int = 100
    findings: tuple[Finding, ...] = ()


def rows_of(detail: RunDetail, found: FindingList) -> list[LayerRow]:
    """All layers that were declared or recorded, in the model's order."""
    declared = {layer.name: layer for layer in detail.layers}
    names = list(dict.fromkeys([*declared, *detail.recorded_layers]))
    states = states_of(names, detail.recorded_layers, found.findings)
    concerning: dict[str, list[Finding]] = {}
    for finding in found.findings:
        for name in finding.layers if finding.state != "resolved" else ():
            concerning.setdefault(name, []).append(finding)
    return [
        LayerRow(
            name=name,
            kind=declared[name].kind if name in declared else "",
            parameters=declared[name].parameters if name in declared else 0,
            state=states[name],
            health=found.layer_health.get(name, 100),
            findings=tuple(concerning.get(name, ())),
        )
        for name in names
    ]


def picked(rows: Sequence[LayerRow], *, text: str = "", order: Order = "model") -> list[LayerRow]:
    """Those whose name holds ``text``, in whatever case; as the model has them, or the worst first."""
    wanted = text.strip().lower()
    found = [row for row in rows if wanted in row.name.lower()]
    return found if order == "model" else sorted(found, key=_trouble)


def order_of(word: str) -> Order:
    """An address may hold anything."""
    return "trouble" if word == "trouble" else "model"


def worst(rows: Iterable[LayerRow]) -> str:
    """The gravest state."""
    return min((row.state for row in rows), key=GRAVITY.__getitem__, default="unknown")


def mark(state: str, *, size: int = 14) -> html.Span:
    """A state as an icon; its word is for screen readers and the pointer. One element, for there are thousands."""
    token, picture, word = STATUS.get(state, NOT_RECORDED)
    style = {"--i": f"url(/assets/icons/{picture}.svg)", "width": size, "height": size}
    return html.Span(
        className=f"tv-icon tv-lmark tv-{token}", style=style, title=word, role="img", **{"aria-label": word}
    )


def trouble(state: str, findings: int) -> Piece:
    """The state in words with how many findings are open; nothing where all is well."""
    if not findings:
        return None
    token, _, word = STATUS[state if state in ILL else "info"]
    title = "1 open finding" if findings == 1 else f"{findings} open findings"
    return html.Span(f"{word} · {findings}", className=f"tv-lill tv-{token}", title=title)


def count(parameters: int) -> str:
    """A number of parameters in three digits: "1.23 M"; nothing for none."""
    if not parameters:
        return ""
    for size, letter in _LARGE:
        if parameters >= size:
            return f"{parameters / size:.3g} {letter}"
    return str(parameters)


def _trouble(row: LayerRow) -> tuple[int, int, int]:
    return GRAVITY[row.state], row.health, -len(row.findings)
