"""Ranks that train together are judged together, in whatever order they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, MetricPoints, encode_frame
from trainvitals.wire.messages import Finding, RunStart
from trainvitals_server.evaluator import Evaluator
from trainvitals_server.store.interface import ReceivedFrame, Store
from trainvitals_server.store.opening import open_store

STEPS = 400
RANKS = 4
A_FRAME = 50
HARD = 0.6  # by how much a batch's loss is above the others'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/runs.sqlite3")
    opened.start_run("r", RunStart(project="p", name="n", started_at=1.0, ranks=RANKS), now=1.0)
    yield opened
    opened.close()


@pytest.fixture
def evaluator(store: Store) -> Iterator[Evaluator]:
    running = Evaluator(store, now=lambda: 3.0, on_findings=lambda *_: None)
    running.start()
    running.started("r", planned_steps=None)
    yield running
    running.stop()


def losses(rank: int, *, spike: float = 0.0) -> list[float]:
    """Falling, with a batch at step 300 that is harder by ``spike``."""
    curve = 0.5 + 2 * np.exp(-np.arange(STEPS) / 60) + 0.05 * np.random.default_rng(rank).standard_normal(STEPS)
    curve[300] += spike
    found: list[float] = curve.tolist()
    return found


def frames(store: Store, rank: int, values: list[float], metric: str = "loss") -> list[Frame]:
    """What a rank recorded, stored."""
    made = []
    for seq, first in enumerate(range(0, len(values), A_FRAME)):
        part = values[first : first + A_FRAME]
        points = MetricPoints(metric=metric, steps=list(range(first, first + len(part))), values=Floats.of(part))
        made.append(Frame(run_id="r", writer=rank + 1, seq=seq, rank=rank, metrics=[points]))
    store.append([ReceivedFrame(frame=frame, payload=encode_frame(frame), received_at=2.0) for frame in made])
    return made


def rules_of(findings: list[Finding]) -> set[str]:
    return {finding.rule for finding in findings if finding.state == "open"}


@pytest.mark.parametrize("behind", [0, 1, 3])
def test_a_hard_batch_of_one_rank_is_no_spike_of_the_run(store: Store, evaluator: Evaluator, behind: int) -> None:
    told = [frames(store, rank, losses(rank, spike=0.0 if rank else HARD)) for rank in range(RANKS)]
    for at in range(len(told[0]) + behind):
        for rank, of in enumerate(told):
            place = at - (behind if rank else 0)  # others arrive so many frames later
            if 0 <= place < len(of):
                evaluator.feed("r", [of[place]])
                assert evaluator.drain()
    evaluator.ended("r")
    assert evaluator.drain()
    assert rules_of(store.findings("r")) == set()


def test_the_same_batch_is_a_spike_where_it_is_all_that_was_trained_on(store: Store, evaluator: Evaluator) -> None:
    evaluator.feed("r", frames(store, 0, losses(0, spike=HARD)))
    evaluator.ended("r")
    assert evaluator.drain()
    assert rules_of(store.findings("r")) == {"loss_spike"}


def test_a_spike_of_all_ranks_is_one(store: Store, evaluator: Evaluator) -> None:
    for rank in range(RANKS):
        evaluator.feed("r", frames(store, rank, losses(rank, spike=8.0)))
    evaluator.ended("r")
    assert evaluator.drain()
    assert rules_of(store.findings("r")) == {"loss_spike"}


def test_a_run_of_which_rank_0_alone_logs_is_judged_as_ever(store: Store, evaluator: Evaluator) -> None:
    evaluator.feed("r", frames(store, 0, losses(0, spike=8.0)))
    for rank in range(1, RANKS):
        evaluator.feed("r", frames(store, rank, [0.1] * STEPS, metric="seconds/forward"))
    evaluator.ended("r")
    assert evaluator.drain()
    assert rules_of(store.findings("r")) == {"loss_spike"}


def test_nan_in_one_rank_is_told_at_once_and_of_that_rank(store: Store, evaluator: Evaluator) -> None:
    ill = losses(2)
    ill[120] = float("nan")
    evaluator.feed("r", frames(store, 0, losses(0)))
    evaluator.feed("r", frames(store, 2, ill))
    assert evaluator.drain()
    (finding,) = store.findings("r")
    assert finding.rule == "non_finite_values"
    assert finding.summary.startswith("The loss of rank 2 is NaN or infinite at step 120")


def test_a_rank_that_falls_silent_does_not_keep_the_others_from_being_judged(
    store: Store, evaluator: Evaluator
) -> None:
    long = [2.0 + 0.01 * (step % 3) for step in range(3000)]
    evaluator.feed("r", frames(store, 1, long[:100]))
    evaluator.feed("r", frames(store, 0, long))
    assert evaluator.drain()
    assert rules_of(store.findings("r")) == {"loss_not_decreasing"}


def test_a_new_server_judges_all_ranks_as_the_old_one_did(store: Store) -> None:
    apart = [frames(store, rank, [value + (1.0 if rank == 3 else 0.0) for value in losses(rank)]) for rank in range(4)]
    late = Evaluator(store, now=lambda: 3.0, on_findings=lambda *_: None)
    late.start()
    for _ in range(2):  # it knows of nothing before the last frame
        late.feed("r", apart[0][-1:])
        assert late.drain()
    late.ended("r")
    assert late.drain()
    late.stop()
    assert rules_of(store.findings("r")) == {"rank_outlier"}


LATE = 1000  # the step of a spike that is long past when the last frame comes


@pytest.mark.parametrize("pieces", [20, 200, 800, 2400])
@pytest.mark.parametrize("first", [0, 3])
def test_findings_do_not_depend_on_the_pieces_in_which_ranks_arrive(
    store: Store, evaluator: Evaluator, pieces: int, first: int
) -> None:
    steps = np.arange(2400)
    curves = [0.3 + 2 / (1 + steps / 60) + 0.02 * np.random.default_rng(r).standard_normal(2400) for r in range(RANKS)]
    told: list[Frame] = []
    for rank, curve in enumerate(curves):
        curve[LATE : LATE + 3] += 3.0
        for seq, start in enumerate(range(0, 2400, pieces)):
            at = list(range(start, start + pieces))
            points = MetricPoints(metric="loss", steps=at, values=Floats.of(curve[at].tolist()))
            told.append(Frame(run_id="r", writer=rank + 1, seq=seq, rank=rank, metrics=[points]))
    told.sort(key=lambda frame: (frame.seq, (frame.rank - first) % RANKS))  # one rank's before the others'
    store.append([ReceivedFrame(frame=frame, payload=encode_frame(frame), received_at=2.0) for frame in told])
    for frame in told:
        evaluator.feed("r", [frame])
        assert evaluator.drain()
    evaluator.ended("r")
    assert evaluator.drain()

    assert [(found.rule, found.first_step) for found in store.findings("r")] == [("loss_spike", LATE)]


def looks_at(store: Store, told: list[list[Frame]]) -> int:
    """How often a run is looked at of which these ranks tell."""
    looks: list[int] = []
    counting = Evaluator(
        store, rules={"counting": lambda window: looks.append(1) or ()}, now=lambda: 3.0, on_findings=lambda *_: None
    )
    counting.started("r", planned_steps=None)
    for group in zip(*told, strict=True):
        counting.feed("r", group)
    counting.start()
    assert counting.drain()
    counting.stop()
    return len(looks)


def test_many_ranks_are_judged_in_as_many_turns_as_one(store: Store, evaluator: Evaluator) -> None:
    told = [frames(store, rank, losses(rank)) for rank in range(64)]

    assert looks_at(store, told) <= looks_at(store, told[:1]) + 2
