"""The run of a training that another library's trainer conducts."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, ParamSpec

from trainvitals import active
from trainvitals.console import Console
from trainvitals.points import Metrics
from trainvitals.reactions import FindingRaised
from trainvitals.run import Run
from trainvitals.settings import InvalidSetting
from trainvitals.values import settings_of

if TYPE_CHECKING:
    from trainvitals.collector.roots import Models
    from trainvitals.lookout import Lookout

UNENDED: Final = "the training did not reach its end"
_KEYWORDS: Final = tuple(inspect.signature(active.init).parameters)[:-1]  # the last takes whatever wandb knows
_console: Final = Console()
_open: list[HostedRun] = []  # that have begun a run which has not ended

P = ParamSpec("P")


def missing(library: str, distribution: str, error: ImportError) -> ImportError:
    """What is raised where a library is not there. ``distribution``: what to install."""
    return ImportError(
        f"trainvitals.integrations.{library} needs {distribution}: pip install {distribution} ({error})",
        name=error.name,
    )


def harmless(method: Callable[P, None]) -> Callable[P, None]:
    """A trainer's hook whose errors end in the terminal. What ``on_finding`` asks for goes through, and so does a
    setting that cannot be: it is refused before the first step."""

    @functools.wraps(method)
    def guarded(*arguments: P.args, **named: P.kwargs) -> None:
        try:
            method(*arguments, **named)
        except (FindingRaised, InvalidSetting):
            raise
        except Exception as error:  # noqa: BLE001  # the border: no error of ours may reach the training
            _console.say(f"{method.__qualname__} met {type(error).__name__}: {error}; the training goes on")

    return guarded


class HostedRun:
    """The run at work if there is one, else one that is begun for the trainer, and ended with it.

    A run that was begun here stays open when the training is over, so that the evaluation that follows belongs to it,
    until the next training or the process ends. If the training does not reach its end, the run counts as failed.
    ``settings`` go to ``init``, and beat those of the trainer.
    """

    def __init__(self, settings: Mapping[str, Any], *, of: str) -> None:  # Any: as init has them
        if strange := sorted(set(settings) - set(_KEYWORDS)):
            raise TypeError(f"{of}() got an unexpected keyword argument {strange[0]!r}: those of trainvitals.init are "
                            + ", ".join(_KEYWORDS))  # fmt: skip
        self._settings = dict(settings)
        self._run: Run | None = None
        self._is_own = False
        self._watches = False
        self._lookout: Lookout | None = None
        self._undo: list[Callable[[], None]] = []
        self._lead = 0  # by how many steps the run is ahead of the trainer

    @property
    def run(self) -> Run | None:
        """The run, while it lasts."""
        run = self._run
        return run if run is not None and active.is_open(run) else None

    def begin(self, **given: Any) -> Run:  # Any: as ``join`` has them
        """A training begins: the run before it ends. Raises InvalidSetting."""
        self.end()
        return self.join(**given)

    def join(
        self,
        *,
        config: Callable[[], Mapping[str, Any]],  # Any: settings are the user's own
        project: str | None = None,
        name: str | None = None,
        group: str | None = None,
        planned_steps: int | None = None,
    ) -> Run:
        """The run there is, or one that begins now; the settings join its own. Raises InvalidSetting."""
        if (run := self.run) is not None:
            return run
        for other in list(_open):
            other.end()
        found = {**_read(config), **settings_of(self._settings.get("config"))}
        run = self._run = active.current()
        self._is_own = run is None
        self._lead = 0 if run is None else run.step
        if run is not None:
            run.config.update(found)
            return run
        trainers = {"project": project, "name": name, "group": group, "planned_steps": planned_steps}
        run = self._run = active.init(**{**trainers, **self._settings, "config": found})
        _open.append(self)
        return run

    @harmless
    def train(
        self,
        models: Models,
        optimizers: Sequence[Any],  # Any: torch's, one that wraps it, or one that looks like it
        *,
        watch: bool | Mapping[str, Any],
        first_step: int = 0,
    ) -> None:
        """The training is about to take its first step. ``watch``: whether model and optimizers are watched, or the
        options of ``Run.watch`` with which they are."""
        run = self.run
        if run is None:
            return
        if self._is_own:
            run.presumed = ("failed", UNENDED)
        self.begin_step(first_step)
        if watch is not False and optimizers:
            self.watch(models, optimizers, **(watch if isinstance(watch, Mapping) else {}))

    def watch(self, models: Models, optimizers: Sequence[Any], **options: Any) -> None:  # Any: as in train; Run.watch's
        """Watch these, with the optimizers that are within what the trainer has wrapped them in."""
        if (run := self.run) is None:
            return
        if self._lookout is not None:
            self._lookout.stop()
        self._watches = True
        run.watch(models, [innermost(optimizer) for optimizer in optimizers], **options)

    @harmless
    def look_out(self) -> None:
        """Nobody says what is trained: learn it from PyTorch. A run that was there is watched as its script wants."""
        run = self.run
        if run is None or not self._is_own or not run.active:
            return
        from trainvitals.collector.hooks import Faults
        from trainvitals.lookout import Called

        models = Called(Faults(_console.say))
        self._lookout = run.look_out(models)
        self._lookout.start()
        models.search()

    def begin_step(self, step: int) -> None:
        """The trainer's step begins."""
        if (run := self.run) is not None:
            self._lead = run.begin_step(step) - step

    def log(self, metrics: Metrics, *, step: int) -> None:
        """Record values at a step of the trainer's."""
        if (run := self.run) is not None:
            run.log(metrics, max(0, step) + self._lead)

    def undo(self, undo: Callable[[], None]) -> None:
        """What is to be called when the training is over, however it ends."""
        self._undo.append(undo)

    def rest(self) -> None:
        """The training has reached its end: nothing is watched any more, and no model held."""
        if (run := self.run) is not None:
            run.presumed = ("finished", None)
        self._let_go()

    def end(self, error: BaseException | None = None) -> None:
        """End the run, if it was begun here; ``error``: what ended the training."""
        self._let_go()
        run, self._run, self._lookout = self._run, None, None
        if self in _open:
            _open.remove(self)
        if run is None:
            return
        if error is not None:
            run.note(error)
        if self._is_own:
            run.finish()

    def __getstate__(self) -> dict[str, Any]:  # Any: whatever it holds
        """A copy, in this process or another, has no run yet."""
        return {**self.__dict__, "_run": None, "_lookout": None, "_watches": False, "_undo": []}

    def _let_go(self) -> None:
        if self._watches and self._run is not None:
            self._run.unwatch()
        self._watches = False
        while self._undo:
            self._undo.pop()()


def innermost(optimizer: Any) -> Any:  # Any: what trainers wrap torch's optimizers in need not be one
    """The optimizer that takes the steps, without what trainers wrap it in."""
    while hasattr(inner := getattr(optimizer, "optimizer", None), "param_groups"):
        optimizer = inner
    return optimizer


def project_or(default: str) -> str:
    """The project of runs for which nothing names one."""
    return os.environ.get("TRAINVITALS_PROJECT") or default


def _read(config: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    try:
        return dict(config())
    except Exception as error:  # noqa: BLE001  # whatever a stranger's settings do
        _console.say(f"the trainer's settings could not be read ({type(error).__name__}: {error})")
        return {}
