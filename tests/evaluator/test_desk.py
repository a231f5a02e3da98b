"""What waits to be judged is bounded, at the cost of the run of which most waits."""

from __future__ import annotations

import os

from trainvitals.wire.frame import Frame, LayerStats, section
from trainvitals_server.evaluator.desk import MOST_WAITING_BYTES, Desk
from trainvitals_server.evaluator.history import History

NEARLY_ALL = MOST_WAITING_BYTES - 1024 * 1024


def frame(run_id: str, size: int) -> Frame:
    stats = LayerStats(steps=[0], layers=["a"], sections=[section("grad_norm", os.urandom(size))])
    return Frame(run_id=run_id, writer=1, seq=0, layer_stats=stats)


def test_beyond_the_bound_the_run_of_which_most_waits_is_recalled_from_the_store() -> None:
    desk = Desk()
    for run_id in ("large", "small"):
        desk.begin(History(run_id))
    desk.put("large", [frame("large", NEARLY_ALL)])
    desk.put("small", [frame("small", 2 * 1024 * 1024)])

    assert desk.run("large").is_stale
    assert not desk.run("small").is_stale
    assert len(desk.run("small").waiting) == 1
