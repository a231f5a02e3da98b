"""`make team`: PostgreSQL and the server on it, started and stopped as README says."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import urllib3

import trainvitals
from tests.faults.conftest import wait_until
from tests.postgres import free_port, programs

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
TOKEN = "a long secret"


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that PostgreSQL's own user reaches, unlike pytest's."""
    made = Path(tempfile.mkdtemp(prefix="tvteam"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


class Team:
    """The two processes under the script that `make team` runs."""

    def __init__(self, folder: Path) -> None:
        self.port, self.folder = free_port(), folder
        self.url = f"http://127.0.0.1:{self.port}"
        self._http = urllib3.PoolManager(retries=False, headers={"Authorization": f"Bearer {TOKEN}"})

    def __enter__(self) -> Team:
        settings = {"TEAM_DATA": str(self.folder), "TEAM_PORT": str(self.port), "TRAINVITALS_TOKEN": TOKEN}
        self._log = (self.folder / "team.log").open("a")
        self._process = subprocess.Popen(
            [ROOT / "scripts/team.sh"],
            env={**os.environ, **settings},
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        wait_until(self._answers, what="the team's server to answer")
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGINT)  # as Ctrl-C does
        assert self._process.wait(timeout=60) == 0
        self._log.close()

    def get(self, path: str) -> Any:
        answer = self._http.request("GET", f"{self.url}{path}")
        assert answer.status == 200, answer.data
        return answer.json()

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self.folder / "team.log").read_text()
        try:
            return self._http.request("GET", f"{self.url}/healthz").status == 200
        except urllib3.exceptions.HTTPError:
            return False


def _train(url: str, directory: Path, steps: int) -> str:
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with trainvitals.init(project="team", server_url=url, directory=directory) as run:
        run.watch(model, optimizer)
        for _ in range(steps):
            loss = model(torch.randn(8, 4)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log({"loss": loss})
    return run.run_id


def test_a_team_s_server_keeps_runs_on_postgresql_between_starts(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs()  # skips where there is no PostgreSQL
    monkeypatch.setenv("TRAINVITALS_TOKEN", TOKEN)
    with Team(folder) as team:
        assert team.get("/healthz")["database"] == "postgresql"
        run_id = _train(team.url, tmp_path, steps=60)
        assert urllib3.request("GET", f"{team.url}/api/v1/runs", retries=False).status == 401
    with Team(folder) as team:
        assert team.get(f"/api/v1/runs/{run_id}")["summary"]["status"] == "finished"
        assert team.get(f"/api/v1/runs/{run_id}/curve?metric=loss")["steps"] == list(range(60))
