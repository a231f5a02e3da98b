"""The model as a tree of dotted names, each node as ill as the worst layer in it; or its layers as a list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from dash import html

from trainvitals_dashboard.parts.addresses import layer_path, layer_word
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.layer_rows import ILL, LayerRow, count, mark, trouble, worst

FEW: Final = 30  # layers whose whole tree is seen at once
FEW_ILL: Final = 6


@dataclass(slots=True, kw_only=True)
class Node:
    """A part of the model: ``label`` within the part above, its ``path`` from the top, the layer of that name if there
    is one, and the parts in it."""

    label: str
    path: str
    row: LayerRow | None = None
    children: dict[str, Node] = field(default_factory=dict)

    def rows(self) -> list[LayerRow]:
        """The layer of its name, and all layers in it."""
        own = [self.row] if self.row else []
        return own + [row for child in self.children.values() for row in child.rows()]


def tree_of(rows: Iterable[LayerRow]) -> list[Node]:
    """The uppermost parts, in the model's order. A part that holds one other and nothing else is written in one with
    it: "model.encoder"."""
    top = Node(label="", path="")
    for row in rows:
        node = top
        for part in row.name.split("."):
            path = f"{node.path}.{part}" if node is not top else part
            node = node.children.setdefault(part, Node(label=part, path=path))
        node.row = row
    return [_joined(child) for child in top.children.values()]


def _joined(node: Node) -> Node:
    while node.row is None and len(node.children) == 1:
        (child,) = node.children.values()
        node = Node(label=f"{node.label}.{child.label}", path=child.path, row=child.row, children=child.children)
    node.children = {label: _joined(child) for label, child in node.children.items()}
    return node


def model_tree(run_id: str, rows: Sequence[LayerRow], *, searched: bool) -> html.Div:
    """The tree. Numbered blocks are folded where there are many layers, but not what was ``searched`` for, nor what is
    ill where that is little."""
    is_open = searched or len(rows) <= FEW
    ill = [row for row in rows if row.state in ILL]
    opened = frozenset(ILL if len(ill) <= FEW_ILL else ())
    nodes = [_node(run_id, node, is_open=is_open, opened=opened, searched=searched) for node in tree_of(rows)]
    return html.Div(nodes, className="tv-tree")


def flat_list(run_id: str, rows: Sequence[LayerRow]) -> html.Div:
    """The layers as they come, each by its whole name."""
    return html.Div([_leaf(run_id, row, layer_word(row.name)) for row in rows], className="tv-tree")


def _node(run_id: str, node: Node, *, is_open: bool, opened: frozenset[str], searched: bool) -> Piece:
    if not node.children:
        assert node.row is not None  # a node without children was made for a row
        return _leaf(run_id, node.row, node.label or layer_word(""))
    rows = node.rows()
    state, named = worst(rows), len({finding.finding_id for row in rows for finding in row.findings})
    line = [
        mark(state),
        html.Code(node.label, className="tv-tn-name"),
        html.Span(node.row.kind, className="tv-tn-kind") if node.row else None,
        trouble(state, named),
        _size(sum(row.parameters for row in rows)),
    ]
    # a link within the line that folds could not be reached by all
    own = [_leaf(run_id, node.row, "itself", title=f"{node.row.name}: the layer itself")] if node.row else []
    inner = own + [
        _node(run_id, child, is_open=is_open, opened=opened, searched=searched) for child in node.children.values()
    ]
    # what was folded by hand stays folded; a search opens all
    fold = {"data-fold": f"layers {'found ' if searched else ''}{node.path}"}
    is_block = node.label.rpartition(".")[2].isdigit()
    return html.Details(
        [html.Summary(line, className="tv-tn"), html.Div(inner, className="tv-tn-in")],
        open=is_open or not is_block or state in opened,
        **fold,
    )


def _leaf(run_id: str, row: LayerRow, label: str, *, title: str = "") -> html.A:
    line = [
        mark(row.state),
        html.Code(label, className="tv-tn-name"),
        html.Span(row.kind, className="tv-tn-kind"),
        trouble(row.state, len(row.findings)),
        _size(row.parameters) if row.parameters else None,
    ]
    path = layer_path(run_id, row.name)
    return html.A(line, href=path, className="tv-tn", title=title or row.name, **{"data-go": ""})


def _size(parameters: int) -> html.Span:
    return html.Span(count(parameters), className="tv-num tv-tn-size", title=f"{parameters:,} parameters")
