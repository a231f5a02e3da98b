"""Ranks that train together end between the same two steps, though one of them alone hears of findings."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from torch import distributed
from torch.distributed import HashStore  # type: ignore[attr-defined]  # it is there

import trainvitals as tv
from tests.postgres import free_port
from tests.real_server import RealServer
from tests.sdk.test_acting_on_findings import FOUND
from trainvitals.joint_end import JointEnd
from trainvitals.ranks import Place

PATIENCE_SECONDS = 60.0
RANKS = 2
TRAINS = """
import math, sys, time, torch
from torch import distributed, nn
import trainvitals as tv

distributed.init_process_group("gloo")
rank = distributed.get_rank()
how = dict(word.split("=") for word in sys.argv[1:])
model = nn.parallel.DistributedDataParallel(nn.Linear(3, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
deaf = rank == 1 and how.get("deaf") == "yes"
run = tv.init(project="tests", on_finding=None if deaf else how["on_finding"])
run.watch(model, optimizer, every=1)

def step():
    optimizer.zero_grad()
    loss = model(torch.full((4, 3), math.nan)).sum()
    run.log({"loss": loss})  # in the middle of the step, where ranks are apart the most
    time.sleep(0.03 * rank)
    loss.backward()
    optimizer.step()

try:
    while True:
        step()
except tv.FindingRaised:
    run.finish()
finally:
    print(run.step, flush=True)
"""


def train(server: RealServer, folder: Path, *words: str) -> list[tuple[int, str, str]]:
    """Exit status, output and errors of two processes that nobody ends when the other one does."""
    script = folder / "train.py"
    script.write_text(TRAINS)
    environment = {
        **os.environ, "TRAINVITALS_SERVER_URL": server.url, "TRAINVITALS_DIR": str(folder / "spool"),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(RANKS), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    processes = [
        subprocess.Popen(
            [sys.executable, script, *words], env={**environment, "RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(RANKS)
    ]  # fmt: skip
    try:
        said = [process.communicate(timeout=PATIENCE_SECONDS) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, *one) for process, one in zip(processes, said, strict=True)]


@pytest.mark.slow
def test_all_ranks_stop_between_the_same_two_steps_without_a_launcher(server: RealServer, tmp_path: Path) -> None:
    (first, at, said), (second, also_at, also_said) = train(server, tmp_path, "on_finding=stop")
    assert (first, second) == (3, 3), said + also_said
    assert int(at) == int(also_at) > 0
    assert "Traceback" not in said + also_said
    assert server.only_run.summary.status == "stopped"
    assert (server.only_run.error or "").startswith("stopped: critical since step 0: ")


@pytest.mark.slow
def test_what_one_rank_raises_all_raise(server: RealServer, tmp_path: Path) -> None:
    (first, at, said), (second, also_at, also_said) = train(server, tmp_path, "on_finding=raise")
    assert (first, second) == (0, 0), said + also_said
    assert int(at) == int(also_at) > 0


@pytest.fixture
def met() -> Iterator[None]:
    """A process group of one, for its store."""
    distributed.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_an_end_that_was_caught_is_followed_by_another(met: None) -> None:
    told: list[str] = []
    ends = [JointEnd(Place(rank=rank, ranks=RANKS), key="run", tell=told.append) for rank in range(RANKS)]
    for end in ends:
        end.start()
    for _ in range(2):
        raised_at = steps_at_which_they_end(*ends)
        assert raised_at[0] == raised_at[1] > 0
    for end in ends:
        end.stop()
    assert not told


def steps_at_which_they_end(first: JointEnd, second: JointEnd) -> list[int]:
    """Where the first one's rank wishes it at step 0, and the second one's comes to each step before it."""
    ended = [-1, -1]
    deadline = time.monotonic() + PATIENCE_SECONDS
    for step in count():
        assert time.monotonic() < deadline
        for rank, end in ((1, second), (0, first)):
            try:
                end.look(stop if rank == step == 0 else lambda: None, step=step)
            except tv.TrainingStopped:
                ended[rank] = step
        if max(ended) >= 0:
            return ended
        time.sleep(0.01)
    raise AssertionError


def stop() -> None:
    raise tv.TrainingStopped(FOUND)


@pytest.mark.slow
def test_a_rank_that_cannot_hear_is_not_waited_for_in_vain(server: RealServer, tmp_path: Path) -> None:
    (first, _, said), _ = train(server, tmp_path, "on_finding=stop", "deaf=yes")
    assert first == 3
    assert said.count("not every rank hears that the training is to end") == 1
