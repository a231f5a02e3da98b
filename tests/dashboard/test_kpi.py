"""The row of key numbers: what is known, in the unit that stands beside it."""

from __future__ import annotations

import json

import pytest

from trainvitals.wire.answers import Curve, RunSummary
from trainvitals.wire.floats import Floats
from trainvitals_dashboard.parts.kpi import kpis


def curve(metric: str, *values: float) -> Curve:
    steps, points = list(range(len(values))), Floats.of(values)
    return Curve(
        run_id="r", metric=metric, steps=steps, last_steps=steps, low=points, mean=points, high=points,
        nonfinite=[0] * len(values),
    )  # fmt: skip


def tile(label: str, *curves: Curve) -> tuple[str, str, list[list[float]]]:
    """Number, unit and sparkline of a tile, which live updates find by its metric."""
    summary = RunSummary(run_id="r", project="p", name="n", status="running", created_at=0, heartbeat_at=0)
    row = kpis(summary, {one.metric or "": one for one in curves}, loss="loss")
    [found] = [one for one in row.children if one.children[0].children == label]
    _, (value, unit), spark = found.children[0], found.children[1].children, found.children[2]
    points = json.loads(getattr(spark, "data-points"))
    assert getattr(value, "data-kpi") == getattr(spark, "data-spark")
    return value.children, unit.children, points


def test_overhead_is_the_newest_share_in_percent() -> None:
    told, unit, points = tile("Overhead", curve("overhead_fraction", 0.5, 0.25, 0.01234))
    assert (told, unit) == ("1.23", "%")
    assert [value for _, value in points] == pytest.approx([0.5, 0.25, 0.01234])


def test_overhead_that_is_not_known_is_none() -> None:
    assert tile("Overhead", curve("loss", 1.0)) == ("–", "%", [])
    assert tile("Overhead", curve("overhead_fraction"))[:2] == ("–", "%")


def test_speed_is_of_steps_in_a_second() -> None:
    assert tile("Speed", curve("elapsed_seconds", 0.0, 0.5, 1.0))[:2] == ("2", "steps/s")
