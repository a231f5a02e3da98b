"""The system page: where a step's time goes, what watching costs, and what is known of the machine."""

from __future__ import annotations

from typing import Any

import pytest

from trainvitals.wire.answers import Curve, RunDetail, RunSummary
from trainvitals.wire.floats import Floats
from trainvitals_dashboard.figures.step_time import overhead, step_time
from trainvitals_dashboard.pages.run_system import of_machine
from trainvitals_dashboard.parts.step_time_card import seconds, shares, step_time_card, where_time_goes
from trainvitals_dashboard.parts.system_cards import (
    environment_card,
    how_fast,
    machine_card,
    overhead_card,
    throughput_card,
    what_it_costs,
)

NAN = float("nan")


def curve(metric: str, values: list[float]) -> Curve:
    steps, told = list(range(len(values))), Floats.of(values)
    return Curve(
        run_id="r", metric=metric, steps=steps, last_steps=steps, low=told, mean=told, high=told,
        nonfinite=[0] * len(values),
    )  # fmt: skip


def times(**parts: float) -> dict[str, Curve]:
    return {f"seconds/{name}": curve(f"seconds/{name}", [value] * 4) for name, value in parts.items()}


def parts(piece: Any, kind: str) -> list[Any]:
    return [part for part in piece._traverse() if type(part).__name__ == kind]


def text(piece: Any) -> str:
    if isinstance(piece, str):
        return piece
    if isinstance(piece, (list, tuple)):
        return "".join(map(text, piece))
    return text(getattr(piece, "children", None) or "")


WHOLE = times(data=0.01, forward=0.02, backward=0.05, optimizer=0.01, step=0.1)


class TestStepTime:
    def test_the_largest_part_is_named_with_its_share(self) -> None:
        said = text(where_time_goes(WHOLE))
        assert said.startswith("An average step takes 100 ms. 50% of it is the backward pass; forward pass 20%")

    def test_what_is_not_watched_is_spent_elsewhere(self) -> None:
        assert shares(WHOLE)["elsewhere"] == pytest.approx(0.1)
        assert "50% of it is spent elsewhere" in text(where_time_goes(times(forward=0.02, backward=0.03, step=0.1)))

    def test_waiting_for_data_is_said_in_good_english(self) -> None:
        assert "80% of it is waiting for data" in text(where_time_goes(times(data=0.08, forward=0.01, step=0.1)))

    def test_of_a_compiled_model_the_parts_were_not_seen(self) -> None:
        assert text(where_time_goes(times(optimizer=0.01, step=0.1))).endswith("was not seen.")

    def test_the_newer_half_of_a_training_tells(self) -> None:
        slow_start = {"seconds/step": curve("seconds/step", [9.0, 9.0, 0.1, 0.1])}
        assert "100 ms" in text(where_time_goes(slow_start))

    def test_parts_are_stacked_below_the_line_of_the_whole_step(self) -> None:
        figure = step_time(WHOLE)
        stacked = [trace.name for trace in figure.data if trace.stackgroup]
        assert stacked == ["waiting for data", "forward pass", "backward pass", "optimizer"]
        assert figure.data[-1].name == "whole step"
        assert [line["metric"] for line in figure.layout.meta["live"]["lines"]][-1] == "seconds/step"

    def test_each_area_knows_the_colour_of_the_one_above_it(self) -> None:
        assert [trace.uid for trace in step_time(WHOLE).data] == [
            *("s2-part-s1", "s1-part-s3", "s3-part-s4", "s4-part-none"),
            "fg-2-whole",
        ]
        assert step_time(times(optimizer=0.1, step=0.2)).data[0].uid == "s4-part-none"

    def test_where_nothing_is_watched_the_card_says_how_to(self) -> None:
        assert "run.watch(model, optimizer)" in text(step_time_card({}))

    @pytest.mark.parametrize(("value", "said"), [(2.5, "2.5 s"), (0.0321, "32.1 ms"), (4.2e-5, "42 µs"), (0.0, "0 µs")])
    def test_short_times_have_their_unit(self, value: float, said: str) -> None:
        assert seconds(value) == said


class TestOverhead:
    def test_within_the_budget_it_is_said_so(self) -> None:
        assert "1.20% of the training’s time" in text(what_it_costs(curve("o", [0.04, 0.012]), last_step=5000))

    def test_of_a_short_run_the_dense_start_is_named(self) -> None:
        assert "sampled densely" in text(what_it_costs(curve("o", [0.05]), last_step=300))

    def test_of_a_long_run_a_script_that_asks_for_more_is(self) -> None:
        assert "every= or budget=" in text(what_it_costs(curve("o", [0.05]), last_step=30_000))

    def test_a_share_that_is_no_number_is_not_told(self) -> None:
        assert text(what_it_costs(curve("o", [0.01, NAN]), last_step=5000)).startswith("1.00% of")
        assert text(what_it_costs(curve("o", [NAN]), last_step=5000)) == "Nothing was measured yet."

    def test_the_budget_is_drawn_and_in_view(self) -> None:
        figure = overhead(curve("overhead_fraction", [0.001, 0.001]))
        assert figure.layout.shapes[0].y0 == 0.02
        assert figure.layout.yaxis.autorangeoptions.include[0] > 0.02

    def test_there_is_no_card_where_nothing_was_watched(self) -> None:
        assert overhead_card({}, last_step=3) is None
        assert throughput_card({}) is None


def test_throughput_is_told_as_it_is_now_and_at_best() -> None:
    said = text(how_fast(curve("examples_per_second", [900.0, 100.0, 110.0, 105.0, NAN])))
    assert said == "107.5 examples a second in the newer half of the run; 900 at best."


class TestMachine:
    def test_gpus_follow_the_machine_one_after_another(self) -> None:
        logged = ["loss", "system/gpu1_power_watts", "system/gpu0_power_watts", "system/memory_bytes"]
        logged += ["system/gpu0_utilization_percent", "system/cpu_percent"]
        assert of_machine(logged) == [
            "system/cpu_percent",
            "system/memory_bytes",
            "system/gpu0_utilization_percent",
            "system/gpu0_power_watts",
            "system/gpu1_power_watts",
        ]

    def test_each_has_a_chart(self) -> None:
        names = ["system/cpu_percent", "system/gpu0_power_watts"]
        card = machine_card(names, {name: curve(name, [1.0, 2.0]) for name in names})
        assert len(parts(card, "Graph")) == 2
        assert "No NVIDIA GPU" not in text(card)

    def test_a_machine_without_a_gpu_says_so(self) -> None:
        card = machine_card(["system/cpu_percent"], {"system/cpu_percent": curve("system/cpu_percent", [1.0])})
        assert "No NVIDIA GPU" in text(card)

    def test_where_nothing_was_watched_it_is_said_why_there_is_nothing(self) -> None:
        assert "while a model is watched" in text(machine_card([], {}))

    def test_the_environment_is_told_or_said_to_be_unknown(self) -> None:
        summary = RunSummary(run_id="r", project="p", name="n", status="running", created_at=0, heartbeat_at=0)
        known = RunDetail(summary=summary, environment={"python": "3.11", "cuda": None})
        assert [text(row) for row in parts(environment_card(known), "Tr")] == ["python3.11"]
        assert "not known" in text(environment_card(RunDetail(summary=summary)))
