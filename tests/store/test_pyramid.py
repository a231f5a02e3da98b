"""Buckets of buckets: the quick way for finite values gives what the thorough one gives."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from trainvitals_server.store.pyramid import Cells, cells_of_points, every


@pytest.mark.parametrize("count", [1, 15, 16, 17, 1000])
def test_finite_values_are_folded_alike_in_both_ways(count: int) -> None:
    values = np.random.default_rng(count).standard_normal((3, count)).astype(np.float32)
    quick = cells_of_points(np.arange(count) * 7, values)
    thorough = replace(quick, whole=False)
    for size in (16, 4, 4):
        quick, thorough = every(quick, size), every(thorough, size)
        assert (quick.whole, thorough.whole) == (True, False)
        for part in (field.name for field in fields(Cells) if field.name != "whole"):
            assert np.array_equal(getattr(quick, part), getattr(thorough, part)), part


def test_what_is_not_finite_is_never_folded_the_quick_way() -> None:
    values = np.array([[1.0, np.nan, 3.0, np.inf]], np.float32)
    folded = every(cells_of_points(np.arange(4), values), 4)
    assert (folded.whole, folded.mean.tolist(), folded.bad.tolist()) == (False, [[2.0]], [[2]])
