"""The whole way of a preflight: from a script over spool and server to its run's page."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import uvicorn
from fastapi import FastAPI
from torch import nn

import trainvitals as tv
from trainvitals.command import main
from trainvitals.preflight.report import Preflight
from trainvitals.wire.preflight import PreflightCheck
from trainvitals_dashboard.api import Api
from trainvitals_dashboard.gathering import gather_run
from trainvitals_dashboard.parts.preflight_card import preflight_card
from trainvitals_server.app import create_app
from trainvitals_server.settings import Settings
from trainvitals_server.store.opening import open_store

pytestmark = pytest.mark.slow
PATIENCE_SECONDS = 60.0


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
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not server.started:
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def checked(url: str, folder: Path, *, mode: str = "online", before: bool = False) -> tuple[str, Preflight]:
    """A run and its preflight, within it or ``before`` it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 3), nn.Softmax(-1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    batch = torch.randn(24, 6), torch.arange(24) % 3

    def check() -> Preflight:
        return tv.preflight(model, nn.CrossEntropyLoss(), batch, optimizer, num_classes=3, quiet=True)

    early = check() if before else None
    with tv.init(project="journey", name="checked", server_url=url, mode=mode, directory=folder) as run:
        report = early or check()
    return run.run_id, report


def kept(app: FastAPI, run_id: str) -> list[PreflightCheck]:
    return asyncio.run(gather_run(Api(app), run_id, stat="update_ratio")).detail.preflight


@pytest.mark.parametrize("before", [False, True])
def test_a_preflight_travels_from_the_script_to_the_page(
    app: FastAPI, url: str, tmp_path: Path, *, before: bool
) -> None:
    run_id, report = checked(url, tmp_path / "spool", before=before)

    assert [check.name for check in report.failed] == ["softmax_before_loss"]
    assert kept(app, run_id) == list(report.checks)
    assert preflight_card(kept(app, run_id)) is not None


def test_a_preflight_made_offline_is_shipped_later(app: FastAPI, url: str, tmp_path: Path) -> None:
    run_id, report = checked(url, tmp_path / "spool", mode="offline")

    assert main(["sync", str(tmp_path / "spool"), "--server-url", url]) == 0
    assert kept(app, run_id) == list(report.checks)
