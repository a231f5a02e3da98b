"""The run that the module-level functions act on, and what becomes of it when the process ends."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import trainvitals.preflight  # noqa: F401  # before the function of that name: its loading would take the place
from trainvitals.run import NoActiveRun, Run

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from trainvitals.console import Console
    from trainvitals.pipeline import Pipeline
    from trainvitals.preflight.report import Preflight
    from trainvitals.settings import Settings

_runs: list[Run] = []  # that have not ended
_last: Run | None = None  # the newest of all
_prepared = False


def init(
    *,
    project: str | None = None,
    name: str | None = None,
    config: Mapping[str, Any] | object | None = None,  # Any: settings are the user's own
    tags: Sequence[str] | None = None,
    group: str | None = None,
    planned_steps: int | None = None,
    mode: str | None = None,
    server_url: str | None = None,
    token: str | None = None,
    directory: str | os.PathLike[str] | None = None,
) -> Run:
    """Begin a run. What is not given comes from TRAINVITALS_… variables, then from defaults. Raises InvalidSetting.

    ``config``: a mapping, or an object with attributes (argparse's Namespace); it is copied as it is now.
    """
    from trainvitals.console import Console
    from trainvitals.environment import new_name, new_run_id
    from trainvitals.plain import title
    from trainvitals.settings import read_settings

    settings = read_settings(
        server_url=server_url, mode=mode, directory=directory, token=token, project=project, name=name
    )
    now = time.time()
    run_name = title(settings.name or new_name(now=now))
    run_id, console = new_run_id(now=now), Console(run_name)
    pipeline = start = None
    if settings.mode != "disabled":
        from trainvitals.beginning import beginning

        start = beginning(
            project=settings.project, name=run_name, started_at=now, config=config, tags=tags, group=group,
            planned_steps=planned_steps, say=console.say,
        )  # fmt: skip
        pipeline = _pipeline(settings, console, run_id=run_id)
    run = Run(run_id, settings, console, pipeline=pipeline, started_at=now, on_end=_let_go)
    _prepare_process()
    _hold(run)
    if pipeline is not None and start is not None:
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
        spool = Spool.create(settings.spool_folder, run_id=run_id, writer=writer, max_bytes=settings.spool_max_bytes)
    except OSError as error:
        console.say(f"the spool in {settings.directory} cannot be written ({error}): nothing is recorded")
        return None
    return Pipeline(settings, spool, console, writer=writer)


def watch(
    model: nn.Module, optimizer: Optimizer | Sequence[Optimizer], *, every: int | None = None, dense: int = 50
) -> None:
    """``Run.watch`` of the latest run. Raises NoActiveRun."""
    _latest("watch").watch(model, optimizer, every=every, dense=dense)


def preflight(
    model: nn.Module,
    loss_fn: Callable[..., Any] | None,
    batch: Any,
    optimizer: Optimizer | Sequence[Optimizer] | None = None,
    num_classes: int | None = None,
    *,
    forward: Callable[[nn.Module, Any], Any] | None = None,
    seconds: float = 20.0,
    quiet: bool = False,
) -> Preflight:
    """Check a training before its first epoch: can it learn a batch by heart, is the loss what it should be, does the
    gradient arrive. Prints a checklist on stderr (unless ``quiet``), and keeps it with the latest run, if one goes on.

    ``batch``: (inputs, targets), for ``loss_fn(model(inputs), targets)``, where inputs may be a tensor, a tuple or a
    mapping; or one mapping, for ``loss_fn(model(**batch), batch)``. ``forward(model, batch)`` returns the loss where
    that does not fit; loss_fn may be None then. All happens on copies: model, optimizer and random numbers are left as
    they are. ``seconds``: about how long it may take. Raises ValueError for arguments that make no sense; whatever goes
    wrong in a check is that check's "unknown".
    """
    from trainvitals.console import Console
    from trainvitals.preflight.running import run_preflight

    arguments = (model, loss_fn, batch, optimizer, num_classes)
    if _runs:
        return _runs[-1].preflight(*arguments, forward=forward, seconds=seconds, quiet=quiet)
    report = run_preflight(*arguments, forward=forward, seconds=seconds)
    if not quiet:
        Console().say(str(report))
    return report


def log(metrics: Mapping[str, float | Tensor], step: int | None = None) -> None:
    """``Run.log`` of the latest run. Raises NoActiveRun."""
    _latest("log").log(metrics, step)


def finish() -> None:
    """``Run.finish`` of the latest run. Raises NoActiveRun."""
    _latest("finish").finish()


def _latest(what: str) -> Run:
    if _runs:
        return _runs[-1]
    if _last is None:
        raise NoActiveRun(what)
    return _last


def _hold(run: Run) -> None:
    global _last
    _last = run
    _runs.append(run)


def _let_go(run: Run) -> None:
    """A run that has ended holds no model and no optimizer any more, and is not held by us."""
    if run in _runs:
        _runs.remove(run)


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
        for run in list(_runs):
            run.note(error)
        earlier(kind, error, trace)

    sys.excepthook = note


def _stop(number: int, frame: FrameType | None) -> None:
    for run in list(_runs):
        run.outcome = ("stopped", "ended by SIGTERM")
    raise SystemExit(128 + number)


def _finish_all() -> None:
    for run in list(_runs):
        run.finish()


def _abandon_all() -> None:
    """In a forked child: our runs are the parent's, and SIGTERM is to end the child at once, as it would without us."""
    for run in list(_runs):
        run.abandon()
    with contextlib.suppress(ValueError):  # not in the main thread
        if signal.getsignal(signal.SIGTERM) is _stop:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
