"""What reaches the server, through refusals, absences and deaths."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import trainvitals
from tests.postgres import free_port
from trainvitals.command import main
from trainvitals.run import SHUTDOWN_SECONDS
from trainvitals.settings import folder_of
from trainvitals.spool import Spool, SpoolFull, left_over
from trainvitals.wire import coding
from trainvitals.wire.messages import RunEnd, RunStart


def online(receiver: Any, directory: Path, **more: Any) -> trainvitals.Run:
    return trainvitals.init(
        project="tests", name="online", server_url=receiver.url, mode="online", directory=directory, **more
    )


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_sends_a_run_from_start_to_end_and_leaves_nothing_on_disk(receiver: Any, tmp_path: Path) -> None:
    run = online(receiver, tmp_path, config={"lr": 0.1, "path": Path("x")})
    for step in range(5):
        run.log({"loss": float(step)})
    run.finish()

    base = f"/api/v1/runs/{run.run_id}"
    assert receiver.paths == [f"PUT {base}", f"POST {base}/frames", f"PUT {base}/end"]
    start = coding.decode(receiver.requests[0][2], RunStart)
    assert (start.project, start.config) == ("tests", {"lr": 0.1, "path": "x"})
    assert receiver.points("loss") == [(step, float(step)) for step in range(5)]
    assert files(tmp_path) == []


class Spiteful:
    def __str__(self) -> str:
        raise RuntimeError("no words")

    def __index__(self) -> int:
        raise RuntimeError("no number")


@pytest.mark.parametrize("tags", [None, 5, Spiteful(), [Spiteful(), "good"]])
def test_a_run_begins_whatever_its_tags_are(receiver: Any, tmp_path: Path, tags: Any) -> None:
    odd = Spiteful()
    run = online(receiver, tmp_path, tags=tags, group=odd, planned_steps=odd, config=odd)
    run.log({"loss": 1.0})
    run.finish()
    assert receiver.points("loss") == [(0, 1.0)]
    assert coding.decode(receiver.requests[0][2], RunStart).planned_steps is None


def test_a_run_of_endless_names_and_data_for_settings_starts_all_the_same(
    receiver: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {f"image {number}": "x" * 1000 for number in range(2000)}
    run = trainvitals.init(
        project="p" * 600, name="n" * 600, group="", tags=["t" * 600] * 200, planned_steps="many", config=settings,
        server_url=receiver.url, mode="online", directory=tmp_path,
    )  # fmt: skip
    run.finish()

    start = coding.decode(receiver.requests[0][2], RunStart)
    assert [len(start.project), len(start.name), len(start.tags), len(start.tags[0])] == [512, 512, 100, 512]
    assert (start.group, start.planned_steps, start.config) == (None, None, {})
    said = capsys.readouterr().err
    assert "'many' is no whole number" in said
    assert "give settings, not data" in said


@pytest.mark.parametrize("status", [429, 500, 503, 408])
def test_sends_again_what_a_busy_server_did_not_take(receiver: Any, tmp_path: Path, status: int) -> None:
    receiver.refusals.extend([(status, {"Retry-After": "0.01"})] * 3)
    run = online(receiver, tmp_path)
    run.log({"loss": 1.0})
    run.finish()
    assert receiver.points("loss") == [(0, 1.0)]
    assert receiver.ended


def test_drops_what_the_server_refuses_and_says_so(
    receiver: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.refusals.append((422, {}))
    run = online(receiver, tmp_path)
    run.finish()
    assert receiver.ended
    assert "dropped: 1 (refused by the server)" in capsys.readouterr().err


def test_introduces_the_run_again_to_a_server_that_lost_it(receiver: Any, tmp_path: Path) -> None:
    run = online(receiver, tmp_path)
    receiver.wait_for(lambda: len(receiver.paths) == 1)
    receiver.refusals.append((404, {}))
    run.log({"loss": 1.0})
    run.finish()
    assert receiver.paths.count(f"PUT /api/v1/runs/{run.run_id}") == 2
    assert receiver.points("loss") == [(0, 1.0)]


def test_explains_a_missing_token_once(receiver: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    receiver.refusals.extend([(401, {})] * 5)
    run = online(receiver, tmp_path)
    run.finish()
    said = capsys.readouterr().err
    assert said.count("set TRAINVITALS_TOKEN") == 1
    assert "wants a token" in said
    assert [file.suffix for file in files(tmp_path)].count(".spool") == 1


def test_a_server_that_never_answers_delays_nothing_but_the_end(receiver: Any, tmp_path: Path) -> None:
    receiver.answers_wait_for = threading.Event()
    run = online(receiver, tmp_path)
    begun = time.monotonic()
    for step in range(20_000):
        run.log({"loss": float(step)})
    logged = time.monotonic() - begun
    run.finish()
    receiver.answers_wait_for.set()

    assert logged < SHUTDOWN_SECONDS  # no call waited for the server
    assert time.monotonic() - begun - logged < 2 * SHUTDOWN_SECONDS
    receiver.wait_for(lambda: receiver.requests)  # the spool is whole: it is let go of when the last request is over
    assert [file.suffix for file in files(tmp_path)].count(".spool") == 1


def test_delivers_when_the_server_appears_late(serving: Callable[[int], Any], tmp_path: Path) -> None:
    port = free_port()
    run = trainvitals.init(mode="online", directory=tmp_path, server_url=f"http://127.0.0.1:{port}")
    run.log({"loss": 1.0})
    receiver = serving(port)
    receiver.wait_for(lambda: receiver.points("loss") == [(0, 1.0)])
    run.finish()
    assert receiver.ended


@pytest.fixture
def left_behind(receiver: Any, tmp_path: Path) -> str:
    """The id of a run with one point of loss, 3.0, that could not be delivered when it ended."""
    receiver.refusals.extend([(401, {})] * 5)
    run = online(receiver, tmp_path)
    run.log({"loss": 3.0})
    run.finish()
    receiver.refusals.clear()
    return run.run_id


def test_ships_what_an_earlier_training_left_behind(receiver: Any, tmp_path: Path, left_behind: str) -> None:
    run = online(receiver, tmp_path)
    receiver.wait_for(lambda: f"PUT /api/v1/runs/{left_behind}/end" in receiver.paths)
    run.finish()
    assert receiver.points("loss") == [(0, 3.0)]


def test_leaves_alone_what_is_meant_for_another_server(
    serving: Callable[[int], Any], tmp_path: Path, left_behind: str
) -> None:
    other = serving(0)
    run = online(other, tmp_path)
    run.finish()
    assert main(["sync", "--own", str(tmp_path), "--server-url", other.url]) == 0
    assert not [path for path in other.paths if left_behind in path]
    assert [path.name.split(".")[0] for path in files(tmp_path) if path.suffix == ".spool"] == [left_behind]


def test_goes_on_beside_a_spool_that_cannot_be_read(receiver: Any, tmp_path: Path, left_behind: str) -> None:
    (tmp_path / folder_of(receiver.url) / "0.1.spool").mkdir()
    run = online(receiver, tmp_path)
    receiver.wait_for(lambda: f"PUT /api/v1/runs/{left_behind}/end" in receiver.paths)
    run.log({"loss": 4.0})
    run.finish()
    assert receiver.points("loss") == [(0, 3.0), (0, 4.0)]
    assert main(["sync", str(tmp_path), "--server-url", receiver.url]) == 0


@pytest.mark.parametrize("status", [301, 405, 404])
def test_keeps_what_some_other_server_turned_away(
    receiver: Any, tmp_path: Path, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.speaks_api = False
    receiver.refusals.extend([(status, {})] * 5)
    run = online(receiver, tmp_path)
    run.log({"loss": 5.0})
    run.finish()
    assert "does not answer like a trainvitals server" in capsys.readouterr().err

    receiver.refusals.clear()
    assert main(["sync", str(tmp_path), "--server-url", receiver.url]) == 0
    assert receiver.points("loss") == [(0, 5.0)]


def test_reads_what_the_disk_did_not_take_from_memory(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, run_id="r", writer=1, max_bytes=2**30)
    assert spool.append("start", b"on disk") is None
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, unlimited[1]))
    try:
        errors = [spool.append("frame", bytes(100)), spool.append("end", b"the last")]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert all(isinstance(error, OSError) for error in errors)
    seen = []
    while (record := spool.next()) is not None:
        seen.append(record.payload)
        spool.acknowledge(record)
    assert seen == [b"on disk", bytes(100), b"the last"]
    assert spool.close() == 0


def test_sync_ships_and_says_so(receiver: Any, offline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run = offline.init()
    run.log({"loss": 2.0})
    run.finish()
    assert main(["sync", str(offline.directory), "--server-url", receiver.url]) == 0
    assert "Shipped 1 runs" in capsys.readouterr().out
    assert receiver.points("loss") == [(0, 2.0)]
    assert main(["sync", str(offline.directory), "--server-url", receiver.url]) == 0


def test_sync_fails_in_plain_words_where_there_is_no_token(
    receiver: Any, offline: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    offline.init().finish()
    receiver.refusals.append((401, {}))
    assert main(["sync", str(offline.directory), "--server-url", receiver.url]) == 1
    assert "1 of 1 runs" in capsys.readouterr().out


def test_a_torn_tail_reads_as_the_end(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, run_id="r", writer=1, max_bytes=2**30)
    spool.append("start", b"one")
    spool.append("frame", b"two" * 100)
    spool.close()
    with spool.path.open("r+b") as file:
        file.truncate(spool.path.stat().st_size - 5)
    again = Spool(spool.path)
    assert again.open()
    first = again.next()
    assert first is not None
    assert first.payload == b"one"
    again.acknowledge(first)
    assert again.next() is None
    again.remove()


def test_a_tail_of_zeros_as_a_power_cut_may_leave_reads_as_the_end(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, run_id="r", writer=1, max_bytes=2**30)
    spool.append("start", b"one")
    spool.close()
    with spool.path.open("ab") as file:
        file.write(bytes(4096))
    again = Spool(spool.path)
    assert again.open()
    assert [record.payload for record in again.records()] == [b"one"]
    again.remove()


def test_a_spool_remembers_what_was_acknowledged(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, run_id="r", writer=1, max_bytes=2**30)
    for payload in (b"a", b"b"):
        spool.append("frame", payload)
    record = spool.next()
    assert record is not None
    spool.acknowledge(record)
    spool.close()
    again = Spool(spool.path)
    assert again.open()
    rest = again.next()
    assert rest is not None
    assert rest.payload == b"b"
    again.remove()


def test_a_living_run_s_spool_is_nobody_else_s(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, run_id="r", writer=1, max_bytes=2**30)
    assert not Spool(spool.path).open()
    spool.remove()


def test_what_another_process_ships_meanwhile_is_not_left_behind_again(tmp_path: Path) -> None:
    for run_id in ("first", "second", "third"):
        Spool.create(tmp_path, run_id=run_id, writer=1, max_bytes=2**30).close()
    spools = left_over(tmp_path, tell=print)
    first = next(spools)
    second = Spool(tmp_path / "second.1.spool")
    assert second.open()
    second.remove()

    third = next(spools)
    assert (first.run_id, third.run_id) == ("first", "third")
    assert next(spools, None) is None
    for spool in (first, third):
        spool.remove()
    assert files(tmp_path) == []


def test_a_full_spool_takes_no_more_frames_but_the_end(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, run_id="r", writer=1, max_bytes=64)
    with pytest.raises(SpoolFull):
        spool.append("frame", bytes(100))
    spool.append("end", bytes(100))
    spool.remove()


SCRIPT = """
import os, signal, sys, trainvitals as tv
run = tv.init(project="tests", name="script")
run.log({"loss": 1.0})
{body}
"""

ENDINGS = {
    "pass": ("finished", None),
    "raise ValueError('boom')": ("failed", "ValueError: boom"),
    "raise KeyboardInterrupt": ("stopped", "interrupted from the keyboard"),
    "os.kill(os.getpid(), signal.SIGTERM); signal.pause()": ("stopped", "ended by SIGTERM"),
    "with run: raise ValueError('in with')": ("failed", "ValueError: in with"),
    "os.fork() or os._exit(0); os.wait(); run.log({'loss': 2.0})": ("finished", None),
    "child = os.fork()\nif child == 0: run.log({'loss': 9.0}); run.finish(); sys.exit()\nos.wait()": ("finished", None),
}


def script(body: str, url: str, directory: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "TRAINVITALS_SERVER_URL": url, "TRAINVITALS_DIR": str(directory)}
    code = SCRIPT.replace("{body}", body)
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("body", list(ENDINGS))
def test_tells_the_server_how_a_run_ended(receiver: Any, tmp_path: Path, body: str) -> None:
    process = script(body, receiver.url, tmp_path)
    process.communicate(timeout=30)
    (end,) = [coding.decode(data, RunEnd) for _, path, data in receiver.requests if path.endswith("/end")]
    assert (end.status, end.error) == ENDINGS[body]
    assert 9.0 not in [value for _, value in receiver.points("loss")]


@pytest.mark.slow
def test_sync_ships_what_a_killed_trainer_left_behind(receiver: Any, tmp_path: Path) -> None:
    process = script(
        "import time\nwhile True: run.log({'loss': 1.0}); time.sleep(0.01)", "http://127.0.0.1:1", tmp_path
    )
    assert process.stderr is not None
    while "they wait in" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)

    assert main(["sync", str(tmp_path), "--server-url", receiver.url]) == 0
    assert receiver.paths[0].startswith("PUT")
    assert files(tmp_path) == []
