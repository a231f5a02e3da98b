"""Frames for the server's tests."""

from __future__ import annotations

import math
from typing import Any

from starlette.testclient import TestClient

from trainvitals.wire import coding
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, LayerStats, MetricPoints, encode_frame, section
from trainvitals.wire.messages import RunStart

LOCAL = {"Host": "localhost"}
RUN = "run-a"
START = RunStart(project="tests", name="a run", started_at=1000.0)
MSGPACK = {"Content-Type": coding.MSGPACK}
FRAMES = f"/api/v1/runs/{RUN}/frames"


def loss_frame(seq: int, *values: float, run_id: str = RUN, attempt: int = 0) -> Frame:
    """``values`` of the loss at steps from ``seq`` times ten."""
    steps = [seq * 10 + place for place in range(len(values))]
    points = MetricPoints(metric="loss", steps=steps, values=Floats.of(values))
    return Frame(run_id=run_id, writer=1, seq=seq, attempt=attempt, metrics=[points])


def layer_frame(seq: int) -> Frame:
    """Two stats of two layers at one step, a NaN among them."""
    matrix = Floats.of([1.5, math.nan]).data
    sections = [section("grad_norm", matrix), section("weight_norm", matrix)]
    return Frame(
        run_id=RUN, writer=1, seq=seq, layer_stats=LayerStats(steps=[seq], layers=["a", "b"], sections=sections)
    )


def send(client: TestClient, frame: Frame) -> Any:  # Any: the client's response
    return client.post(f"/api/v1/runs/{frame.run_id}/frames", content=encode_frame(frame), headers=MSGPACK)
