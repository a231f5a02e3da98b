"""The whole way of a number, in one process: a real network, the real server, a real rule, the real figures."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import torch
import uvicorn
from fastapi import FastAPI
from torch import nn

import trainvitals as tv
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.figures.distribution import distribution
from trainvitals_dashboard.figures.heat import heat
from trainvitals_dashboard.figures.lines import loss as loss_figure
from trainvitals_server.app import create_app
from trainvitals_server.settings import Settings
from trainvitals_server.store.opening import open_store

pytestmark = pytest.mark.slow
STEPS = 120
PATIENCE_SECONDS = 60.0


def wait_until(condition: Callable[[], bool], *, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    settings = Settings(database=f"sqlite:///{tmp_path}/runs.sqlite3")
    store = open_store(settings.database)
    yield create_app(settings, store=store)
    store.close()


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, what="the server")
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def train_deep_sigmoids(url: str, folder: Path) -> tuple[str, list[float]]:
    torch.manual_seed(0)
    hidden = [part for _ in range(8) for part in (nn.Linear(32, 32), nn.Sigmoid())]
    model = nn.Sequential(*hidden, nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    with tv.init(project="journey", name="sick", server_url=url, directory=folder) as run:
        run.watch(model, optimizer)
        for _ in range(STEPS):
            loss = nn.functional.cross_entropy(model(torch.randn(64, 32)), torch.randint(4, (64,)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log({"loss": loss})
            losses.append(loss.item())
    return run.run_id, losses


def test_a_number_travels_from_the_hook_to_the_figure(app: FastAPI, url: str, tmp_path: Path) -> None:
    run_id, losses = train_deep_sigmoids(url, tmp_path / "spool")

    def rules_found() -> list[str]:
        found: list[dict[str, Any]] = httpx2.get(f"{url}/api/v1/runs/{run_id}/findings").json()["findings"]
        return [finding["rule"] for finding in found]

    wait_until(lambda: "vanishing_gradients" in rules_found(), what="the finding")
    detail, curve, findings, heatmap, histograms = asyncio.run(ask(app, run_id))
    assert detail.summary.status == "finished"
    assert curve.steps == list(range(STEPS))
    assert curve.mean.tolist() == np.float32(losses).tolist()
    drawn = loss_figure(curve, findings=findings).to_json()
    assert all(finding.finding_id in drawn or finding.summary in drawn for finding in findings)
    assert len(histograms.steps) > 1
    assert distribution(histograms).data[0].z.shape[1] == len(histograms.steps)
    shares = np.frombuffer(histograms.shares.data, "<f4").reshape(len(histograms.steps), -1)
    assert shares.sum(axis=1) == pytest.approx(1, abs=0.01)
    assert shares[0, 30:34].sum() > 0.9  # vanished: so small are nearly all gradients of the first layer
    assert heat(heatmap).data[0].z.shape[1] == sum(layer.parameters > 0 for layer in detail.layers)


async def ask(app: FastAPI, run_id: str) -> Any:
    api = Api(app, token=None)
    return (
        await api.run(run_id),
        await api.metric_curve(run_id, "loss"),
        (await api.findings(run_id)).findings,
        await api.heatmap(run_id, "grad_norm"),
        await api.histograms(run_id, "gradients", "0"),
    )
