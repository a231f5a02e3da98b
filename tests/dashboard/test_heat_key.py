"""The key of a heatmap names what is seen in it."""

from __future__ import annotations

import math

import pytest

from trainvitals.wire.answers import Heatmap
from trainvitals.wire.floats import Floats
from trainvitals_dashboard.figures.heat import heat
from trainvitals_dashboard.parts.colorbar import heat_key

VALUES = Floats.of([1e-3, 1e-3, 1e-3, math.nan])
HEATMAP = Heatmap(
    run_id="r", stat="update_ratio", layers=["fc", "relu"], steps=[0, 10], last_step=10, mean=VALUES, high=VALUES,
    nonfinite=[0, 0, 0, 1],
)  # fmt: skip


@pytest.mark.parametrize(("applicable", "is_named"), [(["fc", "relu"], True), (["fc"], False)])
def test_cells_that_are_not_finite_are_named_where_they_are_drawn(applicable: list[str], is_named: bool) -> None:
    key = heat_key(HEATMAP, heat(HEATMAP, applicable=applicable))

    assert ("not finite" in str(key)) is is_named
