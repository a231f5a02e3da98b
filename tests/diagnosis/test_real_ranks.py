"""Real trainings of several processes, recorded by the SDK, shipped in one order or the other, and judged."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trainvitals.spool import Spool
from trainvitals.wire import coding
from trainvitals.wire.frame import decode_frame
from trainvitals.wire.messages import Finding, ModelInfo, RunEnd, RunStart
from trainvitals_server.evaluator import Evaluator
from trainvitals_server.store.interface import ReceivedFrame, Store
from trainvitals_server.store.opening import open_store

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[2]


def train(how: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.diagnosis.ranks_training", how, str(folder)], cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=180, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def ship(spool: Spool, store: Store, evaluator: Evaluator) -> None:
    """All of a spool, as the server takes it."""
    run_id = spool.run_id
    while (record := spool.next()) is not None:
        if record.kind == "start":
            if store.start_run(run_id, coding.decode(record.payload, RunStart), now=1.0):
                evaluator.started(run_id, planned_steps=None)
        elif record.kind == "model":
            model = coding.decode(record.payload, ModelInfo)
            store.set_model(run_id, model)
            evaluator.model(run_id, model)
        elif record.kind == "frame":
            frame = decode_frame(record.payload)
            store.append([ReceivedFrame(frame=frame, payload=record.payload, received_at=2.0)])
            evaluator.feed(run_id, [frame])
        elif store.end_run(run_id, coding.decode(record.payload, RunEnd)):
            evaluator.ended(run_id)
        spool.acknowledge(record)
    assert evaluator.drain(60)


def judged(folder: Path, *, last: int) -> list[Finding]:
    """What is found in the only run of a folder, when the spool of rank ``last`` is shipped last."""
    store = open_store(f"sqlite:///{folder}/runs.sqlite3")
    evaluator = Evaluator(store, now=lambda: 2.0, on_findings=lambda *_: None)
    evaluator.start()
    spools = []
    for path in folder.rglob("*.spool"):
        spool = Spool(path)
        assert spool.open()
        record = spool.next()
        assert record is not None
        spools.append((coding.decode(record.payload, RunStart).rank == last, spool))
    for _, spool in sorted(spools, key=lambda pair: pair[0]):
        ship(spool, store, evaluator)
        spool.close()
    (run_id,) = {spool.run_id for _, spool in spools}
    detail, found = store.run(run_id), store.findings(run_id)
    assert (detail.summary.status, detail.summary.ranks) == ("finished", len(spools))
    evaluator.stop()
    store.close()
    return [finding for finding in found if finding.state == "open"]


def in_both_orders(how: str, folder: Path) -> list[list[Finding]]:
    """Of one training, shipped in one order and in the other."""
    train(how, folder / "0")
    shutil.copytree(folder / "0", folder / "1")
    return [judged(folder / str(last), last=last) for last in (0, 1)]


@pytest.mark.parametrize("how", ["healthy", "evaluating"])
def test_healthy_ranks_have_no_finding_at_warning_or_above(tmp_path: Path, how: str) -> None:
    for found in in_both_orders(how, tmp_path):
        assert [finding.summary for finding in found if finding.severity != "info"] == []


@pytest.mark.parametrize(
    ("how", "rule", "words"),
    [
        ("held up", "slow_rank", "Rank 1 waits for data"),
        ("mislabelled", "rank_outlier", "The loss of rank 1 stays above"),
        ("gone round", "gradients_not_shared", "each rank trains a model of its own"),
    ],
)
def test_sick_ranks_are_found(tmp_path: Path, how: str, rule: str, words: str) -> None:
    for found in in_both_orders(how, tmp_path):
        (told,) = [one for one in found if one.rule in ("slow_rank", "rank_outlier", "gradients_not_shared")]
        assert (told.rule, words in told.summary) == (rule, True)
