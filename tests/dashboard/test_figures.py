"""Figures show what was measured: spikes, ends, gaps and what was not finite."""

from __future__ import annotations

from urllib.parse import unquote

import numpy as np
import pytest
from msgspec.structs import replace

from trainvitals.wire.answers import Curve, Heatmap
from trainvitals.wire.floats import Floats
from trainvitals.wire.messages import Evidence, Finding
from trainvitals_dashboard.figures.evidence import evidence_figure
from trainvitals_dashboard.figures.heat import even_columns, heat, rows_with_values, scale
from trainvitals_dashboard.figures.lines import NamedCurve, loss, overlay, single, smooth
from trainvitals_dashboard.figures.spark import POINTS, spark, thinned
from trainvitals_dashboard.parts.colorbar import colorbar

NAN = float("nan")


def curve(
    mean: list[float], *, low: list[float] | None = None, high: list[float] | None = None, metric: str = "loss"
) -> Curve:
    steps = list(range(0, len(mean) * 10, 10))
    return Curve(
        run_id="r",
        metric=metric,
        steps=steps,
        last_steps=[step + 9 for step in steps],
        low=Floats.of(low or mean),
        mean=Floats.of(mean),
        high=Floats.of(high or mean),
        nonfinite=[int(not np.isfinite(value)) for value in mean],
        bucket=10,
    )


def heatmap(values: list[list[float]], *, stat: str = "update_ratio") -> Heatmap:
    matrix = np.asarray(values, np.float32)
    return Heatmap(
        run_id="r",
        stat=stat,
        layers=[f"layer{row}" for row in range(len(matrix))],
        steps=list(range(0, matrix.shape[1] * 100, 100)),
        last_step=matrix.shape[1] * 100,
        mean=Floats(matrix.astype("<f4").tobytes()),
        high=Floats(matrix.astype("<f4").tobytes()),
        nonfinite=(~np.isfinite(matrix)).astype(int).ravel().tolist(),
    )


def finding(*, state: str = "open") -> Finding:
    return Finding(
        finding_id="f1",
        run_id="r",
        rule="loss-spike",
        severity="critical",
        state=state,
        first_step=30,
        last_step=40,
        summary="s",
    )


def test_the_envelope_keeps_a_spike_that_the_mean_hides() -> None:
    figure = loss(curve([1.0] * 100, high=[1.0] * 50 + [9.0] + [1.0] * 49))
    assert max(figure.data[1].y) == 9.0


def test_the_first_and_last_point_are_drawn() -> None:
    figure = loss(curve([3.0, 2.0, 1.0]))
    line = figure.data[2]
    assert (line.x[0], line.y[0], line.x[-1], line.y[-1]) == (0, 3.0, 20, 1.0)


def test_what_is_not_finite_leaves_a_gap_and_a_cross() -> None:
    figure = loss(curve([3.0, NAN, 1.0]))
    marks = next(trace for trace in figure.data if trace.name == "not finite")
    assert np.isnan(figure.data[2].y[1])
    assert (list(marks.x), list(marks.y)) == ([10], [3.0])


def test_a_curve_that_was_never_finite_still_shows_its_crosses() -> None:
    marks = next(trace for trace in loss(curve([NAN, NAN])).data if trace.name == "not finite")
    assert list(marks.x) == [0, 10]


def test_the_smoothed_line_recovers_after_a_gap() -> None:
    figure = loss(curve([2.0] * 50 + [NAN] * 5 + [2.0] * 45))
    smoothed = figure.data[3].y
    assert np.isnan(smoothed[52])
    assert smoothed[-1] == pytest.approx(2.0)


def test_a_lone_point_is_marked_in_the_middle_of_its_axis() -> None:
    lone = Curve(
        run_id="r", metric="loss", steps=[7], last_steps=[7], low=Floats.of([2]), mean=Floats.of([2]),
        high=Floats.of([2]), nonfinite=[0],
    )  # fmt: skip
    for figure in (single(lone, name="loss"), loss(lone, last_step=7)):
        assert (figure.data[2].mode, figure.data[2].text) == ("lines+markers+text", ("2",))
        assert figure.layout.xaxis.autorangeoptions.include == (6.5, 7.5)
    assert single(curve([1, 2]), name="loss").data[2].mode == "lines"


def test_the_loss_and_the_heatmap_below_it_end_at_the_run_s_last_step() -> None:
    above, below = loss(curve([1, 2, 3]), last_step=900), heat(heatmap([[1e-3, 1e-2]]), last_step=900)
    ends = {figure.layout.xaxis.autorangeoptions.clipmax for figure in (above, below)}
    assert ends == {900}


def test_an_empty_curve_is_an_empty_plot_that_can_grow() -> None:
    figure = loss(curve([]))
    assert [line["metric"] for line in figure.layout.meta["live"]["lines"]] == ["loss"] * 4


def test_an_open_finding_reaches_to_the_last_step_and_a_resolved_one_ends() -> None:
    ends = [loss(curve([1.0] * 60), findings=[finding(state=state)]).data[-1].x[1] for state in ("open", "resolved")]
    assert ends == [599, 40]


def test_no_finding_is_drawn_over_by_a_lesser_one() -> None:
    grave = replace(finding(), finding_id="grave", severity="critical")
    lesser = [replace(finding(), finding_id=f"lesser{index}", severity="warning") for index in range(4)]
    drawn = loss(curve([2.0, 1.0]), findings=[grave, *lesser]).data
    lanes = {trace.uid: trace.y[0] for trace in drawn if "-lane-" in (trace.uid or "")}

    assert lanes.pop("crit-lane-grave") > max(lanes.values())


def test_a_chart_without_live_does_not_ask_for_updates() -> None:
    assert "live" not in loss(curve([1.0]), live=False).layout.meta
    assert "live" not in single(curve([1.0]), name="x", live=False).layout.meta


def test_several_curves_have_a_colour_each() -> None:
    figure = overlay([NamedCurve(name="a", curve=curve([1.0])), NamedCurve(name="b", curve=curve([2.0]))])
    colours = [trace.line.color for trace in figure.data if trace.name in ("a", "b")]
    assert len(set(colours)) == 2


def test_the_update_ratio_is_centred_at_a_thousandth() -> None:
    colours = scale(heatmap([[1e-3]]))
    assert (colours.kind, colours.middle, (colours.low + colours.high) / 2) == ("div", -3.0, -3.0)


def words(values: list[list[float]]) -> list[str]:
    """The ends of the colour bar."""
    bar = colorbar(scale(heatmap(values, stat="grad_norm")))
    low, _, high = bar.children[1].children
    return [low.children, high.children]


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([3e-9, 0.7], ["10⁻⁹", "10⁰"]),
        ([1.0, 1000.0], ["10⁰", "10³"]),
        ([0.03, 0.09], ["0.02", "10⁻¹"]),
        ([1.1, 4.0], ["10⁰", "5"]),
        ([3e-7, 4e-7], ["2·10⁻⁷", "5·10⁻⁷"]),
        ([2.0, 2.0], ["2", "5"]),
        ([0.0, 0.0, 0.02, 0.5], ["10⁻²", "10⁰"]),  # an exact zero is no power of ten
    ],
)
def test_the_ends_of_a_colour_bar_have_a_name(values: list[float], ends: list[str]) -> None:
    assert words([values]) == ends


def test_a_heatmap_shows_logarithms_by_step_and_layer() -> None:
    trace = heat(heatmap([[1e-3, 1e-4, 1e-3], [1e-2, 1e-2, 1e-2]])).data[0]
    assert np.allclose(trace.z, [[-3, -2], [-4, -2], [-3, -2]], atol=1e-5)


def test_a_heatmap_of_exact_zeros_is_the_lowest_colour_and_no_gap() -> None:
    assert np.isfinite(np.asarray(heat(heatmap([[0.0, 1e-3]])).data[0].z)).all()


def test_a_zero_fraction_is_shown_as_it_is_from_zero_to_one() -> None:
    colours = scale(heatmap([[0.5]], stat="zero_fraction"))
    assert (colours.low, colours.high, colours.log) == (0.0, 1.0, False)


def test_what_is_not_finite_is_marked_in_the_heatmap() -> None:
    bad = np.asarray(heat(heatmap([[1e-3, NAN]])).data[1].z)
    assert (np.isnan(bad[0, 0]), bad[1, 0]) == (True, 1.0)


def test_no_marks_are_sent_where_all_is_finite() -> None:
    assert len(heat(heatmap([[1e-3, 1e-2]])).data[1].z) == 0


def test_layers_that_cannot_have_a_gradient_are_left_out_and_those_that_lost_it_are_not() -> None:
    gradients = heatmap([[1.0, 1.0], [NAN, NAN], [NAN, NAN]], stat="grad_norm")
    assert rows_with_values(gradients, applicable=("layer0", "layer1")) == [0, 1]


def test_uneven_buckets_are_spread_evenly() -> None:
    picked, first, spacing = even_columns([0, 10, 20, 60], 70)
    assert (picked.tolist(), first, spacing) == ([0, 1, 2, 2, 2, 2, 3], 0.0, 10.0)


def test_a_heatmap_without_values_is_drawn_empty() -> None:
    none = Heatmap(
        run_id="r", stat="grad_norm", layers=[], steps=[], last_step=0, mean=Floats(), high=Floats(), nonfinite=[]
    )
    assert heat(none).layout.meta["live"]["layers"] == []


def test_a_sparkline_has_dashes_where_values_are_not_finite() -> None:
    whole = unquote(spark([(step, step + 1.0) for step in range(5)]))
    broken = unquote(spark([(0, 1.0), (1, 2.0), (2, NAN), (3, 4.0), (4, 5.0)]))
    assert [picture.count("<polyline") for picture in (whole, broken)] == [1, 2]
    assert [picture.count("<path") for picture in (whole, broken)] == [0, 1]
    assert "131.0,2.0" in broken  # the last point stays where it was


def test_a_sparkline_stands_each_point_where_its_step_is() -> None:
    late = unquote(spark([(0, 1.0), (90, 1.0), (100, 2.0)]))
    assert "1.0,20.0 118.0,20.0 131.0,2.0" in late


def test_a_sparkline_of_little_is_drawn_all_the_same() -> None:
    assert "<polyline" in unquote(spark([(7, 3.0)]))
    assert "<path" in unquote(spark([(0, NAN), (1, NAN)]))
    assert "<polyline" not in unquote(spark([]))


def test_a_sparkline_is_thinned_to_its_room_with_both_ends() -> None:
    steps = list(range(1000))
    points = thinned(steps, [step * 2.0 for step in steps])
    assert (len(points), points[0], points[-1]) == (POINTS, (0, 0), (999, 1998))
    assert thinned([], []) == []


@pytest.mark.parametrize(
    ("evidence", "bands", "across"),
    [
        (Evidence(metric="loss", threshold=2.5, first_step=12, last_step=99), [(12, 39)], [2.5]),
        (Evidence(metric="loss", threshold=2.5, is_drawn=False), [], []),
        (Evidence(metric="loss", first_step=5, last_step=20), [(5, 20)], []),
    ],
)
def test_what_made_a_rule_speak_is_drawn_with_the_steps_that_were_looked_at_and_the_line_that_was_crossed(
    evidence: Evidence, bands: list[tuple[int, int]], across: list[float]
) -> None:
    figure = evidence_figure(curve([1.0, 2.0, 3.0, 4.0]), evidence, since=12, log=False, name="loss")
    shapes = figure.layout.shapes

    assert [(shape.x0, shape.x1) for shape in shapes if shape.type == "rect"] == bands
    assert [shape.y0 for shape in shapes if shape.type == "line" and shape.xref == "x domain"] == across
    assert [shape.x0 for shape in shapes if shape.type == "line" and shape.yref == "y domain"] == [12]


def test_the_start_of_a_falling_curve_is_smoothed_to_where_it_lies() -> None:
    falling = np.linspace(10, 0, 200, dtype=np.float32)
    smoothed = smooth(list(range(200)), falling, span=20.0)
    mean_of_ten = falling[:10].mean()
    assert abs(smoothed[9] - mean_of_ten) < 0.2  # were the first point its start, it would be 9.8


def test_an_average_that_grows_while_one_looks_knows_how_much_it_has_seen() -> None:
    told = single(curve([1.0] * 5), smoothing=0.5, name="x").layout.meta["live"]["lines"][3]
    assert told["known"] == pytest.approx(1 - np.exp(-41 / 20))


def test_a_learning_rate_is_drawn_in_steps_and_a_loss_is_not() -> None:
    rate, other = (single(replace(curve([1.0, 0.1]), metric=metric), name=metric) for metric in ("lr", "loss"))
    assert {trace.line.shape for trace in rate.data[:3]} == {"hv"}
    assert {trace.line.shape for trace in other.data[:3]} == {"linear"}


def test_the_last_snapshot_of_a_run_that_ended_reaches_to_its_last_step() -> None:
    found = heatmap([[1e-3, 1e-2, 1e-2]])
    columns = [len(heat(found, last_step=299, ended=ended).data[0].z) for ended in (False, True)]
    far = len(heat(found, last_step=900, ended=True).data[0].z)
    assert columns == [3, 4]
    assert far == 3  # nobody looked any more: nothing is known


def test_names_of_layers_are_cut_where_a_part_of_them_begins() -> None:
    names = ["blocks.0.attention.out_proj", "encoder_of_the_whole", "head"]
    shown = heat(replace(heatmap([[1e-3], [1e-3], [1e-3]]), layers=names)).layout.yaxis.ticktext
    assert list(shown) == ["…out_proj", "…of_the_whole", "head"]
