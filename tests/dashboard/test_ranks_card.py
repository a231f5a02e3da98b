"""Ranks side by side: who is named, who is not, and how they are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trainvitals.wire.answers import Curve, RankCurves, RunDetail, RunSummary
from trainvitals.wire.definitions import Definitions
from trainvitals.wire.floats import Floats
from trainvitals.wire.notes import MetricDefinition
from trainvitals_dashboard.comparison import compare
from trainvitals_dashboard.figures.lines import ranks
from trainvitals_dashboard.gathering import RunView
from trainvitals_dashboard.parts.ranks_card import choices, how_many, key, ranks_card, said
from trainvitals_dashboard.parts.run_head import head

NAN = float("nan")


def curve(rank: int, values: NDArray[Any] | list[float], *, every: int = 1, metric: str = "loss") -> Curve:
    steps, means = list(range(0, len(values) * every, every)), Floats.of(list(values))
    bad = [int(not np.isfinite(value)) for value in values]
    return Curve(
        run_id="r", metric=metric, steps=steps, last_steps=steps, low=means, mean=means, high=means, nonfinite=bad,
        rank=rank,
    )  # fmt: skip


def losses(count: int, *, points: int = 200, seed: int = 0, off: Mapping[int, float] | None = None) -> list[Curve]:
    """Falling alike, with noise; ``off``: rank → what its loss is more than the others' in the newer half."""
    rng, steps = np.random.default_rng(seed), np.arange(points)
    falling = 0.5 + 2 * np.exp(-steps / 30)
    return [
        curve(rank, falling + 0.1 * rng.standard_normal(points) + (off or {}).get(rank, 0.0) * (steps > points / 2))
        for rank in range(count)
    ]


def found(curves: list[Curve], *, metric: str = "loss", metrics: list[str] | None = None) -> RankCurves:
    return RankCurves(run_id="r", metric=metric, metrics=["loss"] if metrics is None else metrics, curves=curves)


def words_of(curves: list[Curve], *, metric: str = "loss") -> list[str]:
    lines = said(found(curves, metric=metric), compare(curves))
    return ["".join(text if isinstance(text, str) else text.children for text in line.children) for line in lines]


def detail(ranks: int) -> RunDetail:
    return RunDetail(
        summary=RunSummary(
            run_id="r", project="p", name="n", status="running", created_at=0, heartbeat_at=0, ranks=ranks
        )
    )


@pytest.mark.parametrize("count", [4, 8, 64])
def test_a_rank_that_stands_apart_is_named(count: int) -> None:
    assert list(compare(losses(count, off={2: 1.0})).apart) == [2]


def test_the_furthest_is_named_first() -> None:
    assert list(compare(losses(16, off={3: 0.8, 9: -1.2})).apart) == [9, 3]


@pytest.mark.parametrize("count", [2, 3])
def test_of_two_or_three_nobody_is_the_odd_one(count: int) -> None:
    assert compare(losses(count, off={1: 5.0})).apart == {}


@pytest.mark.parametrize("count", [4, 5, 8, 64])
@pytest.mark.parametrize("points", [9, 20, 200])
def test_ordinary_scatter_names_nobody(count: int, points: int) -> None:
    assert [seed for seed in range(40) if compare(losses(count, points=points, seed=seed)).apart] == []


def test_shards_of_several_kinds_rarely_name_anybody() -> None:
    rng = np.random.default_rng(1)
    named = 0
    for seed in range(200):
        named += bool(compare(losses(8, seed=seed, off=dict(enumerate(rng.normal(0, 0.15, 8))))).apart)
    assert named <= 6


def test_what_hardly_differs_stands_for_nothing() -> None:
    assert compare([curve(rank, [10.0 + 0.02 * (rank == 3)] * 50) for rank in range(8)]).apart == {}


def test_equal_ranks_are_compared_without_a_spread() -> None:
    assert compare([curve(rank, [0.0] * 50) for rank in range(8)]).apart == {}
    assert list(compare([curve(rank, [1.0 + (rank == 3)] * 50) for rank in range(8)]).apart) == [3]


def test_ranks_that_sampled_other_steps_are_compared_over_the_same_part_of_the_run() -> None:
    falling = 3 * np.exp(-np.arange(600) / 200)
    curves = [curve(rank, falling[:: rank + 1], every=rank + 1) for rank in range(6)]
    assert compare(curves).compared == 6
    assert compare(curves).apart == {}


def test_a_rank_that_is_behind_is_not_taken_for_a_worse_one() -> None:
    falling = 3 * np.exp(-np.arange(600) / 200)
    compared = compare([curve(rank, falling if rank != 2 else falling[:400]) for rank in range(6)])
    assert (compared.compared, compared.apart, compared.silent) == (5, {}, {})


def test_the_median_is_that_of_the_newest_tenth() -> None:
    compared = compare([curve(rank, [9.0] * 900 + [float(rank)] * 100) for rank in range(5)])
    assert (compared.median, compared.first_step, compared.last_step) == (pytest.approx(2.0, abs=0.1), 899, 999)


def test_nothing_was_told_yet() -> None:
    assert compare([]).compared == 0
    assert compare([curve(0, []), curve(1, [])]).apart == {}


def test_says_who_stands_apart_and_by_how_much() -> None:
    [line] = words_of([curve(rank, [1.0 if rank != 3 else 2.5] * 100) for rank in range(8)])
    assert line == "Rank 3 stands apart over the last 10 steps: 2.5, where the median of 8 ranks is 1."


def test_memory_is_told_in_gibibytes() -> None:
    curves = [curve(rank, [2.0**33 * (1 + (rank == 1))] * 100) for rank in range(8)]
    assert "16 GiB, where the median of 8 ranks is 8 GiB" in words_of(curves, metric="system/memory_bytes")[0]


def test_many_are_counted_rather_than_named() -> None:
    curves = [curve(rank, [1.0 + rank * (rank < 9)] * 100) for rank in range(64)]
    assert words_of(curves)[0].startswith("Ranks 8, 7, 6, 5, 4, 3 and 2 more stand apart")


def test_says_so_where_nobody_stands_apart_and_nothing_where_nobody_can_say() -> None:
    assert words_of(losses(8)) == ["No rank stands apart."]
    assert words_of(losses(2)) == []


def test_the_first_that_is_not_finite_is_named_even_of_two() -> None:
    curves = [curve(0, [1.0] * 51 + [NAN] * 49), curve(1, [1.0] * 50 + [NAN] * 50)]
    assert words_of(curves) == ["Rank 1 was the first not to be finite, at step 50."]
    assert words_of([curve(rank, [1.0, NAN]) for rank in range(4)]) == []


def test_a_rank_that_fell_silent_is_named() -> None:
    curves = [curve(rank, [1.0] * (1000 if rank != 5 else 300)) for rank in range(8)]
    assert words_of(curves) == ["Rank 5 told nothing after step 299."]


def test_says_how_to_see_ranks_where_only_rank_0_tells() -> None:
    [line] = said(found([curve(0, [1.0])], metrics=[]), compare([curve(0, [1.0])]))
    assert "call init on every rank" in line


def test_says_of_how_many_ranks_something_is_there() -> None:
    assert how_many(found(losses(3)), ranks=4) == "3 of 4 ranks"
    assert how_many(found(losses(4)), ranks=4) == "4 ranks"
    assert how_many(found([]), ranks=4) == "4 ranks"


def test_the_loss_is_offered_first_and_the_users_own_last() -> None:
    offered = choices(["mine", "system/memory_bytes", "seconds/data", "grad_norm", "loss"], Definitions())
    assert [one["value"] for one in offered] == ["loss", "grad_norm", "seconds/data", "system/memory_bytes", "mine"]


def test_the_loss_that_a_script_defines_is_offered_first() -> None:
    said = Definitions({"mine": MetricDefinition(role="loss")})
    assert choices(["loss", "grad_norm", "mine"], said)[0]["value"] == "mine"


def test_gpus_of_ranks_are_offered_as_one_whatever_their_numbers() -> None:
    offered = choices(
        ["loss", "system/gpu1_power_watts", "system/gpu2_power_watts", "system/gpu1_memory_bytes"], Definitions()
    )
    assert offered[1:] == [
        {"value": "system/gpu*_memory_bytes", "label": "GPU: memory held by the training (bytes)"},
        {"value": "system/gpu*_power_watts", "label": "GPU: power (W)"},
    ]


def test_draws_one_line_for_each_rank_with_rank_0_and_the_odd_ones_on_top() -> None:
    figure = ranks(losses(6, off={4: 1.0}), apart=[4], metric="loss")
    assert [line.name for line in figure.data] == ["rank 1", "rank 2", "rank 3", "rank 5", "rank 0", "rank 4"]
    assert [line.uid.split("-rank")[0] for line in figure.data] == ["fg-2"] * 4 + ["s1", "s2"]
    assert figure.layout.hovermode == "closest"
    assert "live" not in (figure.layout.meta or {})


def test_a_gap_is_marked_where_a_rank_was_not_finite() -> None:
    figure = ranks([curve(0, [1.0, 1.0]), curve(1, [1.0, NAN])], apart=[], metric="loss")
    [marks] = [trace for trace in figure.data if trace.mode == "markers"]
    assert (list(marks.x), "rank 1" in marks.hovertemplate) == ([1], True)


def test_many_lines_are_fainter_than_few() -> None:
    few, many = (ranks(losses(count), apart=[], metric="loss").data[0].opacity for count in (2, 64))
    assert few > 0.8 > 0.4 > many


def test_the_key_names_rank_0_those_apart_and_the_others() -> None:
    def named(count: int, **more: Any) -> list[str]:
        curves = losses(count, **more)
        return [span.children[1] for span in key(found(curves), compare(curves)).children]

    assert named(8, off={4: 1.0}) == ["rank 0", "rank 4", "others"]
    assert named(2) == ["rank 0", "rank 1"]
    assert named(8, off={0: 1.0}) == ["rank 0", "others"]


def test_only_a_run_of_several_ranks_has_the_card() -> None:
    assert ranks_card(detail(1)) is None
    assert ranks_card(detail(2)) is not None


@pytest.mark.parametrize(("count", "told"), [(1, []), (8, ["8 ranks"])])
def test_the_head_says_how_many_ranks_there_are(count: int, told: list[str]) -> None:
    spans = [span.children for piece in head(RunView(detail=detail(count))) for span in piece._traverse()
             if type(span).__name__ == "Span"]  # fmt: skip
    assert [text for text in spans if isinstance(text, str) and "rank" in text] == told
