"""The demo: a server, three real trainings side by side, and, where asked for, a verdict on what came of them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import msgspec
from rich.console import Console
from rich.table import Table

from trainvitals_server.demo_verdict import Receipt, Verdict, judge

HEALTHY: Final = ("gpt", "digits")
SICK: Final = "sigmoid"
START_SECONDS: Final = 60.0
SETTLE_SECONDS: Final = 30.0  # for the evaluator to have its last say after the trainings ended
POLL_SECONDS: Final = 0.2
STOP_SECONDS: Final = 15.0


class DemoFailed(Exception):
    """The demo cannot go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training of the demo, in a process of its own."""

    module: str
    process: subprocess.Popen[bytes]
    receipt: Path


def run_demo(*, port: int, exit_when_done: bool, data: Path | None = None, steps: int | None = None) -> int:
    """Serve and train until Ctrl-C, or, with ``exit_when_done``, until the trainings end; the exit code.

    With ``exit_when_done`` it is 0 only if every run was stored whole, the sick one has its finding and the healthy
    ones have none at warning or above; the data then go to a fresh folder unless ``data`` names one.
    """
    console = Console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trainvitals-demo-")))
        folder = data or (scratch / "data" if exit_when_done else None)
        if exit_when_done:
            os.environ["TRAINVITALS_DIR"] = str(scratch / "spool")  # what other trainings left stays theirs
            os.environ.pop("TRAINVITALS_DATABASE", None)
        client = stack.enter_context(httpx2.Client(base_url=url, headers=_authorization(), timeout=30.0))
        try:
            _expect_free(port)
            server = stack.enter_context(_serving(port=port, data=folder))
            _await_server(client, server)
            trainings = [
                stack.enter_context(_training(module, url=url, scratch=scratch, steps=steps))
                for module in (*HEALTHY, SICK)
            ]
            console.print(f"\n[bold]trainvitals[/bold] is at [bold cyan]{url}[/bold cyan]; three trainings have begun.")
            if exit_when_done:
                return _conclude(client, server, trainings, console)
            console.print("Ctrl-C stops the demo.\n")
            _wait_beside(server, trainings, console)
            raise DemoFailed(f"the server ended with exit code {server.returncode}: see its messages above")
        except KeyboardInterrupt:
            console.print("\nStopping the trainings and the server.")
            return 1 if exit_when_done else 0
        except DemoFailed as error:
            console.print(f"[bold red]{error}[/bold red]")
            return 1


def _wait_beside(server: subprocess.Popen[bytes], trainings: Sequence[Training], console: Console) -> None:
    """Until the server ends; say once that the trainings have."""
    while server.poll() is None and any(training.process.poll() is None for training in trainings):
        with suppress(subprocess.TimeoutExpired):
            server.wait(1.0)
    if server.poll() is None:
        console.print("\nThe trainings have ended. Their pages stay until Ctrl-C stops the server.")
        server.wait()


def _expect_free(port: int) -> None:
    # asked before the server starts: whoever listens there may answer /healthz, too, and be taken for it
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise DemoFailed(
                f"port {port} of this machine cannot be had ({reason}): another server has it? Try --port {port + 1} "
                f'(make demo ARGS="--port {port + 1}")'
            ) from error


def _authorization() -> dict[str, str]:
    token = os.environ.get("TRAINVITALS_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


@contextmanager
def _serving(*, port: int, data: Path | None) -> Iterator[subprocess.Popen[bytes]]:
    where = ["--data", str(data)] if data else []
    with _process(["trainvitals.command", "serve", "--port", str(port), *where], is_quiet=True) as server:
        yield server


@contextmanager
def _training(module: str, *, url: str, scratch: Path, steps: int | None) -> Iterator[Training]:
    receipt = scratch / f"{module}.json"
    arguments = [f"trainvitals.demo.{module}", "--mode", "online", "--receipt", str(receipt)]
    if steps is not None:
        arguments += ["--steps", str(steps)]
    with _process(arguments, TRAINVITALS_SERVER_URL=url) as process:
        yield Training(module=module, process=process, receipt=receipt)


@contextmanager
def _process(arguments: list[str], *, is_quiet: bool = False, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    # In a session of its own, so that Ctrl-C reaches the demo alone, which stops the trainings before the server.
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env={**os.environ, **environment},
        start_new_session=True,
        stdout=subprocess.DEVNULL if is_quiet else None,  # errors are heard all the same
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()  # which the trainings report as a stop, without a traceback
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_server(client: httpx2.Client, server: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        if server.poll() is not None:
            raise DemoFailed(f"the server ended with exit code {server.returncode}: see its messages above")
        try:
            return client.get("/healthz").status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False

    if not _until(answers, seconds=START_SECONDS):
        raise DemoFailed(f"the server did not answer within {START_SECONDS:.0f} s: see its messages above")


def _conclude(
    client: httpx2.Client, server: subprocess.Popen[bytes], trainings: list[Training], console: Console
) -> int:
    def ended() -> bool:
        if server.poll() is not None:
            raise DemoFailed(f"the server ended with exit code {server.returncode} while the trainings went on")
        return all(training.process.poll() is not None for training in trainings)

    while not _until(ended, seconds=STOP_SECONDS):
        pass
    verdicts: list[Verdict] = []

    def settled() -> bool:
        verdicts[:] = [_judged(client, training) for training in trainings]
        return all(verdict.good for verdict in verdicts)

    _until(settled, seconds=SETTLE_SECONDS)
    console.print(_table(verdicts))
    good = all(verdict.good for verdict in verdicts)
    console.print("[green]All as it should be.[/green]" if good else "[bold red]Not as it should be.[/bold red]")
    return 0 if good else 1


def _judged(client: httpx2.Client, training: Training) -> Verdict:
    code = training.process.returncode
    if code != 0 or not training.receipt.exists():
        return Verdict(training=training.module, stored="?", findings="?", faults=(f"ended with exit code {code}",))
    receipt = msgspec.json.decode(training.receipt.read_bytes(), type=Receipt)
    return judge(client, training.module, receipt, sick=training.module == SICK)


def _table(verdicts: list[Verdict]) -> Table:
    table = Table("training", "points of loss stored", "findings", "verdict", title="What came of the demo")
    for verdict in verdicts:
        table.add_row(
            verdict.training,
            verdict.stored,
            verdict.findings,
            "[green]as it should be[/green]" if verdict.good else "[red]" + "; ".join(verdict.faults) + "[/red]",
        )
    return table


def _until(condition: Callable[[], bool], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
