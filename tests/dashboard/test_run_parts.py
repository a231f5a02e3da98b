"""What the page of a run asks for, and how it tells settings, metrics and times."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import Response

from trainvitals.wire import coding
from trainvitals.wire.answers import Curve, FindingList, RunDetail, RunSummary
from trainvitals.wire.floats import Floats
from trainvitals.wire.messages import Problem
from trainvitals.wire.notes import Alert, MetricDefinition, Notes
from trainvitals_dashboard.api import Api, ApiError
from trainvitals_dashboard.gathering import MOST_OTHERS, RunView, gather_run, loss_metric
from trainvitals_dashboard.parts.alerts import alerts_card
from trainvitals_dashboard.parts.metrics_card import metrics_card, parts_card, small_charts
from trainvitals_dashboard.parts.results import results
from trainvitals_dashboard.parts.run_charts import loss_figure, loss_key
from trainvitals_dashboard.parts.run_head import head
from trainvitals_dashboard.parts.settings_card import flat, settings_card
from trainvitals_dashboard.words import LOST


def detail(*metrics: str, **more: Any) -> RunDetail:
    summary = RunSummary(run_id="r", project="p", name="n", status="running", created_at=0, heartbeat_at=0)
    return RunDetail(**{"summary": summary, "metrics": list(metrics), **more})


def curve(metric: str) -> Curve:
    ones = Floats.of([1.0, 2.0])
    return Curve(
        run_id="r", metric=metric, steps=[0, 1], last_steps=[0, 1], low=ones, mean=ones, high=ones, nonfinite=[0, 0]
    )


def server(run: RunDetail, *, broken: str = "") -> FastAPI:
    """Answers as the real one does; a question for the curve of ``broken`` is answered with 500."""
    app = FastAPI()

    def answer(message: object, *, status: int = 200) -> Response:
        return Response(coding.encode(message), status_code=status, media_type=coding.MSGPACK)

    def problem(status: int) -> Response:
        said = coding.encode(
            Problem(type="about:blank", title="No", status=status, detail="no"), media_type=coding.JSON
        )
        return Response(said, status_code=status, media_type="application/problem+json")

    @app.get("/api/v1/runs/{run_id}")
    async def about(run_id: str) -> Response:
        return answer(run)

    @app.get("/api/v1/runs/{run_id}/curve")
    async def drawn(run_id: str, metric: str) -> Response:
        return problem(500) if metric == broken else answer(curve(metric))

    @app.get("/api/v1/runs/{run_id}/findings")
    async def found(run_id: str) -> Response:
        return answer(FindingList(findings=[]))

    @app.get("/api/v1/runs/{run_id}/{series}")
    async def nothing_yet(run_id: str, series: str) -> Response:
        return problem(404)

    return app


def gathered(run: RunDetail, *, broken: str = "") -> RunView:
    async def gather() -> RunView:
        return await gather_run(Api(server(run, broken=broken)), "r", stat="update_ratio")

    return asyncio.run(gather())


def parts(piece: Any, kind: str) -> list[Any]:
    return [part for part in piece._traverse() if type(part).__name__ == kind]


def table(card: Any) -> list[tuple[str, str]]:
    return [(row.children[0].children, row.children[1].children) for row in parts(card, "Tr")]


def test_what_has_a_place_of_its_own_is_not_drawn_twice() -> None:
    own = ["loss", "val_loss", "lr", "lr/1", "grad_norm", "elapsed_seconds", "overhead_fraction", "dropped_snapshots"]
    assert gathered(detail(*own, "accuracy")).others == ["accuracy"]


def test_what_only_sounds_like_the_sdks_own_is_drawn() -> None:
    assert gathered(detail("loss", "lr/head", "grad_norm/0.weight", "val/loss", "val_loss")).others == [
        "lr/head",
        "grad_norm/0.weight",
        "val/loss",
    ]


def test_facts_are_for_the_rules_and_not_drawn() -> None:
    assert gathered(detail("loss", "facts/accuracy", "facts/input_std", "accuracy")).others == ["accuracy"]
    assert loss_metric(detail("facts/loss", "reward")) == "reward"


def test_without_a_loss_the_first_metric_of_the_users_own_stands_in() -> None:
    assert loss_metric(detail("elapsed_seconds", "lr", "lr/1", "reward")) == "reward"
    assert gathered(detail("reward", "length")).others == ["length"]
    assert loss_metric(detail()) == "loss"


def test_losses_are_what_the_script_says_before_what_names_say() -> None:
    said = {"objective": MetricDefinition(role="loss"), "*/unseen": MetricDefinition(role="validation_loss")}
    view = gathered(detail("loss", "val_loss", "objective", "my/unseen", notes=Notes(metrics=said)))
    lines = {line["metric"] for line in loss_figure(view).layout.meta["live"]["lines"]}
    assert (view.loss, lines) == ("objective", {"objective", "my/unseen"})


def test_of_many_metrics_some_are_drawn_with_the_way_to_all() -> None:
    names = [f"m{index:02d}" for index in range(MOST_OTHERS + 2)]
    view = gathered(detail("loss", *names))
    card = metrics_card(view)
    assert (view.others, view.more) == (names[:MOST_OTHERS], names[MOST_OTHERS:])
    assert len(parts(card, "Graph")) == MOST_OTHERS
    (link,) = parts(card, "Link")
    assert (link.href, link.children) == ("/runs/r/metrics", "All 27 metrics")
    assert "24 of 26 logged" in [span.children for span in parts(card, "Span")]


def test_no_card_where_nothing_else_was_logged() -> None:
    assert metrics_card(gathered(detail("loss", "lr"))) is None


class TestPartsOfTheLoss:
    def test_data_and_regularisation_are_drawn_side_by_side(self) -> None:
        view = gathered(detail("loss", "loss/data", "loss/regularisation", "weight_decay_penalty", "accuracy"))
        card = parts_card(view)
        (plot,) = parts(card, "Graph")
        assert view.others == ["accuracy"]
        assert {line["metric"] for line in plot.figure.layout.meta["live"]["lines"]} == {
            "loss/data",
            "loss/regularisation",
            "weight_decay_penalty",
        }
        assert [key.children[-1] for key in parts(card, "Span") if isinstance(key.children, list)] == [
            "data",
            "regularisation",
            "Weight decay ½ λ‖w‖²",
        ]

    def test_what_weight_decay_adds_is_drawn_beside_the_whole(self) -> None:
        assert gathered(detail("loss", "weight_decay_penalty")).parts == ["loss", "weight_decay_penalty"]

    def test_no_card_where_the_loss_is_one_thing(self) -> None:
        assert parts_card(gathered(detail("loss", "loss/train", "loss/val", "loss/total", "lossy/a"))) is None
        assert parts_card(gathered(detail("weight_decay_penalty"))) is None

    def test_more_parts_than_colours_have_charts_of_their_own(self) -> None:
        view = gathered(detail("loss", *(f"loss/{index}" for index in range(6)), "weight_decay_penalty"))
        assert view.parts == ["loss/0", "loss/1", "loss/2", "loss/3", "weight_decay_penalty"]
        assert view.others == ["loss/4", "loss/5"]


def test_schedules_of_the_optimizer_stand_with_the_loop() -> None:
    view = gathered(detail("loss", "momentum", "beta1/1", "weight_decay"))
    assert (view.loop, view.others) == (["momentum", "weight_decay"], [])


def test_metrics_that_differ_by_a_sign_have_plots_of_their_own() -> None:
    names = ["accuracy", "a.b", "a-b", "a/b", "{a}", "a%2Eb"]
    ids = [plot.id for plot in parts(metrics_card(gathered(detail("loss", *names))), "Graph")]
    assert len(set(ids)) == len(names)
    assert ids[0] == "g-metric-accuracy"
    assert not [name for name in ids if "." in name or "{" in name]


def test_a_small_chart_follows_its_metric() -> None:
    card = metrics_card(gathered(detail("loss", "accuracy")))
    followed = parts(card, "Graph")[0].figure.layout.meta["live"]["lines"]
    assert {line["metric"] for line in followed} == {"accuracy"}


def test_a_server_that_fails_is_not_taken_for_one_that_has_nothing() -> None:
    with pytest.raises(ApiError):
        gathered(detail("loss", "accuracy"), broken="accuracy")


def test_the_only_loss_there_is_does_not_stand_beside_itself() -> None:
    alone, both = gathered(detail("val_loss")), gathered(detail("loss", "val_loss"))
    assert "validation" not in [trace.name for trace in loss_figure(alone).data]
    assert "validation" in [trace.name for trace in loss_figure(both).data]
    assert [len(loss_key(view).children) for view in (alone, both)] == [2, 3]


def test_settings_are_flat_and_as_they_were_given() -> None:
    config = {"optimizer": {"lr": 1e-3, "betas": [0.9, 0.999]}, "seed": None, "amp": True, "extra": {}, "tags": []}
    assert list(flat(config)) == [
        ("optimizer.lr", "0.001"),
        ("optimizer.betas", "[0.9, 0.999]"),
        ("seed", "None"),
        ("amp", "True"),
        ("extra", "{}"),
        ("tags", "[]"),
    ]


def test_a_key_with_a_dot_hides_no_nested_one() -> None:
    assert table(settings_card(detail(config={"a.b": 1, "a": {"b": 2}}))) == [("a.b", "1"), ("a.b", "2")]


def test_a_long_value_is_whole_in_its_title() -> None:
    cell = parts(settings_card(detail(config={"prompt": "word " * 100})), "Td")[0]
    assert cell.title == "word " * 100


def test_the_environment_is_folded_in_without_what_is_not_known() -> None:
    environment = {
        "torch": "2.9",
        "revision": None,
        "patch": "diff --git a/x b/x",
        "command": ["train.py", "--name", "a b"],
    }
    folded = parts(settings_card(detail(environment=environment)), "Details")[0]
    assert table(folded) == [("torch", "2.9"), ("command", "train.py --name 'a b'")]


def test_without_settings_the_card_says_how_to_give_them() -> None:
    card = settings_card(detail())
    assert [code.children for code in parts(card, "Code")] == ["config=", "tv.init"]
    assert not parts(card, "Details")


@pytest.mark.parametrize(("status", "words"), [("running", "running for 1 min"), ("failed", "ran for 30 s")])
def test_a_run_goes_on_being_timed_until_it_ends(status: Any, words: str) -> None:
    start = time.time() - 90
    summary = RunSummary(
        run_id="abc", project="p", name="n", status=status, created_at=start, heartbeat_at=start + 30,
        ended_at=None if status == "running" else start + 30,
    )  # fmt: skip
    spans = [span for piece in head(RunView(detail=detail(summary=summary))) for span in parts(piece, "Span")]
    [timed] = [span for span in spans if span.children == words]
    assert hasattr(timed, "data-elapsed") == (status == "running")
    assert [span.children for span in spans if getattr(span, "className", "") == "tv-id"] == ["abc"]


@pytest.mark.parametrize(("status", "words"), [("running", []), ("lost", [LOST]), ("finished", [])])
def test_a_lost_run_is_explained(status: Any, words: list[str]) -> None:
    summary = RunSummary(run_id="abc", project="p", name="n", status=status, created_at=0, heartbeat_at=30, data_at=20)
    pieces = head(RunView(detail=detail(summary=summary)))
    assert [
        div.children
        for piece in pieces
        for div in parts(piece, "Div")
        if getattr(div, "className", "") == "tv-explained"
    ] == words


def test_results_are_the_summary_and_what_definitions_single_out() -> None:
    notes = Notes(
        summary={"best": {"epoch": 3}},
        metrics={
            "val/*": MetricDefinition(summary="last"),
            "val/accuracy": MetricDefinition(goal="maximize"),
            "loss": MetricDefinition(summary="min,mean,copy"),
            "lr": MetricDefinition(step_metric="epoch"),
        },
    )
    view = gathered(detail("loss", "lr", "val/accuracy", "val/f1", notes=notes))
    assert results(view) == [
        ("best.epoch", "3"),
        ("loss · min", "1"),
        ("loss · mean", "1.5"),
        ("val/accuracy · max", "2"),
        ("val/f1 · last", "2"),
    ]


def test_results_stand_under_the_settings() -> None:
    card = settings_card(detail(config={"lr": 0.1}), [("best", "0.5")])
    assert table(card) == [("lr", "0.1"), ("best", "0.5")]
    assert [title.children for title in parts(card, "H3")] == ["Summary"]


def test_alerts_are_shown_newest_first_with_their_words() -> None:
    card = alerts_card([Alert(title="first", step=3), Alert(title="second", text="more", level="critical")])
    words = [div.children for div in parts(card, "Div") if isinstance(div.children, str)]
    assert words == ["second", "more", "first"]
    assert [span.children for span in parts(card, "Span") if "tv-sev" in (span.className or "")] == [
        "Critical",
        "Warning",
    ]


def test_no_card_where_nobody_was_alerted() -> None:
    assert alerts_card([]) is None


def test_gpus_stand_on_the_card_of_the_machine_in_their_order() -> None:
    ordered = ["cpu_percent", "gpu2_utilization_percent", "gpu2_memory_percent", "gpu10_power_watts"]
    view = gathered(detail(*(f"system/{name}" for name in ("gpu_mine", *reversed(ordered)))))
    assert view.loop == [f"system/{name}" for name in ordered]
    assert (view.loss, view.others) == ("system/gpu_mine", [])  # the only one that is somebody's own
    titles = [title.children for card in small_charts(view) for title in parts(card, "H3")]
    assert "GPU 10: power (W)" in titles
