"""The page that compares runs says what differs, what is the same, and what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.dashboard.test_compare_figures import curve, heatmap
from tests.dashboard.test_preflight_card import parts, texts
from trainvitals.wire.answers import MetricLast, RunDetail, RunSummary
from trainvitals.wire.messages import OptimizerInfo, ParameterGroup
from trainvitals_dashboard.comparing import Compared, names_of
from trainvitals_dashboard.differences import differing, numeric
from trainvitals_dashboard.parts.compare_curves import CurveView, curves_card, curves_figure, run_list, run_numbers
from trainvitals_dashboard.parts.compare_head import THEIR_LOSS, metric_of, metrics, said
from trainvitals_dashboard.parts.compare_outcomes import left_out, outcome_cards
from trainvitals_dashboard.parts.compare_pair import drawn, pair_bar, pair_card, pair_said
from trainvitals_dashboard.parts.compare_settings import outcome_rows, settings_card, settings_table


def run(run_id: str, *, name: str = "", last: float | str = 1.0, **more: Any) -> RunDetail:
    summary = RunSummary(
        run_id=run_id,
        project="p",
        name=name or f"net {run_id}",
        status="finished",
        created_at=0,
        heartbeat_at=0,
        last={"loss": MetricLast(step=2, value=last)},
    )
    return RunDetail(**({"summary": summary, "metrics": ["loss"], "stats": ["grad_norm"]} | more))


def together(*details: RunDetail, metric: str = "loss", **more: Any) -> Compared:
    ids = [detail.summary.run_id for detail in details]
    logged = [detail.summary.run_id for detail in details if metric in detail.metrics]
    return Compared(
        **{
            "details": list(details),
            "places": {run_id: place for place, run_id in enumerate(ids)},
            "metrics": dict.fromkeys(ids, metric),
            "curves": {run_id: curve([3.0, 2.0, 1.0 + ids.index(run_id)]) for run_id in logged},
            "baseline": ids[0],
        }
        | more
    )


def test_only_settings_that_differ_are_told_kind_by_kind() -> None:
    same = {"width": 256, "nan": float("nan")}
    runs = [
        run(
            name,
            config={**same, "optimizer": {"lr": rate}},
            environment={"revision": name, "pid": rate, "torch": "2.8"},
            optimizers=[OptimizerInfo(kind="SGD", groups=[ParameterGroup(settings={"momentum": rate * 2})])],
        )
        for name, rate in (("a", 0.1), ("b", 0.2))
    ]
    told = {kind.name: [setting.name for setting in kind.settings] for kind in differing(runs)}

    assert told == {"Settings": ["optimizer.lr"], "Optimizer": ["momentum"], "Code": ["revision"], "Environment": []}


def test_a_setting_that_a_run_lacks_differs_and_is_a_dash() -> None:
    found = together(run("a", config={"lr": 1}), run("b"))
    (lr,) = differing(found.details)[0].settings

    assert (lr.words, lr.numbers) == (["1", None], [])
    assert settings_table(found, differing(found.details))["kinds"] == [
        {"name": "Settings", "rows": [["lr", ["1", None]]], "more": []}
    ]


def test_the_table_has_a_column_for_each_run_and_says_what_became_of_it() -> None:
    found = together(run("a"), run("b", metrics=[], last="NaN"), baseline="b")
    table = settings_table(found, [])

    assert [column["href"] for column in table["runs"]] == ["/runs/a", "/runs/b"]
    odd = settings_table(together(run("a/b?c")), [])
    assert odd["runs"][0]["href"] == "/runs/a%2Fb%3Fc"
    assert table["base"] == 1
    assert outcome_rows(found)[0] == ["Loss, last", ["1", "NaN"]]
    assert outcome_rows(found)[3][1][0]["word"] == "–"


def test_kinds_in_which_all_is_the_same_are_said_to_be() -> None:
    found = together(*(run(name, config={"lr": 1, "seed": seed}) for seed, name in enumerate("ab")))
    kinds = differing([replace(detail, environment={"torch": "2.8"}) for detail in found.details])

    said = texts(settings_card(found, kinds))
    assert "1 of 4" in said
    assert "The same in all: environment." in said


def test_an_optimizers_rate_that_repeats_the_scripts_is_one_number() -> None:
    runs = [
        run(
            name,
            config={"lr": rate, "on": bool(rate > 1)},
            optimizers=[OptimizerInfo(kind="SGD", groups=[ParameterGroup(settings={"lr": rate})])],
        )
        for name, rate in (("a", 1), ("b", 2.0))
    ]

    assert [setting.name for setting in numeric(differing(runs))] == ["lr"]


def test_runs_of_the_same_name_are_told_apart() -> None:
    assert names_of([("0123456789", "net"), ("abcdefghij", "net"), ("x", "other")]) == {
        "0123456789": "net · 01234567",
        "abcdefghij": "net · abcdefgh",
        "x": "other",
    }


def test_the_list_tells_last_values_and_how_far_they_are_from_the_baseline() -> None:
    rows = parts(run_list(together(run("a"), run("b", last=2.0)), ()), "Button")

    assert [texts(row) for row in rows] == [["net a", "1", "baseline"], ["net b", "2", "+1"]]


def test_numbers_are_told_by_run_so_that_rows_can_stay() -> None:
    assert run_numbers(together(run("a"), run("b", last=2.0))) == {"a": ["1"], "b": ["2", "+1"]}


def test_a_link_leads_to_a_run_whatever_its_id() -> None:
    (link,) = parts(run_list(together(run("a/b?c")), ()), "Link")

    assert link.href == "/runs/a%2Fb%3Fc"


def test_differences_have_no_switch_of_the_logarithmic_axis_but_keep_its_state() -> None:
    found = together(run("a"), run("b"))
    for differences in (False, True):
        view = CurveView(differences=differences, log=True)
        (switch,) = (one for one in parts(curves_card(found, view), "Switch") if one.id == "compare-log")
        assert (switch.checked, switch.disabled) == (True, differences)


def test_a_run_that_ended_in_nan_is_no_distance_from_the_baseline() -> None:
    broken = {"a": curve([3.0, 2.0]), "b": curve([3.0, float("nan")])}
    rows = list(parts(run_list(together(run("a"), run("b", last="NaN"), curves=broken), ["b"]), "Button"))

    assert texts(rows[1]) == ["net b", "NaN", "–"]
    assert [row.to_plotly_json()["props"]["aria-pressed"] for row in rows] == ["true", "false"]


def test_differences_are_told_in_the_title_and_have_no_logarithmic_axis() -> None:
    found = together(run("a"), run("b"), curves={"a": curve([9000.0, 1.0]), "b": curve([9000.0, 1.0])})
    view = CurveView(differences=True)

    assert "Loss, minus that of net a" in texts(curves_card(found, view))
    assert curves_figure(found, view).layout.yaxis.type is None
    assert curves_figure(found, CurveView()).layout.yaxis.type == "log"


def test_without_a_curve_of_the_baseline_there_is_no_difference() -> None:
    figure = curves_figure(together(run("a", metrics=[]), run("b")), CurveView(differences=True))

    assert [note.text for note in figure.layout.annotations] == ["no points"]


def test_what_is_missing_is_said() -> None:
    found = together(run("a"), run("b", metrics=[]), gone=["old"], beyond=3)

    assert texts(said(found)) == [
        "No longer there, deleted perhaps: old.",
        "At most 40 runs are compared: 3 more are left out.",
        "loss is not logged by net b.",
    ]


@pytest.mark.parametrize(
    ("logged", "theirs"), [(["train/loss", "train/loss"], "train/loss"), (["loss", "train/loss"], "Loss of each run")]
)
def test_the_first_metric_is_the_loss_of_each_run(logged: list[str], theirs: str) -> None:
    found = together(*(run(name, metrics=[loss, "lr"]) for name, loss in zip("ab", logged, strict=True)))

    assert metrics(found, "")[0] == {"value": THEIR_LOSS, "label": theirs}
    assert "lr" in [choice["value"] for choice in metrics(found, "")]


def test_a_metric_that_is_every_runs_loss_is_chosen_as_such() -> None:
    assert metric_of(together(run("a"), run("b")), "loss") == THEIR_LOSS
    assert metric_of(together(run("a"), run("b")), "lr") == "lr"


def test_the_colour_bar_says_that_cells_lie_beyond_it() -> None:
    wide = (heatmap({"a": [2.0] * 199 + [2.0**30]}), heatmap({"a": [1.0] * 200}))
    ratio, scale, _ = drawn(together(run("a"), run("b")), "grad_norm", wide)

    assert texts(pair_bar(ratio, scale)) == ["÷2 or more", "×1", "×2 or more"]
    assert "Colours end at ×2" in pair_said(together(run("a"), run("b")), ratio, scale, wide)


def test_layers_of_one_run_alone_are_counted() -> None:
    both = (heatmap({"a": [2.0], "b": [1.0]}), heatmap({"a": [1.0]}))
    found = together(run("x"), run("y"))
    ratio, scale, _ = drawn(found, "grad_norm", both)

    assert pair_said(found, ratio, scale, both) == (
        "1 layer and steps 0 to 0, as both have them. net y alone has 1 more."
    )


def test_two_runs_without_a_stat_in_common_are_told_to_have_none() -> None:
    assert "These runs have no stat of a layer in common." in texts(pair_card(together(run("a"), run("b")), "", None))


def test_outcomes_are_drawn_from_three_runs_on() -> None:
    runs = [run(name, config={"lr": rate}) for name, rate in (("a", 1), ("b", 2), ("c", 3))]
    settings = numeric(differing(runs))

    assert outcome_cards(together(*runs[:2]), settings, setting="", reading="last") is None
    titles = texts(list(parts(outcome_cards(together(*runs), settings, setting="", reading="last"), "H2")))
    assert titles == ["Outcome by setting", "All numbers that differ"]
    alike = outcome_cards(together(*runs), [], setting="", reading="last")
    assert "No setting that is a number differs" in texts(alike)[-1]


def test_a_run_without_a_point_is_named() -> None:
    found = together(run("a"), run("b", last="NaN"), run("c"))

    assert left_out(found, "last") == "Without a point, for it is no number: net b."
