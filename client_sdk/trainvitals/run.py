"""A run: what a training script holds in its hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from trainvitals.outbox import Point
from trainvitals.points import MOST_NAMES, Names, checked_name, checked_step, checked_value
from trainvitals.steps import Sampling, StepCounter

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from trainvitals.console import Console
    from trainvitals.pipeline import Pipeline
    from trainvitals.preflight.report import Preflight
    from trainvitals.settings import Settings
    from trainvitals.snapshots import Pending
    from trainvitals.watch import Watch

EndStatus = Literal["finished", "failed", "stopped"]
SHUTDOWN_SECONDS = 5.0
DENSE_STEPS = 50


class NoActiveRun(RuntimeError):
    """``watch``, ``log`` or ``finish`` was called before ``init``."""

    def __init__(self, what: str) -> None:
        super().__init__(f"trainvitals.{what}() needs a run: call trainvitals.init() first")


class Run:
    """One execution of a training script. Made by ``trainvitals.init``; a context manager that knows how it ended.

    Without a pipeline (mode "disabled", a forked child, after ``finish``) every method does nothing.
    """

    def __init__(
        self,
        run_id: str,
        settings: Settings,
        console: Console,
        *,
        pipeline: Pipeline | None,
        started_at: float,
        on_end: Callable[[Run], None],
    ) -> None:
        self.run_id = run_id
        self.settings = settings
        self.outcome: tuple[EndStatus, str | None] | None = None
        self._console = console
        self._pipeline = pipeline
        self._started_at = started_at
        self._on_end = on_end
        self._reported_at = time.perf_counter()
        self._steps = StepCounter()
        self._names = Names()
        self._watches: list[Watch] = []

    @property
    def step(self) -> int:
        """The step that is being worked on, from 0; see ``StepCounter``."""
        return self._steps.current

    @property
    def url(self) -> str:
        """The address of the run's page."""
        return f"{self.settings.server_url}/runs/{self.run_id}"

    @property
    def active(self) -> bool:
        """Whether what is logged goes anywhere."""
        return self._pipeline is not None

    def log(self, metrics: Mapping[str, float | Tensor], step: int | None = None) -> None:
        """Record values at a step (None: the current one). One-element tensors are taken without waiting for the
        device. What is no number is left out, and the terminal says so: a training does not end for a log line."""
        pipeline = self._pipeline
        if pipeline is None:
            return
        try:
            at = None if step is None else checked_step(step)
            values = dict(filter(None, (self._checked(name, value) for name, value in metrics.items())))
            if at is None:
                at = self._steps.for_log(list(values), tell=self._console.say)
            pipeline.outbox.put_points([Point(name, at, value) for name, value in values.items()])
        except Exception as error:  # noqa: BLE001  # the border: no error of ours may reach the training
            self._console.say(f"log() left values out: {error}", once=f"log {type(error).__name__}")

    def _checked(self, name: object, value: object) -> tuple[str, float | Tensor] | None:
        try:
            checked = checked_name(name), checked_value(value)
            if self._names.has_room_for(checked[0]):
                return checked
            self._console.say(
                f"metric {name!r} and all other new names are left out: a run has at most {MOST_NAMES:,}. Log under "
                "fewer names, without steps or batch numbers in them",
                once="too many names",
            )
            return None
        except (TypeError, ValueError, OverflowError) as error:
            self._console.say(f"metric {name!r} is left out: {error}", once=f"metric {name!r}")
            return None

    def watch(
        self,
        model: nn.Module,
        optimizer: Optimizer | Sequence[Optimizer],
        *,
        every: int | None = None,
        dense: int = DENSE_STEPS,
    ) -> None:
        """Record the stats of every layer at the first ``dense`` steps and then at every ``every``-th.

        The first optimizer counts the steps. Raises ValueError for a model without parameters, or every < 1; whatever
        else goes wrong is said in the terminal, and the training goes on unwatched.
        """
        if self._pipeline is None:
            return
        interval = self.settings.every if every is None else every
        if interval < 1:
            raise ValueError(f"every={interval}: sample every step (1) or fewer")
        optimizers = list(optimizer) if isinstance(optimizer, Sequence) else [optimizer]
        if not optimizers:
            raise ValueError("watch() needs an optimizer: its steps are the run's")
        self._stop_watching()
        try:
            self._watch(self._pipeline, model, optimizers, Sampling(every=interval, dense=dense))
        except ValueError:
            raise
        except Exception as error:  # noqa: BLE001  # the border: no error of ours may reach the training
            self._stop_watching()
            self._console.say(f"this model cannot be watched ({type(error).__name__}: {error}); metrics are recorded")

    def _watch(self, pipeline: Pipeline, model: nn.Module, optimizers: Sequence[Optimizer], sampling: Sampling) -> None:
        from trainvitals.layers import describe
        from trainvitals.watch import Watch

        watch = Watch(
            model,
            optimizers,
            steps=self._steps,
            sampling=sampling,
            emit=self._emit,
            tell=self._console.say,
        )
        self._watches = [watch]
        pipeline.introduce(describe(watch.layers, optimizers))
        watch.start()

    def preflight(self, *arguments: Any, quiet: bool = False, **options: Any) -> Preflight:  # Any: see there
        """``trainvitals.preflight``, its report kept with this run."""
        from trainvitals.preflight.report import message
        from trainvitals.preflight.running import run_preflight

        report = run_preflight(*arguments, **options)
        if self._pipeline is not None:
            self._pipeline.report(message(report))
        if not quiet:
            self._console.say(str(report))
        return report

    def _stop_watching(self) -> None:
        """Hand over the snapshot that was begun, and let go of model and optimizers."""
        watches, self._watches = self._watches, []
        for watch in watches:
            watch.stop()

    def finish(self, status: EndStatus | None = None, *, error: str | None = None) -> None:
        """End the run: deliver what is waiting, for at most five seconds; what is left is shipped later."""
        if self._pipeline is None:
            return
        from trainvitals.plain import text
        from trainvitals.wire.messages import RunEnd

        self._stop_watching()
        pipeline, self._pipeline = self._pipeline, None
        self._on_end(self)
        noted = self.outcome or ("finished", None)
        end = RunEnd(
            status=status or noted[0],
            ended_at=time.time(),
            last_step=self._steps.current,
            error=text(error or noted[1] or "") or None,
        )
        pipeline.close(end, seconds=SHUTDOWN_SECONDS)

    def note(self, error: BaseException) -> None:
        """Remember how the run is about to end, if nothing did before."""
        if self.outcome is None:
            self.outcome = outcome_of(error)

    def abandon(self) -> None:
        """In a forked child: from now on do nothing; the run is the parent's."""
        pipeline, self._pipeline = self._pipeline, None
        self._watches = []  # their hooks find nothing to do
        self._on_end(self)
        if pipeline is not None:
            pipeline.abandon()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.note(error)
        self.finish()

    def __deepcopy__(self, memo: dict[int, Any]) -> Run:  # Any: as the protocol has it
        return self

    def _emit(self, pending: Pending, rates: dict[str, float | Tensor], seconds: float) -> None:
        pipeline = self._pipeline
        if pipeline is None:
            return
        now = time.perf_counter()
        since, self._reported_at = now - self._reported_at, now
        own = {"elapsed_seconds": time.time() - self._started_at, "overhead_fraction": seconds / max(since, 1e-9)}
        pipeline.outbox.put_snapshot(pending)
        pipeline.outbox.put_points([Point(name, pending.step, value) for name, value in {**rates, **own}.items()])


def outcome_of(error: BaseException) -> tuple[EndStatus, str | None]:
    """How a run ends that an exception leaves."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped", "interrupted from the keyboard"
    if isinstance(error, SystemExit):
        return ("finished", None) if error.code in (None, 0) else ("failed", f"exit status {error.code}")
    return "failed", f"{type(error).__name__}: {error}"
