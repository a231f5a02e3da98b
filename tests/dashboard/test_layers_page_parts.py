"""The pages of layers: how the model is laid out, what is said of each layer, and where its page is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from trainvitals.wire.answers import Curve, FindingList, Heatmap, RunDetail, RunSummary, Snapshot
from trainvitals.wire.floats import Floats
from trainvitals.wire.messages import Evidence, Finding, FindingState, LayerInfo, Severity
from trainvitals_dashboard.figures.heat import rows_of as rows_of_heatmap
from trainvitals_dashboard.figures.heat import scale
from trainvitals_dashboard.parts.addresses import layer_at, layer_path, run_at, run_path
from trainvitals_dashboard.parts.layer_body import layer_card, neighbours
from trainvitals_dashboard.parts.layer_charts import layer_charts, newest_of, stat_figures
from trainvitals_dashboard.parts.layer_rows import count, picked, rows_of
from trainvitals_dashboard.parts.layers_body import LayersView, body, heat_figure
from trainvitals_dashboard.parts.model_strip import health_pills, model_strip
from trainvitals_dashboard.parts.model_tree import Node, model_tree, tree_of
from trainvitals_dashboard.parts.run_tabs import TABS, run_tabs
from trainvitals_dashboard.parts.snapshot_table import numbers_of, snapshot_table

NAN = float("nan")
NAMES = ["embed", *(f"blocks.{block}.{part}" for block in range(20) for part in ("attn", "mlp")), "head"]


def detail(*names: str, recorded: list[str] | None = None) -> RunDetail:
    summary = RunSummary(run_id="r", project="p", name="n", status="running", created_at=0, heartbeat_at=0)
    layers = [LayerInfo(name=name, kind="Linear", parameters=1000, trainable=1000) for name in names]
    return RunDetail(summary=summary, layers=layers, recorded_layers=list(names) if recorded is None else recorded)


def finding(severity: Severity, *layers: str, stat: str | None = None, state: FindingState = "open") -> Finding:
    return Finding(
        finding_id=f"{severity} {layers}", run_id="r", rule="dead_activations", severity=severity, state=state,
        layers=list(layers), first_step=1, last_step=2, summary="s", evidence=Evidence(stat=stat),
    )  # fmt: skip


def found(*findings: Finding, **health: int) -> FindingList:
    return FindingList(findings=list(findings), layer_health=health)


def snapshot(layers: list[str], **stats: list[float]) -> Snapshot:
    told = {stat: Floats.of(values) for stat, values in stats.items()}
    return Snapshot(run_id="r", step=1200, layers=layers, stats=told)


def traversed(piece: Any) -> list[Any]:
    return [piece, *piece._traverse()]


def with_class(piece: Any, name: str) -> list[Any]:
    return [part for part in traversed(piece) if name in str(getattr(part, "className", "")).split()]


def data(piece: Any, name: str) -> list[str]:
    return [getattr(part, f"data-{name}") for part in traversed(piece) if hasattr(part, f"data-{name}")]


def text(piece: Any) -> str:
    if isinstance(piece, str):
        return piece
    inner = piece if isinstance(piece, list) else getattr(piece, "children", None) or []
    return " ".join(filter(None, map(text, inner if isinstance(inner, list) else [inner])))


@pytest.mark.parametrize("name", ["blocks.0.mlp", "", "(model)", "a/b", "päck.0", "50%"])
def test_every_layer_has_an_address_that_leads_back_to_it(name: str) -> None:
    path = layer_path("r", name)
    assert (path.count("/"), layer_at(path.rpartition("/")[2])) == (4, name)


def test_layers_that_were_declared_and_those_that_were_recorded_are_told_of() -> None:
    rows = rows_of(detail("a", "b", recorded=["a", "late"]), found(finding("critical", "a"), a=30))
    assert [(row.name, row.state, row.health) for row in rows] == [
        ("a", "critical", 30),
        ("b", "unknown", 100),
        ("late", "ok", 100),
    ]


def test_the_worst_come_first_and_equals_stay_as_the_model_has_them() -> None:
    findings = found(finding("critical", "c"), finding("warning", "b"), finding("info", "d"), b=75, c=30, d=98)
    rows = rows_of(detail("a", "b", "c", "d"), findings)
    assert [row.name for row in picked(rows, order="trouble")] == ["c", "b", "d", "a"]


def test_a_search_looks_into_names_in_whatever_case() -> None:
    assert [row.name for row in picked(rows_of(detail(*NAMES), found()), text=" Blocks.7.M ")] == ["blocks.7.mlp"]


def test_what_was_not_recorded_is_said_to_be_and_not_to_be_well() -> None:
    run = detail("a", "b", recorded=["a"])
    rows = rows_of(run, found())
    assert text(health_pills(rows)) == "1 without findings 1 not recorded"
    told = [text(layer_card(run, rows, name, has_numbers=True)) for name in "ab"]
    assert ["not recorded" in one for one in told] == [False, True]
    assert ["of 100" in one for one in told] == [True, False]


def test_a_layer_of_which_no_number_was_recorded_has_no_health() -> None:
    run = detail("a", recorded=["a"])
    told = text(layer_card(run, rows_of(run, found()), "a", has_numbers=False))
    assert "not known" in told
    assert "of 100" not in told


def test_layers_that_were_recorded_and_not_declared_are_counted() -> None:
    run = RunDetail(summary=detail().summary, recorded_layers=["a", "b"])
    assert with_class(body(LayersView(detail=run))[0], "tv-sub")[0].children == "2 layers"


def test_keys_lead_through_the_tree_and_not_through_the_strip_too() -> None:
    strip = model_strip("r", rows_of(detail("a", "b"), found()))
    assert [part.tabIndex for part in traversed(strip) if hasattr(part, "href")] == [-1, -1]


def test_the_tree_nests_by_dots_and_writes_a_lone_child_in_one_with_its_parent() -> None:
    def shape(node: Node) -> Any:
        return {node.label: [shape(child) for child in node.children.values()]} if node.children else node.label

    rows = rows_of(detail("net.body.0.a", "net.body.0.b", "net.body.1.a", "head"), found())
    assert [shape(node) for node in tree_of(rows)] == [{"net.body": [{"0": ["a", "b"]}, "1.a"]}, "head"]


def test_a_part_is_as_ill_as_the_worst_layer_in_it_in_words_and_as_an_icon() -> None:
    rows = rows_of(detail(*NAMES), found(finding("critical", "blocks.7.mlp"), finding("warning", "blocks.7.attn")))
    folds = [part for part in traversed(model_tree("r", rows, searched=False)) if hasattr(part, "data-fold")]
    blocks, seventh = folds[0], next(fold for fold in folds if getattr(fold, "data-fold") == "layers blocks.7")
    assert [with_class(fold.children[0], "tv-lmark")[0].title for fold in (blocks, seventh)] == ["Critical"] * 2
    assert "Critical · 2" in text(seventh.children[0])


def test_numbered_blocks_of_a_large_model_are_folded_until_one_searches() -> None:
    rows = rows_of(detail(*NAMES), found())
    folded, opened = (model_tree("r", rows, searched=searched) for searched in (False, True))
    assert sum(part.open for part in traversed(folded) if hasattr(part, "open")) == 1
    assert sum(part.open for part in traversed(opened) if hasattr(part, "open")) == 21


def test_a_layer_that_holds_others_keeps_its_own_link() -> None:
    tree = model_tree("r", rows_of(detail("attn", "attn.out"), found()), searched=False)
    assert [part.href for part in traversed(tree) if hasattr(part, "href")] == [
        "/runs/r/layers/attn",
        "/runs/r/layers/attn.out",
    ]


def test_parameters_are_told_in_three_digits() -> None:
    assert [count(number) for number in (0, 12, 1234, 5_670_000)] == ["", "12", "1.23 k", "5.67 M"]


def test_what_a_layer_does_not_have_is_no_number_and_what_was_lost_is_not_hidden() -> None:
    told = numbers_of(snapshot(["relu", "lost"], grad_norm=[NAN, NAN], grad_nonfinite=[0, 3], activation_std=[1, NAN]))
    assert told["relu"]["grad_norm"] is None
    assert told["lost"]["grad_norm"] is not None  # NaN
    assert told["lost"]["activation_std"] is None


def test_the_table_marks_the_number_that_a_finding_was_made_by() -> None:
    ill = finding("warning", "b", stat="grad_norm")
    rows = rows_of(detail("a", "b"), found(ill))
    (table,) = snapshot_table("r", rows, snapshot(["a", "b"], grad_norm=[0.1, 9e6], update_ratio=[1e-3, 2e-3]))
    marked = with_class(table, "tv-snap-ill")
    assert [text(button) for button in marked] == ["9.0e6"]
    assert data(marked[0], "finding") == [ill.finding_id]
    assert "Warning: Dead activations" in marked[0].title


def test_the_table_keeps_the_order_in_which_layers_are_shown() -> None:
    rows = picked(rows_of(detail("a", "b"), found(finding("critical", "b"))), order="trouble")
    (table,) = snapshot_table("r", rows, snapshot(["a", "b"], grad_norm=[1, 2]))
    assert data(table, "snap") == ["b", "a"]


def heatmap(stat: str, values: list[list[float]]) -> Heatmap:
    mean = np.asarray(values, "<f4")
    names, steps = [f"l{row}" for row in range(len(mean))], list(range(mean.shape[1]))
    floats = Floats(mean.tobytes())
    bad = (~np.isfinite(mean)).astype(int).ravel().tolist()
    return Heatmap(
        run_id="r", stat=stat, layers=names, steps=steps, last_step=9, mean=floats, high=floats, nonfinite=bad
    )


@pytest.mark.parametrize(
    ("stat", "values", "ends"),
    [
        ("activation_mean", [[-0.3, 0.1]], ("div", -0.5, 0.5)),
        ("dead_fraction", [[0.0, 0.2]], ("seq", 0.0, 1.0)),
        ("grad_nonfinite", [[0.0, 0.0]], ("seq", 0.0, 1.0)),
        ("attention_logit_max", [[3.0, 17.0]], ("seq", 0.0, 20.0)),
    ],
)
def test_what_may_be_zero_or_negative_is_coloured_by_its_value(
    stat: str, values: list[list[float]], ends: tuple[str, float, float]
) -> None:
    colours = scale(heatmap(stat, values))
    assert (colours.kind, colours.low, colours.high, colours.log) == (*ends, False)


def test_the_heatmap_holds_the_layers_that_were_searched_for_alone() -> None:
    whole = heatmap("grad_norm", [[1, 2], [3, NAN], [5, 6]])
    one = rows_of_heatmap(whole, {"l1"})
    assert (one.layers, one.mean.tolist()[0], one.nonfinite) == (["l1"], 3.0, [0, 1])
    view = LayersView(detail=detail("l0", "l1", "l2"), heatmap=whole, text="nothing of the kind")
    assert "live" not in heat_figure(view).layout.meta


def test_a_heatmap_without_rows_waits_for_numbers_of_the_layers_that_it_would_show() -> None:
    def awaited(whole: Heatmap | None) -> Any:
        view = LayersView(detail=detail("l0", "l1", "l2"), stat="zero_fraction", heatmap=whole, text="l1")
        live = heat_figure(view).layout.meta["live"]
        return live["heat"], live["layers"], live.get("awaits", "nothing")

    without = heatmap("zero_fraction", [[1, 1], [NAN, NAN], [1, 1]])
    assert awaited(without) == ("zero_fraction", [], ["l1"])
    assert awaited(None) == ("zero_fraction", [], None)  # any number of the stat: nothing was recorded yet
    assert awaited(heatmap("zero_fraction", [[1, 1], [1, 1], [1, 1]])) == ("zero_fraction", ["l1"], "nothing")


def test_a_run_that_watches_no_model_is_told_how_to() -> None:
    assert "run.watch(model, optimizer)" in text(body(LayersView(detail=detail()))[0])


def curve(stat: str, values: list[float], *, first: int = 0) -> Curve:
    steps, floats = list(range(first, first + len(values))), Floats.of(values)
    return Curve(
        run_id="r", stat=stat, layer="a", steps=steps, last_steps=steps, low=floats, mean=floats, high=floats,
        nonfinite=[0] * len(steps),
    )  # fmt: skip


def test_all_charts_of_a_layer_span_the_same_steps_and_follow_its_stats() -> None:
    curves = {"grad_norm": curve("grad_norm", [1, 2], first=5), "weight_norm": curve("weight_norm", [1.0] * 41)}
    figures = stat_figures("a", curves, {})
    assert {figure.layout.xaxis.autorangeoptions.include for figure in figures.values()} == {(0, 40)}
    assert {figure.layout.meta["live"]["layer"] for figure in figures.values()} == {"a"}
    assert {line["metric"] for line in figures["grad_norm"].layout.meta["live"]["lines"]} == {"grad_norm"}


def test_curves_stand_in_groups_each_with_its_newest_value() -> None:
    curves = {stat: curve(stat, [1, 2.5]) for stat in ("update_ratio", "zero_fraction", "grad_norm")}
    cards = layer_charts("a", curves, newest_of("a", curves, None))
    assert [getattr(card, "aria-label") for card in cards] == ["Activations", "Gradients", "Weights and updates"]
    assert [text(part) for part in with_class(cards[0], "tv-at")] == ["2.5"]


def test_the_newest_value_is_that_of_the_newest_snapshot_where_a_curve_is_thinned() -> None:
    whole, rare = curve("grad_norm", [1, 2.5]), curve("dead_fraction", [0.25])
    thin = {"grad_norm": replace(whole, bucket=4), "dead_fraction": replace(rare, bucket=4), "weight_norm": whole}
    newest = newest_of("a", thin, snapshot(["a"], grad_norm=[9.0], weight_norm=[8.0], dead_fraction=[NAN]))
    assert newest == {"grad_norm": (1200, 9.0), "dead_fraction": (0, 0.25), "weight_norm": (1, 2.5)}
    assert stat_figures("a", thin, newest)["grad_norm"].layout.meta["newest"] == [1200, "9"]


def test_a_layer_without_curves_has_no_figures() -> None:
    assert stat_figures("a", {}, {}) == {}


def test_a_run_of_any_name_has_an_address() -> None:
    odd = "50% of ä/b"
    path = run_path(odd)
    assert (path.count("/"), run_at(path.rpartition("/")[2])) == (2, odd)
    links = [part.href for part in traversed(run_tabs(odd)) if hasattr(part, "href")]
    assert links == [path, *(f"{path}/{tab}" for tab in TABS if tab)]


def test_a_layer_leads_to_its_neighbours_and_the_last_one_to_no_next() -> None:
    rows = rows_of(detail("a", "b", "c"), found())
    ways = [[part.href for part in traversed(neighbours("r", rows, name)) if hasattr(part, "href")] for name in "bc"]
    back = "/runs/r/layers"
    assert ways == [[back, f"{back}/a", f"{back}/c"], [back, f"{back}/b"]]
