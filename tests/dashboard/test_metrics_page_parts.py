"""The page of metrics: what stands where, what is told of each, and how a metric can be looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainvitals.wire.answers import Curve
from trainvitals.wire.floats import Floats
from trainvitals_dashboard.figures.metric import Clock, Look, metric_chart
from trainvitals_dashboard.parts.metric_groups import grouped, metric_controls, metric_groups, no_metrics
from trainvitals_dashboard.parts.metric_told import numbers, told

NAN = float("nan")


def curve(mean: list[float], *, low: list[float] | None = None, high: list[float] | None = None) -> Curve:
    steps = list(range(len(mean)))
    return Curve(
        run_id="r",
        metric="loss",
        steps=steps,
        last_steps=steps,
        low=Floats.of(low or mean),
        mean=Floats.of(mean),
        high=Floats.of(high or mean),
        nonfinite=[int(not np.isfinite(value)) for value in mean],
    )


def elapsed(seconds: list[float], *, every: int = 10) -> Curve:
    times, steps = Floats.of(seconds), [place * every for place in range(len(seconds))]
    return Curve(
        run_id="r", metric="elapsed_seconds", steps=steps, last_steps=steps, low=times, mean=times, high=times,
        nonfinite=[0] * len(steps),
    )  # fmt: skip


def parts(piece: Any, kind: str) -> list[Any]:
    return [part for part in piece._traverse() if type(part).__name__ == kind]


def note(values: list[float], *, log: bool = True) -> str:
    look, shown = Look(log=log), curve(values)
    return told(shown, metric_chart(shown, look=look, name="Loss"), newest=None, look=look)["note"]


class TestGroups:
    def test_metrics_without_a_prefix_come_first_and_what_the_sdk_tells_last(self) -> None:
        logged = ["system/cpu_percent", "facts/classes", "val/loss", "loss", "seconds/step", "train/loss", "accuracy"]
        assert list(grouped(logged)) == ["", "val/", "train/", "seconds/", "system/", "facts/"]
        assert grouped(logged)[""] == ["loss", "accuracy"]

    def test_numbers_in_names_are_sorted_as_numbers(self) -> None:
        assert grouped(["m/layer10", "m/layer2", "m/Layer1"])["m/"] == ["m/Layer1", "m/layer2", "m/layer10"]

    def test_each_metric_is_named_as_it_was_logged_and_as_it_is_called(self) -> None:
        assert metric_groups(["lr", "system/gpu0_power_watts"]) == [
            {"prefix": "", "title": "Without a prefix", "open": True, "metrics": [["lr", "Learning rate"]]},
            {
                "prefix": "system/",
                "title": "Machine",
                "open": True,
                "metrics": [["system/gpu0_power_watts", "GPU 0: power (W)"]],
            },
        ]

    def test_what_only_rules_read_is_folded(self) -> None:
        assert [group["open"] for group in metric_groups(["loss", "facts/classes"])] == [True, False]

    def test_before_the_first_metric_the_page_says_how_to_log_one(self) -> None:
        assert metric_groups([]) == []
        assert "run.log" in parts(no_metrics(), "Code")[0].children


class TestControls:
    def test_they_stand_as_the_address_has_them(self) -> None:
        query = {"text": "val", "smooth": "much", "y": "log", "x": "time"}
        controls = metric_controls(["loss", "elapsed_seconds"], query)
        assert {part.id: part.value for part in controls._traverse() if hasattr(part, "value")} == {
            "metrics-text": "val",
            "metrics-smooth": "much",
            "metrics-y": "log",
            "metrics-x": "time",
        }

    def test_an_address_that_says_nonsense_gives_the_usual_view(self) -> None:
        assert Look.of({"smooth": "very", "y": "7", "x": ""}) == Look()

    def test_without_times_of_steps_there_is_no_choice_of_time(self) -> None:
        controls = metric_controls(["loss"], {"x": "time"})
        (axis,) = [
            part for part in parts(controls, "Div") if getattr(part, "className", "") == "tv-mt-c" and part.hidden
        ]
        assert parts(axis, "SegmentedControl")[0].value == "step"


class TestNumbers:
    def test_the_lowest_and_the_highest_are_those_of_the_envelope(self) -> None:
        found = numbers(curve([2.0, 1.0, 3.0], low=[0.5, 1.0, 3.0], high=[2.0, 9.0, 3.0]))
        assert found == {"last": "3", "min": "0.5", "max": "9"}

    def test_the_newest_value_is_told_rather_than_a_mean(self) -> None:
        assert numbers(curve([2.0, 1.5]), newest=1.25)["last"] == "1.25"

    def test_a_metric_that_ended_in_nan_says_so(self) -> None:
        assert numbers(curve([2.0, NAN])) == {"last": "not finite", "min": "2", "max": "2"}

    def test_a_metric_without_points_has_dashes(self) -> None:
        assert set(numbers(curve([])).values()) == {"–"}

    def test_where_a_logarithmic_axis_has_no_place_for_the_values_it_is_said(self) -> None:
        assert note([1.0, 0.0]) == "linear: not all above 0"
        assert [note([1.0, 2.0]), note([1.0, 0.0], log=False), note([])] == ["", "", ""]


class TestCharts:
    def test_smoothed_the_values_as_logged_stay_in_view(self) -> None:
        shown = curve([float(step % 2) for step in range(400)])
        figure = metric_chart(shown, look=Look(smoothing="much"), name="Loss")
        lines = {trace.uid: trace for trace in figure.data}
        assert list(lines["s1-raw"].y[:2]) == [0.0, 1.0]
        assert lines["s1-raw"].opacity < 1
        assert 0.4 < lines["s1-smooth"].y[-1] < 0.6
        assert "smoothed" in lines["s1-smooth"].name

    def test_a_little_follows_more_closely_than_much(self) -> None:
        step_up = curve([0.0] * 500 + [1.0] * 20)
        little, much = (
            metric_chart(step_up, look=Look(smoothing=name), name="Loss").data[3].y[-1] for name in ("little", "much")
        )
        assert much < little < 1.0

    @pytest.mark.parametrize(("values", "axis"), [([0.02, 0.09], "log"), ([1.0, 1e4], "log"), ([1.0, -1.0], None)])
    def test_who_asks_for_a_logarithmic_axis_has_one_where_it_can_be(
        self, values: list[float], axis: str | None
    ) -> None:
        assert metric_chart(curve(values), look=Look(log=True), name="Loss").layout.yaxis.type == axis

    @pytest.mark.parametrize(
        ("values", "dtick"), [([0.011, 0.041], "L0.01"), ([1920.0, 2081.0], "L50"), ([0.1, 1.0], "D2"), ([1.0, 1e6], 2)]
    )
    def test_a_logarithmic_axis_has_labels_enough(self, values: list[float], dtick: object) -> None:
        assert metric_chart(curve(values), look=Look(log=True), name="Loss").layout.yaxis.dtick == dtick

    def test_by_steps_a_chart_grows_while_one_looks(self) -> None:
        figure = metric_chart(curve([1.0, 2.0]), look=Look(), name="Loss")
        assert {line["metric"] for line in figure.layout.meta["live"]["lines"]} == {"loss"}

    def test_by_time_points_stand_at_their_interpolated_times(self) -> None:
        clock = Clock.of(elapsed([0.0, 20.0, 30.0]))
        figure = metric_chart(curve([1.0] * 21), look=Look(by="time"), name="Loss", clock=clock)
        assert [figure.data[2].x[step] for step in (0, 5, 10, 15, 20)] == [0.0, 10.0, 20.0, 25.0, 30.0]
        assert figure.layout.xaxis.ticksuffix == " s"
        assert "live" not in figure.layout.meta

    def test_long_trainings_are_told_in_hours(self) -> None:
        clock = Clock.of(elapsed([0.0, 36_000.0]))
        figure = metric_chart(curve([1.0] * 11), look=Look(by="time"), name="Loss", clock=clock)
        assert (figure.data[2].x[-1], figure.layout.xaxis.ticksuffix) == (10.0, " h")

    def test_without_times_the_axis_is_of_steps(self) -> None:
        figure = metric_chart(curve([1.0, 2.0]), look=Look(by="time"), name="Loss", clock=Clock.of(elapsed([1.0])))
        assert list(figure.data[2].x) == [0, 1]


class TestClock:
    def test_time_goes_on_when_a_training_is_resumed(self) -> None:
        clock = Clock.of(elapsed([0.0, 100.0, 5.0, 15.0]))
        assert clock is not None
        assert clock.at(np.array([0.0, 10, 20, 30])).tolist() == [0.0, 100.0, 105.0, 115.0]

    def test_beyond_the_last_time_that_is_known_it_goes_on_as_before(self) -> None:
        clock = Clock.of(elapsed([0.0, 10.0]))
        assert clock is not None
        assert clock.at(np.array([15.0])).tolist() == [15.0]

    def test_epochs_go_on_evenly_between_the_steps_at_which_they_begin(self) -> None:
        clock = Clock.counted(curve([0.0] * 10 + [1.0] * 10 + [2.0] * 5), "epochs")
        assert clock is not None
        assert clock.at(np.array([0.0, 5, 10, 20, 25])).tolist() == [0.0, 0.5, 1.0, 2.0, 2.5]

    def test_what_is_counted_anew_stands_still_until_it_is_more(self) -> None:
        clock = Clock.counted(curve([0.0, 100.0, 200.0, 0.0, 150.0, 300.0]), "tokens")
        assert clock is not None
        assert clock.at(np.array([1.0, 2, 5])).tolist() == [100.0, 200.0, 300.0]

    @pytest.mark.parametrize("counted", [[1.0, 1.0, 1.0], [float("nan")] * 3])
    def test_what_counts_nothing_is_no_clock(self, counted: list[float]) -> None:
        assert Clock.counted(curve(counted), "epochs") is None


def test_metrics_are_shown_by_what_counts_how_far_the_training_is() -> None:
    (by,) = [
        one
        for one in parts(metric_controls(["loss", "train/epoch", "facts/examples", "tokens"], {}), "SegmentedControl")
        if one.id == "metrics-x"
    ]
    assert [choice["value"] for choice in by.data] == ["step", "train/epoch", "tokens"]


def test_an_address_that_asks_for_a_count_that_the_run_has_not_shows_steps() -> None:
    (by,) = [
        one
        for one in parts(metric_controls(["loss", "tokens"], {"x": "epoch"}), "SegmentedControl")
        if one.id == "metrics-x"
    ]
    assert by.value == "step"
