"""Distributions over time are drawn as they were recorded, on an axis that says where values lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from trainvitals.wire.answers import LayerHistograms
from trainvitals.wire.floats import Floats
from trainvitals.wire.histograms import BINS, EDGES, ValueKind
from trainvitals_dashboard.figures.distribution import distribution
from trainvitals_dashboard.parts.distributions import distributions

ZERO = BINS // 2


def histograms(
    columns: Sequence[dict[int, float]],
    *,
    steps: Sequence[int] | None = None,
    nonfinite: Sequence[float] | None = None,
    kind: ValueKind = "weights",
) -> LayerHistograms:
    """Of each step the shares of some bins."""
    shares = np.zeros((len(columns), BINS), np.float32)
    for place, column in enumerate(columns):
        for cell, share in column.items():
            shares[place, cell] = share
    return LayerHistograms(
        run_id="r",
        layer="a",
        kind=kind,
        edges=Floats.of(EDGES),
        steps=list(steps or range(0, len(columns) * 10, 10)),
        shares=Floats(shares.astype("<f4").tobytes()),
        nonfinite=Floats.of(nonfinite or [0.0] * len(columns)),
    )


def ticks(figure: Any) -> dict[str, float]:
    axis = figure.layout.yaxis
    return dict(zip(axis.ticktext, axis.tickvals, strict=True))


def test_shows_each_share_at_its_step_and_bin() -> None:
    figure = distribution(histograms([{ZERO + 5: 0.25, ZERO - 3: 0.75}, {ZERO + 5: 1.0}], steps=[0, 40]))
    (drawn,) = figure.data
    assert list(drawn.x) == [0, 40, 80]
    names = list(drawn.y)
    row = drawn.z[names.index("2.4e−6 to 6.2e−6")]
    assert row.tolist() == pytest.approx([math.log10(0.25), 0.0])
    assert drawn.text[names.index("2.4e−6 to 6.2e−6")] == ["step 0 · <b>25.0%</b>", "step 40 · <b>100.0%</b>"]
    assert np.isnan(drawn.z).sum() == drawn.z.size - 3  # nothing is drawn where nothing was


def test_leaves_out_what_no_value_ever_reached_but_never_zero() -> None:
    (drawn,) = distribution(histograms([{ZERO + 10: 0.5, ZERO + 12: 0.5}])).data
    assert drawn.y[0].startswith("−")
    assert drawn.y[1] == "0 to 6.0e−8"
    assert len(drawn.y) == 1 + 12 + 1 + 1


def test_the_outermost_bins_are_open() -> None:
    (drawn,) = distribution(histograms([{0: 0.5, BINS - 1: 0.5}])).data
    assert (drawn.y[0], drawn.y[-1]) == ("below −65,536", "65,536 and above")
    assert len(set(drawn.y)) == BINS


@pytest.mark.parametrize("reach", [2, 5, 12, 20, 31])
def test_ticks_stand_where_their_values_lie(reach: int) -> None:
    figure = distribution(histograms([{ZERO + reach: 0.5, ZERO - 1 - reach: 0.5}]))
    first = max(0, ZERO - 2 - reach)
    found = {float(text.replace("−", "-")): place for text, place in ticks(figure).items()}
    assert 3 <= len(found) <= 11
    assert found[0.0] == ZERO - first - 0.5
    for value, place in found.items():
        cell = first + math.floor(place + 0.5)
        assert EDGES[cell] <= value < EDGES[cell + 1]
    places = [found[value] for value in sorted(found)]
    assert all(later - earlier > 1 for earlier, later in pairwise(places))


def test_what_is_not_finite_stands_above_all_else() -> None:
    figure = distribution(histograms([{ZERO + 20: 1.0}, {ZERO: 0.4}], nonfinite=[0.0, 0.6]))
    bad, values = figure.data
    assert bad.meta["tv"] == "nonfinite"
    assert list(bad.y) == list(values.y)
    assert np.isfinite(bad.z).sum() == 1
    assert bad.text[-1] == ["", "step 10 · <b>60.0%</b>"]
    assert np.isnan(values.z[-1]).all()
    *others, highest = sorted(ticks(figure).values())
    assert highest == ticks(figure)["NaN, ∞"] == len(values.y) - 1
    assert max(others) < highest - 1  # words do not cover one another


def test_a_single_histogram_and_one_without_a_finite_value_can_be_drawn() -> None:
    assert distribution(histograms([{ZERO: 1.0}])).data[0].x == (0, 1)
    assert len(distribution(histograms([{}], nonfinite=[1.0])).data) == 2


def test_the_part_names_each_kind_that_there_is() -> None:
    assert distributions([]) == []
    text = str(distributions([histograms([{ZERO: 1.0}], kind=kind) for kind in ("weights", "activations")]))
    assert "Distributions over time" in text
    assert "Weights" in text
    assert "Activations" in text
    assert "Gradients" not in text
