"""Frames that are too large for the server, or for a proxy before it, arrive in parts, each once."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import trainvitals
from tests.real_server import RealServer, serving
from tests.sdk.conftest import histograms_at, metric_points, stats_at
from trainvitals.client import Client
from trainvitals.halving import halves
from trainvitals.wire import coding
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, LayerStats, Limits, MetricPoints, decode_frame, encode_frame, section
from trainvitals.wire.histograms import CELLS, Histograms, part
from trainvitals.wire.messages import RunStart
from trainvitals_server.store.interface import Span

STEPS = [3, 5, 8, 13, 21]
LAYERS = ["stem", "head"]
SMALL = 8192  # bytes, of which a run's first record needs some


def whole() -> Frame:
    values = np.arange(len(LAYERS) * len(STEPS), dtype="<f4").reshape(len(LAYERS), -1)
    values[0, 2] = math.nan
    cells = np.arange(len(LAYERS) * len(STEPS) * CELLS, dtype="<u2")
    return Frame(
        run_id="r",
        writer=7,
        seq=5,
        layer_stats=LayerStats(
            steps=STEPS,
            layers=LAYERS,
            sections=[section("grad_norm", values.tobytes()), section("update_ratio", (values * 2).tobytes())],
        ),
        metrics=[MetricPoints(metric="loss", steps=[9, 3, 3, 21], values=Floats.of([0.9, 0.3, 0.4, math.inf]))],
        histograms=Histograms(
            steps=STEPS[1:], layers=LAYERS, parts=[part("weights", cells.tobytes()[: 2 * 8 * CELLS])]
        ),
    )


def pieces(payload: bytes) -> list[Frame]:
    """Taken apart as far as it goes."""
    found = halves(payload)
    return [piece for half in found for piece in pieces(half)] if found else [decode_frame(payload)]


def test_parts_say_together_what_the_frame_said() -> None:
    frame, parts = whole(), pieces(encode_frame(whole()))

    for step in STEPS:
        np.testing.assert_equal(stats_at(parts, step), stats_at([frame], step))
        np.testing.assert_equal(histograms_at(parts, step), histograms_at([frame], step))
    assert sorted(metric_points(parts, "loss")) == sorted(metric_points([frame], "loss"))
    assert [step for step, _ in metric_points(parts, "loss")] == [3, 3, 9, 21]


def test_parts_have_numbers_of_their_own_and_the_same_ones_every_time() -> None:
    first, again = (pieces(encode_frame(whole())) for _ in range(2))
    numbers = [part.seq for part in first]

    assert numbers == [part.seq for part in again]
    assert len({*numbers, whole().seq}) == len(numbers) + 1
    assert {part.writer for part in first} == {7}


def test_a_run_arrives_whole_at_a_server_that_takes_small_bodies_only(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(*[torch.nn.Linear(8, 8) for _ in range(6)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with serving(tmp_path, limits=Limits(max_bytes=SMALL)) as server:
        run = trainvitals.init(mode="online", directory=tmp_path / "spool", server_url=server.url)
        run.watch(model, optimizer, every=1)
        for step in range(32):
            model(torch.randn(4, 8)).square().mean().backward()
            optimizer.step()
            run.log({f"loss {number}": float(step) for number in range(200)})
        run.finish()
        assert_whole(server, run.run_id, steps=32)


def test_parts_that_come_twice_and_the_whole_after_them_change_nothing(server: RealServer) -> None:
    frame, client = encode_frame(whole()), Client(server.url, None)
    start = RunStart(project="tests", name="parts", started_at=time.time())
    client.send("start", "r", coding.encode(start))
    for payload in [*halves(frame), *halves(frame), frame]:
        assert client.send("frame", "r", payload).outcome == "taken"
    client.close()

    assert server.points("r", "loss") == [(3, pytest.approx(0.4)), (9, pytest.approx(0.9)), (21, math.inf)]
    curve = server.store.stat_curve("r", "grad_norm", "head", span=Span(), points=100)
    assert (curve.steps, curve.mean.tolist()) == (STEPS, [5.0, 6.0, 7.0, 8.0, 9.0])


def assert_whole(server: RealServer, run_id: str, *, steps: int) -> None:
    assert server.only_run.summary.status == "finished"
    for number in (0, 199):
        assert server.points(run_id, f"loss {number}") == [(step, float(step)) for step in range(steps)]
    assert server.points(run_id, "grad_norm")[-1][0] == steps - 1


def test_what_a_proxy_does_not_take_waits_and_the_terminal_says_what_to_set(
    receiver: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.speaks_api = False
    receiver.refusals.extend([(413, {})] * 5)
    run = trainvitals.init(mode="online", directory=tmp_path, server_url=receiver.url)
    run.finish()
    assert capsys.readouterr().err.count("TRAINVITALS_MAX_FRAME_BYTES") == 1
    assert [file.suffix for file in tmp_path.rglob("*") if file.is_file()].count(".spool") == 1
