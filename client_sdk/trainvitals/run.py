"""A run: what a training script holds in its hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from trainvitals.noting import Noting
from trainvitals.outbox import Point
from trainvitals.points import Intake, Metrics, checked_step
from trainvitals.reactions import Reactions, TrainingStopped
from trainvitals.steps import Sampling, StepCounter
from trainvitals.wandb_words import is_optimizer, of_watch

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from trainvitals.console import Console
    from trainvitals.lookout import Lookout, Models
    from trainvitals.notes import Notes
    from trainvitals.pipeline import Pipeline
    from trainvitals.settings import Settings
    from trainvitals.snapshots import Pending
    from trainvitals.watch import Watch

EndStatus = Literal["finished", "failed", "stopped"]
SHUTDOWN_SECONDS = 5.0
DENSE_STEPS = 50


class NoActiveRun(RuntimeError):
    """``watch``, ``log`` or another of them was called before ``init``."""

    def __init__(self, what: str) -> None:
        super().__init__(f"trainvitals.{what}() needs a run: call trainvitals.init() first")


class Run(Noting):
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
        reactions: Reactions,
        config: Mapping[str, Any],
        notes: Notes,
    ) -> None:
        self.run_id = run_id
        self.settings = settings
        super().__init__(notes, console, config=config)
        self.outcome: tuple[EndStatus, str | None] | None = None
        self._pipeline = pipeline
        self._started_at = started_at
        self._on_end = on_end
        self._reactions = reactions
        self._reported_at = time.perf_counter()
        self._steps = StepCounter()
        self._intake = Intake(say=console.say)
        self._watches: list[Watch] = []
        self._lookout: Lookout | None = None
        self._in_step = False  # within the hooks of an optimizer's step, of which none may be taken out just then
        self._undo: list[Callable[[], None]] = []

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

    def log(self, metrics: Metrics, step: int | None = None, commit: bool | None = None) -> None:
        """Record values at a step (None: the current one). One-element tensors are taken without waiting for the
        device; of a mapping within, the values are called "outer/inner". What is no number is left out, and the
        terminal says so: a training does not end for a log line. ``commit`` is wandb's, and changes nothing: the
        optimizer counts the steps, or a metric that comes again."""
        pipeline = self._pipeline
        if pipeline is None:
            return
        try:
            at = None if step is None else checked_step(step)
            values = self._intake.take(metrics)
            if at is None:
                at = self._steps.for_log(list(values), tell=self._console.say)
            pipeline.outbox.put_points([Point(name, at, value) for name, value in values.items()])
        except Exception as error:  # noqa: BLE001  # the border: no error of ours may reach the training
            self._console.say(f"log() left values out: {error}", once=f"log {type(error).__name__}")
        self.check_findings()

    def check_findings(self) -> None:
        """Do what ``on_finding`` and ``checkpoint`` ask for about what was found since. ``log`` and the steps of
        watched optimizers call it; a loop that does neither may. Raises what ``on_finding`` asks for."""
        if self._pipeline is None or not self._reactions.waiting:
            return
        try:
            self._reactions.act()
        except TrainingStopped as stop:
            self.note(stop)  # nobody else is told of a SystemExit
            raise

    def watch(
        self,
        model: Any = None,  # Any: a module, or as wandb has it several
        optimizer: Any = None,  # Any: an optimizer or several; wandb has a loss function in this place
        *,
        every: int | None = None,
        dense: int = DENSE_STEPS,
        **wandb: Any,  # Any: what scripts written for wandb say besides
    ) -> None:
        """Record the stats of every layer at the first ``dense`` steps and then at every ``every``-th.

        The first optimizer counts the steps. Without one, those that train the model are learnt at their first steps;
        ``watch`` may then be called for model after model. Raises ValueError for a model without parameters, or every
        < 1; whatever else goes wrong is said in the terminal, and the training goes on unwatched.
        """
        if wandb or not is_optimizer(optimizer):
            models, every = of_watch(model, every, wandb)
            self._expect(models, every=every, dense=dense)
            return
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

    def _expect(self, models: list[nn.Module], *, every: int | None, dense: int) -> None:
        if self._pipeline is None:
            return
        from trainvitals.lookout import Given

        self.look_out(Given([]), every=every, dense=dense).expect(models)

    def look_out(self, models: Models, *, every: int | None = None, dense: int = DENSE_STEPS) -> Lookout:
        """Have what ``models`` finds watched, with the optimizers that turn out to train it."""
        from trainvitals.lookout import Lookout

        if self._lookout is None:
            self._lookout = Lookout(
                models,
                steps=self._steps,
                watch=lambda model, optimizers: self.watch(model, optimizers, every=every, dense=dense),
                tell=self._console.say,
            )
        return self._lookout

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
        if self._reactions.wanted:
            hook = optimizers[0].register_step_post_hook(self._check_in_step)  # after those that record
            self._undo.append(hook.remove)

    def _check_in_step(self, *_: object) -> None:
        self._in_step = True
        try:
            self.check_findings()
        finally:
            self._in_step = False

    def _stop_watching(self) -> None:
        """Hand over the snapshot that was begun, and let go of model and optimizers."""
        watches, self._watches = self._watches, []
        for watch in watches:
            watch.stop()
        while self._undo:
            self._undo.pop()()

    def finish(
        self, status: EndStatus | int | None = None, *, error: str | None = None, exit_code: int | None = None
    ) -> None:
        """End the run: deliver what is waiting, for at most five seconds; what is left is shipped later. What is found
        at the very end reaches ``on_finding`` and ``checkpoint`` here, where it ends nothing any more. ``exit_code`` is
        wandb's: one that is not 0 says that the run failed."""
        if self._pipeline is None:
            return
        from trainvitals.plain import text
        from trainvitals.wire.messages import RunEnd

        if not self._in_step:
            self._stop_watching()
        if self._lookout is not None:
            self._lookout.stop()
        pipeline, self._pipeline = self._pipeline, None
        self._on_end(self)
        if isinstance(status, int):  # in wandb's first place stands the exit code
            status, exit_code = None, status
        failed: tuple[EndStatus, str | None] | None = ("failed", f"exit status {exit_code}") if exit_code else None
        noted = failed or self.outcome or ("finished", None)
        end = RunEnd(
            status=status or noted[0],
            ended_at=time.time(),
            last_step=self._steps.current,
            error=text(error or noted[1] or "") or None,
        )
        pipeline.close(end, seconds=SHUTDOWN_SECONDS)
        self._reactions.act(is_over=True)

    def note(self, error: BaseException) -> None:
        """Remember how the run is about to end, if nothing did before."""
        if self.outcome is None:
            self.outcome = outcome_of(error)

    def abandon(self) -> None:
        """In a forked child: from now on do nothing; the run is the parent's."""
        pipeline, self._pipeline = self._pipeline, None
        self._watches = []  # their hooks find nothing to do
        self._notes.abandon()
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
    if isinstance(error, TrainingStopped):
        return "stopped", str(error)
    if isinstance(error, SystemExit):
        return ("finished", None) if error.code in (None, 0) else ("failed", f"exit status {error.code}")
    return "failed", f"{type(error).__name__}: {error}"
