"""The run that the module-level functions act on, and what becomes of it when the process ends."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from trainvitals.run import NoActiveRun, Run

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from trainvitals.console import Console
    from trainvitals.pipeline import Pipeline
    from trainvitals.settings import Settings
    from trainvitals.wire.messages import RunStart

_runs: list[Run] = []
_prepared = False


def init(
    *,
    project: str | None = None,
    name: str | None = None,
    config: Mapping[str, Any] | None = None,  # Any: settings are the user's own
    tags: Sequence[str] = (),
    group: str | None = None,
    planned_steps: int | None = None,
    mode: str | None = None,
    server_url: str | None = None,
    token: str | None = None,
    directory: str | os.PathLike[str] | None = None,
) -> Run:
    """Begin a run. What is not given comes from TRAINVITALS_… variables, then from defaults. Raises InvalidSetting."""
    from trainvitals.console import Console
    from trainvitals.environment import describe, new_name, new_run_id
    from trainvitals.settings import read_settings
    from trainvitals.wire.messages import RunStart

    settings = read_settings(
        server_url=server_url, mode=mode, directory=directory, token=token, project=project, name=name
    )
    now = time.time()
    run_id, console = new_run_id(now=now), Console()
    pipeline = None if settings.mode == "disabled" else _pipeline(settings, console, run_id=run_id)
    run = Run(run_id, settings, console, pipeline=pipeline, started_at=now)
    _prepare_process()
    _runs.append(run)
    if pipeline is not None:

        def start() -> RunStart:
            return RunStart(
                project=settings.project,
                name=settings.name or new_name(now=now),
                started_at=now,
                config=_plain(dict(config or {})),
                tags=list(tags),
                group=group,
                environment=describe(),
                planned_steps=planned_steps,
            )

        pipeline.start(start)
        console.say(f"run {run_id} at {run.url}" if settings.mode == "online" else f"run {run_id}, offline")
    return run


def _pipeline(settings: Settings, console: Console, *, run_id: str) -> Pipeline | None:
    """None, and a word about it, where the spool cannot be written: the training goes on without us."""
    from trainvitals.environment import new_writer
    from trainvitals.pipeline import Pipeline
    from trainvitals.spool import Spool

    writer = new_writer()
    try:
        spool = Spool.create(settings.directory, run_id=run_id, writer=writer, max_bytes=settings.spool_max_bytes)
    except OSError as error:
        console.say(f"the spool in {settings.directory} cannot be written ({error}): nothing is recorded")
        return None
    return Pipeline(settings, spool, console, writer=writer)


def watch(
    model: nn.Module, optimizer: Optimizer | Sequence[Optimizer], *, every: int | None = None, dense: int = 50
) -> None:
    """``Run.watch`` of the latest run. Raises NoActiveRun."""
    _latest("watch").watch(model, optimizer, every=every, dense=dense)


def log(metrics: Mapping[str, float | Tensor], step: int | None = None) -> None:
    """``Run.log`` of the latest run. Raises NoActiveRun."""
    _latest("log").log(metrics, step)


def finish() -> None:
    """``Run.finish`` of the latest run. Raises NoActiveRun."""
    _latest("finish").finish()


def _latest(what: str) -> Run:
    if not _runs:
        raise NoActiveRun(what)
    return _runs[-1]


def _plain(value: Any) -> Any:  # Any: settings are the user's own
    """Settings as JSON can hold them; what it cannot, as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _prepare_process() -> None:
    global _prepared
    if _prepared:
        return
    _prepared = True
    atexit.register(_finish_all)
    os.register_at_fork(after_in_child=_abandon_all)
    _note_uncaught_errors()
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _stop)


def _note_uncaught_errors() -> None:
    earlier = sys.excepthook

    def note(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        for run in _runs:
            run.note(error)
        earlier(kind, error, trace)

    sys.excepthook = note


def _stop(number: int, frame: FrameType | None) -> None:
    for run in _runs:
        run.outcome = ("stopped", "ended by SIGTERM")
    raise SystemExit(128 + number)


def _finish_all() -> None:
    for run in _runs:
        run.finish()


def _abandon_all() -> None:
    for run in _runs:
        run.abandon()
