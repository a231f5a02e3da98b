"""A training as the SDK would send it."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx2
import numpy as np

from trainvitals.wire import coding
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, LayerStats, MetricPoints, encode_frame, section
from trainvitals.wire.messages import LayerInfo, ModelInfo, RunEnd, RunStart

HEADERS = {"Content-Type": coding.MSGPACK}
LAYERS = [f"blocks.{block}.{part}" for block in range(4) for part in ("attn", "mlp")]


class Training:
    """One run with eight layers; every frame has loss, learning rate, gradient norm and what ``more`` computes."""

    def __init__(
        self,
        address: str,
        run_id: str,
        *,
        more: dict[str, Callable[[int], float]] | None = None,
        token: str | None = None,
    ) -> None:
        self.run_id, self.sent, self.step, self.more = run_id, 0, 0, more or {}
        self.headers = HEADERS | ({"Authorization": f"Bearer {token}"} if token else {})
        self.base = f"{address}/api/v1/runs/{run_id}"
        config = {"optimizer": {"lr": 0.001}, "batch size": 64}
        start = RunStart(project="pages", name=f"net {run_id}", started_at=time.time(), tags=["test"], config=config)
        self._put("", start)
        layers = [LayerInfo(name=name, kind="Linear", parameters=100, trainable=100) for name in LAYERS]
        self._put("/model", ModelInfo(layers=layers))

    def train(
        self,
        steps: int,
        *,
        loss: Callable[[int], float] = lambda step: 3.0 / (1 + step / 50),
        watched: bool = True,
        update_ratio: float = 1e-3,
    ) -> None:
        """Send one frame of that many steps, with a snapshot of each where it is ``watched``."""
        at = list(range(self.step, self.step + steps))
        named = {"loss": loss, "lr": lambda step: 1e-3, "grad_norm": lambda step: 0.5, **self.more}
        metrics = [
            MetricPoints(metric=name, steps=at, values=Floats.of([compute(step) for step in at]))
            for name, compute in named.items()
        ]
        values = {"update_ratio": update_ratio, "grad_norm": 0.1, "zero_fraction": 0.2, "activation_std": 1.0}
        sections = [
            section(stat, np.full((len(LAYERS), steps), value, "<f4").tobytes()) for stat, value in values.items()
        ]
        stats = LayerStats(steps=at, layers=LAYERS, sections=sections)
        frame = Frame(
            run_id=self.run_id, writer=1, seq=self.sent, layer_stats=stats if watched else None, metrics=metrics
        )
        httpx2.post(f"{self.base}/frames", content=encode_frame(frame), headers=self.headers).raise_for_status()
        self.sent, self.step = self.sent + 1, self.step + steps

    def end(self) -> None:
        """Finish the run."""
        self._put("/end", RunEnd(status="finished", ended_at=time.time()))

    def _put(self, path: str, message: object) -> None:
        httpx2.put(f"{self.base}{path}", content=coding.encode(message), headers=self.headers).raise_for_status()
