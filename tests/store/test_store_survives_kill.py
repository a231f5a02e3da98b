"""What was acknowledged is there after the appending process was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.sample_frames import RUN, WHOLE, merge_all
from trainvitals_server.store.opening import open_store

REPOSITORY = Path(__file__).parents[2]
APPENDING_AND_MERGING = """
import sys, threading
from tests.store.sample_frames import metric_frame, start
from trainvitals_server.store.opening import open_store

store = open_store(sys.argv[1])
start(store)

def merge():
    while True:
        store.merge(force=True)

threading.Thread(target=merge, daemon=True).start()
for seq in range(1_000_000):
    store.append([metric_frame(seq, range(seq * 8, seq * 8 + 8), [float(seq)] * 8, writer=int(sys.argv[2]))])
    print(seq, flush=True)
"""


@pytest.mark.slow
def test_every_acknowledged_frame_survives_kill_9_amid_appends_and_merges(database_url: str) -> None:
    acknowledged = 0
    for life in range(3):
        command = [sys.executable, "-c", APPENDING_AND_MERGING, database_url, str(life)]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            seqs = [int(child.stdout.readline()) for _ in range(40 + 30 * life)]
            child.kill()
            seqs += [int(line) for line in child.stdout if line.endswith("\n")]
        acknowledged = max(acknowledged, seqs[-1] + 1)

        store = open_store(database_url)
        for _ in ("as it was left", "merged"):
            curve = store.metric_curve(RUN, "loss", span=WHOLE, points=100_000)
            assert len(curve.steps) % 8 == 0
            assert curve.steps == list(range(len(curve.steps)))
            assert len(curve.steps) >= acknowledged * 8
            assert curve.mean.tolist() == [float(step // 8) for step in curve.steps]
            merge_all(store)
        store.close()
