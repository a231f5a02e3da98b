"""Curves, layers and outcomes of several runs are held against each other as they are, gaps and clips said."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from trainvitals.wire.answers import Curve, Heatmap
from trainvitals.wire.floats import Floats
from trainvitals_dashboard.figures.compare import (
    BASELINE_PX,
    FEW,
    RunLine,
    compared,
    difference,
    look,
    spans_decades,
    values,
)
from trainvitals_dashboard.figures.layer_ratio import (
    CLIPS,
    clipped,
    layer_ratio,
    ratio_figure,
    ratio_scale,
    times,
)
from trainvitals_dashboard.figures.lines import single
from trainvitals_dashboard.figures.outcomes import ParallelAxis, RunOutcome, is_log, parallel, read, scatter

NAN, INF = math.nan, math.inf


def curve(mean: list[float], *, steps: list[int] | None = None, width: int = 1, **spread: list[float]) -> Curve:
    at = steps or list(range(0, len(mean) * width, width))
    return Curve(
        run_id="r",
        metric="loss",
        steps=at,
        last_steps=[step + width - 1 for step in at],
        low=Floats.of(spread.get("low", mean)),
        mean=Floats.of(mean),
        high=Floats.of(spread.get("high", mean)),
        nonfinite=[int(not math.isfinite(value)) for value in mean],
        bucket=width,
    )


def lines(count: int, *, baseline: int = 0) -> list[RunLine]:
    points = [float(value) for value in range(50, 0, -1)]
    return [
        RunLine(name=f"net {place}", curve=curve(points), place=place, is_baseline=place == baseline)
        for place in range(count)
    ]


def heatmap(rows: dict[str, list[float]], *, steps: list[int] | None = None, last_step: int | None = None) -> Heatmap:
    every = np.asarray(list(rows.values()), "<f4")
    at = steps or list(range(0, every.shape[1] * 10, 10))
    return Heatmap(
        run_id="r",
        stat="grad_norm",
        layers=list(rows),
        steps=at,
        last_step=at[-1] if last_step is None else last_step,
        mean=Floats(every.tobytes()),
        high=Floats(every.tobytes()),
        nonfinite=(~np.isfinite(every)).astype(int).ravel().tolist(),
    )


def test_a_difference_is_taken_at_the_same_steps() -> None:
    apart = difference(curve([5.0, 5.0, 5.0], steps=[0, 5, 20]), curve([1.0, 2.0, 3.0], steps=[0, 10, 20]))

    assert apart.steps == [0, 5, 20]
    assert values(apart.mean).tolist() == [4.0, 3.5, 2.0]


def test_a_difference_ends_where_the_baseline_does() -> None:
    apart = difference(curve([1.0, 1.0, 1.0, 1.0]), curve([0.0, 0.0], steps=[1, 2]))

    assert np.isnan(values(apart.mean)).tolist() == [True, False, False, True]


@pytest.mark.parametrize("bad", [NAN, INF])
def test_a_difference_from_what_is_not_finite_is_a_gap(bad: float) -> None:
    apart = values(difference(curve([1.0] * 4), curve([0.0, 0.0, bad, 0.0])).mean)

    assert np.isnan(apart[2])
    assert (apart[0], apart[1], apart[3]) == (1.0, 1.0, 1.0)


def test_buckets_of_different_widths_are_read_in_their_middle() -> None:
    rising = [float(step) for step in range(32)]
    fine, coarse = curve(rising), curve([sum(rising[at : at + 8]) / 8 for at in range(0, 32, 8)], width=8)

    assert np.nanmax(np.abs(values(difference(fine, coarse).mean))) < 1e-5


def test_a_difference_keeps_the_spikes_of_the_run() -> None:
    apart = difference(curve([1.0, 1.0], high=[9.0, 1.0]), curve([1.0, 1.0]))

    assert values(apart.high).tolist() == [8.0, 0.0]


def test_forty_runs_look_forty_ways() -> None:
    assert len({look(place) for place in range(40)}) == 40


def test_a_run_looks_the_same_whatever_is_drawn_beside_it() -> None:
    both, alone = compared(lines(3), metric="Loss"), compared(lines(3)[2:], metric="Loss")
    of_last = [trace for trace in both.data if trace.uid.endswith("run2")]

    assert {trace.line.color for trace in of_last} == {trace.line.color for trace in alone.data}


def test_the_baseline_is_the_thickest_and_above_all() -> None:
    drawn = compared(lines(8, baseline=3), metric="Loss").data

    assert (drawn[-1].name, drawn[-1].line.width) == ("net 3", BASELINE_PX)
    assert max(trace.line.width for trace in drawn[:-1]) < BASELINE_PX


def test_many_runs_are_a_line_each_and_few_have_their_spread() -> None:
    assert len(compared(lines(FEW + 1), metric="Loss").data) == FEW + 1
    names = {trace.name for trace in compared(lines(2), metric="Loss").data}
    assert {"net 0 lowest", "net 0 highest", "net 1 lowest", "net 1 highest"} <= names


def test_what_is_not_finite_is_marked() -> None:
    broken = RunLine(name="net", curve=curve([2.0, 1.0, NAN]), place=0)
    (marks,) = [trace for trace in compared([broken], metric="Loss").data if trace.mode == "markers"]

    assert (list(marks.x), list(marks.y)) == ([2], [1.0])


def test_a_hidden_run_is_there_and_not_drawn() -> None:
    hidden = RunLine(name="net", curve=curve([2.0, 1.0]), place=0, is_hidden=True)

    assert not any(trace.visible for trace in compared([hidden], metric="Loss").data)


def test_differences_are_told_at_the_axis() -> None:
    axis = compared(lines(2), metric="Loss", against="net 0").layout.yaxis

    assert (axis.title.text, axis.zeroline) == ("Loss minus that of net 0", True)


def test_an_axis_is_logarithmic_by_itself_over_three_decades() -> None:
    assert spans_decades([curve([1.0, 2000.0])])
    assert not spans_decades([curve([1.0, 900.0])])
    assert not spans_decades([curve([0.0, 2000.0])])


def test_nothing_logged_is_said() -> None:
    assert [note.text for note in compared([], metric="Loss").layout.annotations] == ["no points"]


def test_layers_are_aligned_by_name_and_those_of_one_run_alone_left_out() -> None:
    now, before = (
        heatmap({"a": [4.0, 4.0], "b": [1.0, 1.0]}),
        heatmap({"c": [1.0, 1.0], "b": [8.0, 8.0], "a": [1.0, 1.0]}),
    )
    ratio = layer_ratio(now, before)

    assert ratio.layers == ["a", "b"]
    assert ratio.logs[:, 0].tolist() == [2.0, -3.0]


def test_layers_without_the_stat_are_no_rows_that_were_not_finite() -> None:
    now, before = (heatmap({"linear": [1.0], "relu": [NAN], "lost": [value]}) for value in (NAN, 2.0))
    ratio = layer_ratio(now, before, applicable=["linear", "lost"])

    assert ratio.layers == ["linear", "lost"]
    assert ratio.nonfinite[:, 0].tolist() == [False, True]


def test_steps_are_aligned_over_what_both_have() -> None:
    now = heatmap({"a": [1.0, 2.0, 4.0, 8.0]}, steps=[0, 10, 20, 30])
    before = heatmap({"a": [1.0, 1.0]}, steps=[10, 20], last_step=25)
    ratio = layer_ratio(now, before)

    assert (ratio.first, ratio.last) == (10, 25)
    assert ratio.logs[0].tolist() == [1.0, 2.0]


def test_cells_that_either_run_lacks_are_gaps_and_marked_where_not_finite() -> None:
    ratio = layer_ratio(heatmap({"a": [1.0, NAN, 1.0]}), heatmap({"a": [1.0, 1.0, INF]}))

    assert np.isnan(ratio.logs[0]).tolist() == [False, True, True]
    assert ratio.nonfinite[0].tolist() == [False, True, True]


def test_a_layer_that_died_is_at_the_end_of_the_colours_and_no_gap() -> None:
    ratio = layer_ratio(heatmap({"a": [0.0, 0.0, 3.0]}), heatmap({"a": [0.0, 2.0, 0.0]}))
    figure = ratio_figure(ratio, ratio_scale(ratio), stat="Gradient norm")

    assert ratio.logs[0].tolist() == [0.0, -INF, INF]
    assert np.isfinite(figure.data[0].z).all()
    assert figure.data[0].customdata[0].tolist() == [[0.0, 0.0, 1.0], [0.0, 2.0, 0.0], [3.0, 0.0, INF]]


def test_runs_without_a_step_or_layer_in_common_are_said_to_have_none() -> None:
    for other in (heatmap({"b": [1.0]}), heatmap({"a": [1.0]}, steps=[50])):
        ratio = layer_ratio(heatmap({"a": [1.0]}), other)
        figure = ratio_figure(ratio, ratio_scale(ratio), stat="Gradient norm")
        assert ratio.is_empty
        assert [note.text for note in figure.layout.annotations] == ["no points"]


def test_colours_are_centred_at_the_same_and_a_lone_cell_does_not_stretch_them() -> None:
    row = [2.0] * 199 + [2.0**30]
    ratio = layer_ratio(heatmap({"a": row}), heatmap({"a": [1.0] * 200}))
    colours = ratio_scale(ratio)

    assert (colours.low, colours.middle, colours.high) == (-1.0, 0.0, 1.0)
    assert clipped(ratio, colours) >= 1


def test_runs_that_hardly_differ_are_not_made_to_look_apart() -> None:
    ratio = layer_ratio(heatmap({"a": [1.0, 1.001]}), heatmap({"a": [1.0, 1.0]}))

    assert ratio_scale(ratio).high == CLIPS[0]


def test_a_logarithm_is_told_as_a_factor() -> None:
    assert [times(log) for log in (2.0, -3.0, 0.0, 0.5)] == ["×4", "÷8", "×1", "×1.41"]


def test_outcomes_are_read_from_what_was_logged() -> None:
    logged = curve([3.0, 2.0, 2.5], low=[3.0, 1.0, 2.5], high=[9.0, 2.0, 2.5])

    assert [read(logged, reading, last=2.4) for reading in ("last", "lowest", "highest")] == [2.4, 1.0, 9.0]


def test_a_run_that_ended_in_nan_has_no_last_value() -> None:
    assert math.isnan(read(curve([3.0, NAN]), "last", last="NaN"))
    assert read(curve([3.0, NAN]), "lowest", last="NaN") == 3.0
    assert math.isnan(read(None, "last", last=None))


def test_a_setting_over_a_decade_is_read_on_a_logarithmic_axis() -> None:
    assert is_log([1e-4, 1e-3])
    assert not is_log([1e-4, 9e-4])
    assert not is_log([0.0, 100.0])
    outcomes = [RunOutcome(name=name, place=place, value=1.0 + place) for place, name in enumerate("ab")]
    axes = scatter(outcomes, [1e-4, 1e-2], setting="lr", outcome="Last loss").layout
    assert (axes.xaxis.type, axes.xaxis.title.text, axes.yaxis.type) == ("log", "lr", None)


def test_a_run_without_an_outcome_has_no_point() -> None:
    outcomes = [RunOutcome(name="a", place=0, value=NAN), RunOutcome(name="b", place=1, value=2.0)]
    figure = scatter(outcomes, [1.0, 2.0], setting="lr", outcome="Last loss")

    assert [trace.name for trace in figure.data] == ["b"]


def test_parallel_axes_go_from_lowest_to_highest_and_name_both() -> None:
    outcomes = [RunOutcome(name=name, place=place, value=0.0) for place, name in enumerate("abc")]
    axes = [ParallelAxis(title="lr", numbers=[1e-4, 1e-3, 1e-2]), ParallelAxis(title="loss", numbers=[3.0, NAN, 1.0])]
    figure = parallel(outcomes, axes)

    heights = {trace.name: list(trace.y) for trace in figure.data}
    assert heights["a"] == [0.0, 1.0]
    assert heights["b"][0] == pytest.approx(0.5)
    assert math.isnan(heights["b"][1])
    said = [note.text for note in figure.layout.annotations]
    assert said == ["<b>lr</b> (log)", "0.01", "1.0e-4", "<b>loss</b>", "3", "1"]
    assert all(one.yshift != other.yshift for one, other in pairwise(figure.layout.annotations[::3]))


def test_names_are_shown_letter_by_letter() -> None:
    odd, shown = "<b>%{y} & co", "&lt;b&gt;%&#123;y} &amp; co"
    named = compared([RunLine(name=odd, curve=curve([2.0, NAN]), place=0)], metric="Loss", against=odd)
    outcomes = [RunOutcome(name=odd, place=0, value=1.0)]
    axes = scatter(outcomes, [1.0], setting=odd, outcome="Last loss").layout
    lines = parallel(outcomes, [ParallelAxis(title=odd, numbers=[1.0])])

    told = [trace.hovertemplate for trace in named.data if trace.hovertemplate]
    assert len(told) == 2
    assert all(template.startswith(f"{shown} <b>") for template in told)
    assert named.layout.yaxis.title.text == f"Loss minus that of {shown}"
    assert axes.xaxis.title.text == shown
    assert lines.data[0].hovertemplate.startswith(f"<b>{shown}</b><br>{shown} 1")
    assert lines.layout.annotations[0].text == f"<b>{shown}</b>"
    assert single(curve([1.0]), name=odd).data[2].hovertemplate.startswith(shown)


def test_a_logarithmic_axis_of_one_value_is_drawn() -> None:
    alone = [RunLine(name="net", curve=curve([2.0, 2.0]), place=0)]

    assert compared(alone, metric="Loss", log=True).layout.yaxis.type == "log"
