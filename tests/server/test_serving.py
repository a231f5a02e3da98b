"""`trainvitals serve` as a process: what it refuses, and what it keeps when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.server.sending import FRAMES, MSGPACK, RUN, START, loss_frame
from trainvitals.wire import coding
from trainvitals.wire.frame import encode_frame
from trainvitals_server.settings import SettingsError, settings_from

pytestmark = pytest.mark.slow
SERVE = [sys.executable, "-m", "trainvitals_server.cli", "serve"]
ADDRESS = "trainvitals is at "


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRAINVITALS_")}
    return {**kept, "TRAINVITALS_DIR": str(folder / "spool")}


def _refusal(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*SERVE, "--data", str(folder), *arguments]
    return subprocess.run(command, env=_environment(folder), capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], tuple[subprocess.Popen[str], str]]:
    def begin() -> tuple[subprocess.Popen[str], str]:
        command = [*SERVE, "--data", str(tmp_path), "--port", "0"]
        process = subprocess.Popen(command, env=_environment(tmp_path), stdout=subprocess.PIPE, text=True)
        request.addfinalizer(lambda: _end(process))
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(ADDRESS), line
        return process, line.removeprefix(ADDRESS).split()[0]

    return begin


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


@pytest.mark.parametrize("token", ["ключ", "€uro", "two\nlines"])
def test_refuses_a_token_that_does_not_survive_its_way(token: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="only ASCII"):
        settings_from({"TRAINVITALS_TOKEN": token}, data=tmp_path)


def test_refuses_to_listen_to_the_world_without_a_token(tmp_path: Path) -> None:
    refused = _refusal(tmp_path, "--host", "0.0.0.0")
    assert (refused.returncode, "TRAINVITALS_TOKEN" in refused.stderr) == (2, True)


def test_refuses_a_second_server_on_the_same_file(
    tmp_path: Path, start: Callable[[], tuple[subprocess.Popen[str], str]]
) -> None:
    start()
    refused = _refusal(tmp_path, "--port", "0")
    assert (refused.returncode, "another server" in refused.stderr) == (1, True)


def test_refuses_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = _refusal(tmp_path, "--port", "0", "--data", str(tmp_path / "file"))
    assert (refused.returncode, "name a folder that can be written with --data" in refused.stderr) == (1, True)
    assert "Traceback" not in refused.stderr


def test_names_another_port_where_one_is_taken(
    tmp_path: Path, start: Callable[[], tuple[subprocess.Popen[str], str]]
) -> None:
    _, url = start()
    port = int(url.rpartition(":")[2])
    refused = _refusal(tmp_path / "other", "--port", str(port))
    assert (refused.returncode, f"Try --port {port + 1}" in refused.stderr) == (1, True)


def test_ends_within_seconds_when_asked_to(start: Callable[[], tuple[subprocess.Popen[str], str]]) -> None:
    process, _ = start()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0


def test_has_every_acknowledged_frame_after_a_kill(start: Callable[[], tuple[subprocess.Popen[str], str]]) -> None:
    process, url = start()
    httpx2.put(f"{url}/api/v1/runs/{RUN}", content=coding.encode(START), headers=MSGPACK).raise_for_status()
    acknowledged: list[int] = []

    def post(worker: int) -> None:
        with httpx2.Client(base_url=url) as client:
            for seq in range(worker, 100_000, 4):
                try:
                    answer = client.post(FRAMES, content=encode_frame(loss_frame(seq, 1.0)), headers=MSGPACK)
                except httpx2.TransportError:
                    return
                assert answer.status_code == 200
                acknowledged.append(seq * 10)
                if len(acknowledged) == 200:
                    process.kill()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(post, range(4)))
    process.wait()
    _, url = start()
    curve = httpx2.get(f"{url}/api/v1/runs/{RUN}/curve?metric=loss&points=20000").raise_for_status().json()
    assert len(acknowledged) >= 200
    assert set(acknowledged) <= set(curve["steps"])
    assert len(curve["steps"]) == len(set(curve["steps"]))
