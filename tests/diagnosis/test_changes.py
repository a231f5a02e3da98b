"""What changed between two runs, and where their losses part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trainvitals.wire.answers import Curve, MetricLast, RunDetail, RunSummary
from trainvitals.wire.checklist import Change, Changes, Parting
from trainvitals.wire.floats import Floats
from trainvitals.wire.messages import LayerInfo, OptimizerInfo, ParameterGroup
from trainvitals_server.diagnosis.changes import changes, first_batch, is_like
from trainvitals_server.diagnosis.parting import parting

CHECKSUM, MEAN, STD = "facts/input_checksum", "facts/input_mean", "facts/input_std"


def run(*, last: dict[str, float] | None = None, **more: Any) -> RunDetail:
    points = {name: MetricLast(step=9, value=value) for name, value in (last or {}).items()}
    summary = RunSummary(
        run_id="r", project="p", name="n", status="finished", created_at=0, heartbeat_at=0, last=points
    )
    return RunDetail(summary=summary, **more)


def linear(name: str, *, parameters: int = 20, **more: Any) -> LayerInfo:
    return LayerInfo(name=name, kind="Linear", parameters=parameters, trainable=parameters, **more)


def adam(lr: float, decay: float = 0.0) -> list[OptimizerInfo]:
    return [OptimizerInfo(kind="Adam", groups=[ParameterGroup(settings={"lr": lr, "weight_decay": decay})])]


def told(found: list[Change]) -> list[tuple[str, str | None, str | None]]:
    return [(change.name, change.before, change.now) for change in found]


def test_two_runs_that_are_alike_differ_in_nothing() -> None:
    same: dict[str, Any] = {
        "config": {"lr": 0.1, "nan": float("nan")}, "optimizers": adam(0.1), "layers": [linear("0")],
        "environment": {"torch": "2.9", "revision": "abc"}, "last": {"facts/classes": 10.0},
    }  # fmt: skip

    found = changes(run(**same), run(**same))

    assert found == Changes(run_id="r", against=run(**same).summary, unknown=["data"])


@pytest.mark.parametrize(("share", "alike"), [(1.0, True), (0.5, True), (0.25, False), (0.0, False)])
def test_models_are_alike_that_have_half_of_their_layers_in_common(share: float, alike: bool) -> None:
    ours = [linear(f"{place}") for place in range(8)]
    theirs = [linear(f"{place}" if place < 8 * share else f"other.{place}") for place in range(8)]
    assert is_like(run(layers=ours), run(layers=theirs)) is alike


def test_what_was_recorded_of_neither_run_is_not_said_to_be_the_same() -> None:
    data = {"config": {"dataset": "digits"}}
    assert changes(run(), run()).unknown == ["code", "data"]
    assert changes(run(environment={"revision": "a"}), run()).unknown == ["code", "data"]
    assert changes(run(**data, environment={"revision": "a"}), run(**data, environment={"revision": "b"})).unknown == []


def test_settings_that_were_added_removed_or_changed_are_named_by_their_way() -> None:
    before = run(config={"optimizer": {"lr": 0.001, "kind": "adam"}, "epochs": 3, "width": 64})
    now = run(config={"optimizer": {"lr": 0.1, "kind": "adam"}, "warmup": [1, 2], "width": 64.0}, planned_steps=500)

    assert told(changes(now, before).settings) == [
        ("optimizer.lr", "0.001", "0.1"),
        ("warmup", None, "[1, 2]"),
        ("epochs", "3", None),
        ("planned steps", None, "500"),
    ]


def test_settings_of_data_stand_with_what_was_seen_of_the_data() -> None:
    before = run(config={"data": "digits v2", "metadata": True}, last={"facts/rows": 64.0})
    now = run(config={"data": "digits v3", "metadata": False}, last={"facts/rows": 32.0})

    found = changes(now, before, batch=Change(name="first batch", before="a", now="b"))

    assert told(found.settings) == [("metadata", "True", "False")]
    assert [change.name for change in found.data] == ["data", "rows of a batch", "first batch"]
    assert told(found.data)[1] == ("rows of a batch", "64", "32")


def test_optimizers_differ_in_kind_and_in_what_their_groups_are_set_to() -> None:
    sgd = [OptimizerInfo(kind="SGD", groups=[ParameterGroup(settings={"lr": 1.0})] * 2)]

    assert told(changes(run(optimizers=adam(0.1)), run(optimizers=adam(0.001))).optimizers) == [("lr", "0.001", "0.1")]
    assert [change.name for change in changes(run(optimizers=sgd), run(optimizers=adam(1.0))).optimizers] == [
        "optimizer", "group 0.lr", "group 1.lr", "lr", "weight_decay",
    ]  # fmt: skip


def test_code_and_environment_are_told_apart_and_what_always_differs_is_left_out() -> None:
    before = run(
        environment={"revision": "abc", "command": ["train.py"], "pid": 1, "torch": "2.8", "packages": {"numpy": "1"}}
    )
    now = run(
        environment={
            "revision": "abc-dirty", "diff": "0123", "command": ["train.py", "--lr", "1"], "pid": 2, "torch": "2.9",
            "packages": {"numpy": "2"}, "cuda": None,
        },
        last={"system/gpu1_power_watts": 5.0, "system/gpu1_memory_bytes": 5.0},
    )  # fmt: skip

    found = changes(now, before)

    assert told(found.code) == [
        ("revision", "abc", "abc-dirty"), ("diff", None, "0123"), ("command", "train.py", "train.py --lr 1"),
    ]  # fmt: skip
    assert told(found.environment) == [
        ("torch", "2.8", "2.9"), ("packages.numpy", "1", "2"), ("GPUs in use", None, "1"),
    ]  # fmt: skip


def test_layers_that_differ_alike_are_one_change() -> None:
    before = [linear("body.0"), LayerInfo(name="drop", kind="Dropout", settings={"p": 0.1}), linear("head")]
    now = [
        *[linear(f"body.{place}") for place in range(4)],
        LayerInfo(name="drop", kind="Dropout", settings={"p": 0.5}),
        linear("head", parameters=30),
    ]

    assert told(changes(run(layers=now), run(layers=before)).layers) == [
        ("body.1–3", None, "Linear, 20 parameters"),
        ("drop", "p 0.1", "p 0.5"),
        ("head", "20 parameters", "30 parameters"),
    ]


def test_a_layer_that_is_frozen_or_forgotten_has_changed() -> None:
    frozen = LayerInfo(name="0", kind="Linear", parameters=20, trainable=0, in_optimizer=False)
    forgotten = linear("0", in_optimizer=False)

    for now, word in ((frozen, "0 trainable"), (forgotten, "in no optimizer")):
        ((_, _, said),) = told(changes(run(layers=[now]), run(layers=[linear("0")])).layers)
        assert word in (said or "")


def test_first_batches_are_told_by_what_was_seen_of_them() -> None:
    known = {CHECKSUM: 1.5, MEAN: 0.0, STD: 1.0}

    assert first_batch(known, known) is None
    assert first_batch(known, {}) is None
    assert first_batch({CHECKSUM: 120.0, MEAN: 33.0, STD: 78.0}, known) == Change(
        name="first batch", before="mean 0, deviation 1, checksum 1.5", now="mean 33, deviation 78, checksum 120"
    )


def curve(values: NDArray[Any], *, every: int = 1, bucket: int = 1) -> Curve:
    steps, floats = list(range(0, len(values) * every, every)), Floats.of(values.tolist())
    return Curve(
        run_id="r", metric="loss", steps=steps, last_steps=steps, low=floats, mean=floats, high=floats,
        nonfinite=[0] * len(values), bucket=bucket,
    )  # fmt: skip


def parted(now: NDArray[Any], before: NDArray[Any]) -> Parting:
    a, b = curve(now), curve(before)
    found = parting(a, b, first_now=a, first_before=b)
    assert found is not None
    return found


def falling(points: int = 400, *, seed: int = 0) -> NDArray[Any]:
    noise = np.random.default_rng(seed).standard_normal(points)
    return 0.2 + 2 * np.exp(-np.arange(points) / 60) + 0.05 * noise


def test_losses_that_are_the_same_do_not_part() -> None:
    found = parted(falling(), falling())

    assert (found.same_until, found.apart_from, found.step) == (399, None, 399)


@pytest.mark.parametrize("seed", range(8))
def test_losses_of_another_seed_stay_close(seed: int) -> None:
    found = parted(falling(seed=seed + 100), falling(seed=seed))

    assert (found.same_until, found.apart_from) == (None, None)


@pytest.mark.parametrize("at", [60, 200, 300])
def test_a_loss_that_leaves_parts_where_it_leaves(at: int) -> None:
    before, now = falling(), falling()
    now[at:] += np.minimum(1.0, 0.05 * np.arange(len(now) - at))

    found = parted(now, before)

    assert found.same_until == at
    assert at - 15 <= (found.apart_from or 0) <= at + 25
    assert float(found.now) > float(found.before) + 0.5


def test_a_loss_that_is_no_number_any_more_parts() -> None:
    now = falling()
    now[150:] = np.nan

    found = parted(now, falling())

    assert (found.same_until, found.now) == (149, "NaN")
    assert 130 <= (found.apart_from or 0) <= 160


def test_a_loss_that_came_back_has_not_parted() -> None:
    now = falling()
    now[100:150] += 3.0

    assert parted(now, falling()).apart_from is None


def test_only_steps_that_both_have_are_compared() -> None:
    whole = falling()
    a, b = curve(whole[:100]), curve(whole[::2], every=2)

    found = parting(a, b, first_now=a, first_before=b)

    assert found is not None
    assert (found.step, found.apart_from, found.same_until) == (99, None, 98)


def test_a_run_without_steps_parts_from_nothing() -> None:
    empty = curve(np.empty(0))

    assert parting(empty, curve(falling()), first_now=empty, first_before=curve(falling())) is None
