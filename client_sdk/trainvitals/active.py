"""The run that the module-level functions act on, and what becomes of it when the process ends."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final

from trainvitals.points import Metrics
from trainvitals.ranks import Identity, Place, agree, find_place
from trainvitals.reactions import Call, Reactions, Wishes, Word, read_wishes
from trainvitals.run import NoActiveRun, Run
from trainvitals.values import Values, settings_of
from trainvitals.wandb_words import ignore

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from trainvitals.console import Console
    from trainvitals.joint_end import JointEnd
    from trainvitals.notes import Notes
    from trainvitals.pipeline import Pipeline
    from trainvitals.preflight.report import Preflight
    from trainvitals.settings import Settings
    from trainvitals.wire.messages import Finding, Severity
    from trainvitals.wire.preflight import PreflightReport

UNKNOWN_RUN: Final = (
    "this rank cannot learn which run is rank 0's, and records nothing: call trainvitals.init() after "
    "torch.distributed.init_process_group(), or start with torchrun"
)

_runs: list[Run] = []  # that have not ended
_last: Run | None = None  # the newest of all
_prepared = False
_early = Values({}, told=lambda changes: None)  # settings from before a run begins
_checked: Preflight | None = None  # by the newest preflight from before a run begins
_giving_way: Callable[[], None] | None = None


def init(
    *,
    project: str | None = None,
    name: str | None = None,
    config: Mapping[str, Any] | object | None = None,  # Any: settings are the user's own
    tags: Sequence[str] | None = None,
    group: str | None = None,
    planned_steps: int | None = None,
    mute: Sequence[str] | None = None,
    mode: str | None = None,
    server_url: str | None = None,
    token: str | None = None,
    directory: str | os.PathLike[str] | None = None,
    on_finding: Call | Word | None = None,
    checkpoint: Call | None = None,
    checkpoint_on: Iterable[Severity] | None = None,
    **wandb: Any,  # Any: what scripts written for wandb say besides
) -> Run:
    """Begin a run. What is not given comes from TRAINVITALS_… variables, then from defaults. Raises InvalidSetting.

    ``config``: a mapping, or an object with attributes (argparse's Namespace); it is copied as it is now.
    ``mute``: rules, by the names that findings give, that are not to judge this run.
    ``on_finding``: a function of each finding; or what a critical one does: "stop" the training, or "raise"
    FindingRaised. ``checkpoint``: a function that saves the training's state, called with each finding of the
    severities ``checkpoint_on`` (None: critical ones), before ``on_finding``. All of it happens on the training's
    thread, in ``log`` or at the end of a watched optimizer's step. Keywords that mean nothing here are ignored, with
    a word; what is nearly one of these raises TypeError.
    """
    from trainvitals.settings import read_settings

    ignore(wandb, of="init", own=init.__code__.co_varnames[: init.__code__.co_kwonlyargcount])
    settings = read_settings(
        server_url=server_url, mode=mode, directory=directory, token=token, project=project, name=name
    )
    wishes = read_wishes(on_finding, checkpoint, checkpoint_on)
    if _giving_way is not None:
        _giving_way()
    given = {**_taken_early(), **settings_of(config)}
    said = {"config": given, "tags": tags, "group": group, "planned_steps": planned_steps, "mute": mute}
    return _begun(settings, wishes, said)


def _begun(settings: Settings, wishes: Wishes, said: Mapping[str, Any]) -> Run:  # Any: as ``init`` was given it
    from trainvitals.beginning import beginning
    from trainvitals.console import Console
    from trainvitals.environment import new_name, new_run_id, new_writer
    from trainvitals.notes import Notes
    from trainvitals.plain import title

    now, place = time.time(), find_place()
    name = title(settings.name or new_name(now=now))
    own = Identity(run_id=new_run_id(now=now), name=name, started_at=now)
    identity = own if settings.mode == "disabled" and not place.leads else agree(place, own)
    console = Console((identity or own).name, rank=place.rank)
    if identity is None:
        console.say(UNKNOWN_RUN)
        identity, settings = own, replace(settings, mode="disabled")
    settings = replace(settings, name=identity.name)
    reactions = Reactions(wishes if place.leads else Wishes(), say=console.say)
    if reactions.wanted and settings.mode != "online":
        console.say(f"mode {settings.mode}: nothing is found while the training runs, and nothing done about it")
    notes = Notes(writer=new_writer(), say=console.say)
    pipeline = _pipeline(settings, console, notes, found=reactions.put, run_id=identity.run_id, place=place)
    joint_end = _joint_end(settings, wishes, console, identity, place)
    run = Run(
        identity.run_id, settings, console, pipeline=pipeline, started_at=identity.started_at, on_end=_let_go,
        reactions=reactions, joint_end=joint_end, config=said["config"], notes=notes, place=place,
    )  # fmt: skip
    _prepare_process()
    _hold(run)
    report = _taken_report()
    if pipeline is not None:
        start = beginning(
            project=settings.project, name=identity.name, started_at=identity.started_at, place=place,
            say=console.say, **said,
        )  # fmt: skip
        pipeline.start(start)
        if place.leads and report is not None:
            pipeline.report(report)
        if place.leads:
            console.say(f"run {run.run_id} at {run.url}" if settings.mode == "online" else f"run {run.run_id}, offline")
    return run


def _joint_end(
    settings: Settings, wishes: Wishes, console: Console, identity: Identity, place: Place
) -> JointEnd | None:
    """Where what is found may end several ranks."""
    if place.ranks == 1 or wishes.on_finding is None or settings.mode != "online":
        return None
    from trainvitals.joint_end import JointEnd

    end = JointEnd(place, key=f"trainvitals/{identity.run_id}/end", tell=console.say)
    end.start()
    return end


def _pipeline(
    settings: Settings,
    console: Console,
    notes: Notes,
    *,
    found: Callable[[Sequence[Finding]], None],
    run_id: str,
    place: Place,
) -> Pipeline | None:
    """None in mode disabled; also, with a word about it, offline where the spool cannot be written, for nobody could
    ever read what is kept. Online all is held in memory then."""
    if settings.mode == "disabled":
        return None
    from trainvitals.pipeline import Pipeline
    from trainvitals.spool import Spool

    folder, name, most = settings.spool_folder, f"{run_id}.{notes.writer}.spool", settings.spool_max_bytes
    try:
        spool = Spool.create(folder, run_id=run_id, writer=notes.writer, max_bytes=most)
    except OSError as error:
        trouble = f"the spool in {settings.directory} cannot be written ({error})"
        if settings.mode == "offline":
            console.say(f"{trouble}: nothing is recorded")
            return None
        console.say(f"{trouble}: what the server has not taken yet is kept in memory alone", once="disk")
        spool = Spool(folder / name, max_bytes=most)
    return Pipeline(settings, spool, console, notes, rank=place.rank, found=found)


def watch(
    model: Any = None,  # Any: as Run.watch has them
    optimizer: Any = None,
    *,
    every: int | None = None,
    budget: float | None = None,
    dense: int | None = None,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
    attention: bool = False,
    **wandb: Any,
) -> None:
    """``Run.watch`` of the latest run. Raises NoActiveRun."""
    newest("watch").watch(
        model,
        optimizer,
        every=every,
        budget=budget,
        dense=dense,
        include=include,
        exclude=exclude,
        attention=attention,
        **wandb,
    )


def unwatch(models: Any = None) -> None:  # Any: wandb's, which knows of several; all are let go
    """``Run.unwatch`` of the latest run. Raises NoActiveRun."""
    newest("unwatch").unwatch(models)


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
    gradient arrive. Prints a checklist on stderr (unless ``quiet``), and keeps it with the latest run that goes on, or
    else with the one that this process begins next.

    ``batch``: (inputs, targets), for ``loss_fn(model(inputs), targets)``, where inputs may be a tensor, a tuple or a
    mapping; or one mapping, for ``loss_fn(model(**batch), batch)``. ``forward(model, batch)`` returns the loss where
    that does not fit; loss_fn may be None then. All happens on copies: model, optimizer and random numbers are left as
    they are. ``seconds``: about how long it may take. Raises ValueError for arguments that make no sense; whatever goes
    wrong in a check is that check's "unknown".
    """
    from trainvitals.console import Console
    from trainvitals.preflight.running import run_preflight

    global _checked
    arguments = (model, loss_fn, batch, optimizer, num_classes)
    if _runs:
        return _runs[-1].preflight(*arguments, forward=forward, seconds=seconds, quiet=quiet)
    report = _checked = run_preflight(*arguments, forward=forward, seconds=seconds)
    if not quiet:
        Console().say(str(report))
    return report


def log(metrics: Metrics, step: int | None = None, commit: bool | None = None, **wandb: Any) -> None:
    """``Run.log`` of the latest run. Raises NoActiveRun."""
    newest("log").log(metrics, step, commit, **wandb)


def probe(batch: Any, *, every: int | None = None, examples: int = 4, target: Any = None) -> None:  # Any: see there
    """``Run.probe`` of the latest run. Raises NoActiveRun."""
    newest("probe").probe(batch, every=every, examples=examples, target=target)


def alert(title: str, text: str = "", level: str = "warning", **wandb: Any) -> None:
    """``Run.alert`` of the latest run. Raises NoActiveRun."""
    newest("alert").alert(title, text, level, **wandb)


def define_metric(
    name: str,
    step_metric: str | None = None,
    *,
    summary: str | None = None,
    goal: str | None = None,
    role: str | None = None,
    **wandb: Any,
) -> None:
    """``Run.define_metric`` of the latest run. Raises NoActiveRun."""
    newest("define_metric").define_metric(name, step_metric, summary=summary, goal=goal, role=role, **wandb)


def finish(exit_code: int | None = None, **wandb: Any) -> None:
    """``Run.finish`` of the latest run; failed where ``exit_code`` is not 0. Raises NoActiveRun."""
    newest("finish").finish(exit_code=exit_code, **wandb)


def current() -> Run | None:
    """The newest run that has not ended."""
    return _runs[-1] if _runs else None


def is_open(run: Run) -> bool:
    """Whether it has not ended."""
    return run in _runs


def newest(what: str) -> Run:
    """The newest run at work, else the last that was. Raises NoActiveRun, naming what needs one."""
    run = current() or _last
    if run is None:
        raise NoActiveRun(what)
    return run


def config() -> Values:
    """The newest run's settings; before there is one, those that the next one begins with."""
    return _early if _last is None else newest("config").config


def _taken_early() -> dict[str, Any]:
    global _early
    early, _early = _early, Values({}, told=lambda changes: None)
    return early.as_dict()


def _taken_report() -> PreflightReport | None:
    """What was checked before this run began, of which no other is told."""
    global _checked
    report, _checked = _checked, None
    if report is None:
        return None
    from trainvitals.preflight.report import message

    return message(report)


def has_begun() -> bool:
    """Whether this process has begun a run at all."""
    return _last is not None


def give_way(to_the_script: Callable[[], None] | None) -> None:
    """What is called when the script begins a run by itself."""
    global _giving_way
    _giving_way = to_the_script


def note(error: BaseException) -> None:
    """Remember how this process is about to end."""
    for run in list(_runs):
        run.note(error)


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

    def note_and_show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        note(error)
        earlier(kind, error, trace)

    sys.excepthook = note_and_show


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
