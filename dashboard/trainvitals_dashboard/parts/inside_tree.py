"""The model's structure: modules as a tree with shapes and parameters; those that were looked into can be chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from dash import html

from trainvitals.wire.answers import LookedAt
from trainvitals_dashboard.inside_view import InsideView, layers_of
from trainvitals_dashboard.parts.addresses import layer_path, layer_word
from trainvitals_dashboard.parts.cards import Piece, card
from trainvitals_dashboard.parts.frozen import frozen
from trainvitals_dashboard.parts.inside_layer import size
from trainvitals_dashboard.parts.layer_rows import LayerRow, count
from trainvitals_dashboard.parts.model_tree import FEW, Node, tree_of


def structure_card(run_id: str, rows: Sequence[LayerRow], view: InsideView) -> html.Section:
    """``rows``: of the layers that the model declares."""
    seen = {one.layer: one for one in layers_of(view.looks)}
    known = {row.name for row in rows}
    whole = [*rows, *(LayerRow(name=name) for name in seen if name not in known)]
    if not whole:
        return card("Structure", html.Div("The model is not known yet: watch it.", className="tv-none"))
    parameters = sum(row.parameters for row in rows)
    total = f"{len(rows)} layers · {count(parameters)} parameters" if parameters else f"{len(rows)} layers"
    is_open = len(whole) <= FEW
    nodes = [_node(run_id, node, seen, chosen=view.layer, is_open=is_open) for node in tree_of(whole)]
    tree = html.Div(frozen("inside-tree", html.Div(nodes, className="tv-tree")), className="tv-tree-scroll")
    return card("Structure", tree, sub=total, name="tv-treecard tv-in-tree")


def _node(run_id: str, node: Node, seen: Mapping[str, LookedAt], *, chosen: str, is_open: bool) -> Piece:
    if not node.children:
        return _leaf(run_id, node, seen, chosen=chosen)
    rows = node.rows()
    line = [
        html.Code(node.label, className="tv-tn-name"),
        html.Span(count(sum(row.parameters for row in rows)), className="tv-num tv-tn-size"),
    ]
    own = [_leaf(run_id, node, seen, chosen=chosen)] if node.row is not None else []
    inner = [_node(run_id, child, seen, chosen=chosen, is_open=is_open) for child in node.children.values()]
    is_block = node.label.rpartition(".")[2].isdigit()
    holds_chosen = any(row.name == chosen for row in rows)
    return html.Details(
        [html.Summary(line, className="tv-tn"), html.Div([*own, *inner], className="tv-tn-in")],
        open=is_open or not is_block or holds_chosen,
        **{"data-fold": f"inside {node.path}"},
    )


def _leaf(run_id: str, node: Node, seen: Mapping[str, LookedAt], *, chosen: str) -> html.A:
    row = node.row
    assert row is not None  # a leaf was made for a row
    told = seen.get(row.name)
    shape = size(told.shape[1:]) if told and len(told.shape) > 1 else ""
    line = [
        html.Code(node.label or layer_word(""), className="tv-tn-name"),
        html.Span(row.kind, className="tv-tn-kind"),
        html.Span(shape, className="tv-num tv-in-shape", title="what it gives out for an example") if shape else None,
        html.Span(count(row.parameters), className="tv-num tv-tn-size", title=f"{row.parameters:,} parameters"),
    ]
    if told is None:
        return html.A(
            line, href=layer_path(run_id, row.name), className="tv-tn tv-in-unseen",
            title=f"{row.name}: was not looked into; its stats", **{"data-go": ""},
        )  # fmt: skip
    current = {"aria-current": "true"} if row.name == chosen else {}
    return html.A(
        line, href=f"?layer={quote(row.name, safe='')}", className="tv-tn tv-in-seen", title=row.name,
        **{"data-inside-layer": row.name}, **current,
    )  # fmt: skip
