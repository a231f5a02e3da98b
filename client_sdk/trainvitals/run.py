"""A run: what a training script holds in its hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal

from trainvitals.collector.options import WatchOptions, check_models, read_options
from trainvitals.collector.steps import StepCounter
from trainvitals.noting import Noting
from trainvitals.points import Intake, Metrics, checked_step
from trainvitals.ranks import Place
from trainvitals.reactions import Reactions, TrainingStopped
from trainvitals.shown import Shown
from trainvitals.wandb_words import ignore, is_optimizer, of_watch
from trainvitals.watching import Watching

if TYPE_CHECKING:
    from trainvitals.collector.snapshots import Pending
    from trainvitals.console import Console
    from trainvitals.joint_end import JointEnd
    from trainvitals.lookout import Found, Lookout
    from trainvitals.notes import Notes
    from trainvitals.pipeline import Pipeline
    from trainvitals.preflight.report import Preflight
    from trainvitals.settings import Settings
    from trainvitals.wire.messages import ModelInfo

EndStatus = Literal["finished", "failed", "stopped"]
SHUTDOWN_SECONDS = 5.0
OVER: Final = "log() after the run has ended records nothing: call finish() last, or init() for another run"


class NoActiveRun(RuntimeError):
    """``watch``, ``log`` or another of them was called before ``init``."""

    def __init__(self, what: str) -> None:
        super().__init__(f"trainvitals.{what}() needs a run: call trainvitals.init() first")


class Run(Noting, Shown):
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
        joint_end: JointEnd | None,
        config: Mapping[str, Any],
        notes: Notes,
        place: Place,
    ) -> None:
        self.run_id = run_id
        self.settings = settings
        self.rank = place.rank
        super().__init__(notes, console, config=config)
        self.outcome: tuple[EndStatus, str | None] | None = None
        self.presumed: tuple[EndStatus, str | None] = ("finished", None)  # if nothing else is known in the end
        self._pipeline = pipeline
        self._is_over = False  # it was recorded, and has ended
        self._on_end = on_end
        self._reactions = reactions
        self._joint_end = joint_end
        self._steps = StepCounter()
        self._intake = Intake(say=console.say)
        self._watching = Watching(
            settings,
            self._steps,
            console,
            run_id=run_id,
            place=place,
            started_at=started_at,
            hand_over=self._hand_over,
            introduce=self._introduce,
            after_step=self.check_findings if reactions.wanted or joint_end is not None else None,
            beside=lambda: 0.0 if pipeline is None else pipeline.outbox.seconds_per_snapshot,
        )
        reactions.look_closer = self._watching.capture
        if pipeline is not None and place.leads:
            pipeline.capture_by(self._watching.capture)
            pipeline.follow(self._steps)

    @property
    def step(self) -> int:
        """The step that is being worked on, from 0; see ``StepCounter``."""
        return self._steps.current

    @property
    def active(self) -> bool:
        """Whether what is logged goes anywhere."""
        return self._pipeline is not None

    def log(self, metrics: Metrics, step: int | None = None, commit: bool | None = None, **wandb: Any) -> None:
        """Record values at a step (None: the current one). One-element tensors are taken without waiting for the
        device; of a mapping within, the values are called "outer/inner". What is no number is left out, and the
        terminal says so: a training does not end for a log line. ``commit`` is wandb's, and changes nothing: the
        optimizer counts the steps, or a metric that comes again. After the run has ended nothing is recorded."""
        if wandb:
            ignore(wandb, of="log", own=("metrics", "step", "commit"))
        pipeline = self._pipeline
        if pipeline is None:
            if self._is_over:
                self._console.say(OVER, once=OVER)
            return
        started = time.perf_counter()
        try:
            at = None if step is None else checked_step(step)
            values = self._intake.take(metrics)
            if at is None:
                put = pipeline.outbox.put_points
                at = self._steps.for_log(values, tell=self._console.say, replay=put)
            else:
                self._intake.place(values, step=at)
            pipeline.outbox.put_points(at, values)
        except Exception as error:  # noqa: BLE001  # the border: no error of ours may reach the training
            self._console.say(f"log() left values out: {error}", once=f"log {type(error).__name__}")
        self._watching.logged(time.perf_counter() - started)
        self.check_findings()

    def check_findings(self) -> None:
        """Do what ``on_finding`` and ``checkpoint`` ask for about what was found since. ``log`` and the steps of
        watched optimizers call it; a loop that does neither may. Raises what ``on_finding`` asks for."""
        end = self._joint_end
        if self._pipeline is None or not (self._reactions.waiting or (end is not None and end.waiting)):
            return
        try:
            if end is None:
                self._reactions.act()
            else:
                end.look(self._reactions.act, step=self._steps.current)
        except TrainingStopped as stop:
            self.note(stop)  # nobody else is told of a SystemExit
            raise

    def watch(
        self,
        model: Any = None,  # Any: one module or several, as a sequence or a mapping
        optimizer: Any = None,  # Any: an optimizer or several; wandb has a loss function in this place
        *,
        every: int | None = None,
        budget: float | None = None,
        dense: int | None = None,
        include: Sequence[str] = ("*",),
        exclude: Sequence[str] = (),
        attention: bool = False,
        **wandb: Any,  # Any: what scripts written for wandb say besides
    ) -> None:
        """Record the stats of every layer at the first ``dense`` steps (10 to 50 unless set), and then as often as
        ``budget`` allows, a share of the training's time (0.02 unless set), or at every ``every``-th step, whatever
        that costs.

        ``model``: one, or several as a sequence or a mapping, whose keys then begin the names of layers. The first
        optimizer counts the steps; without one, those that train the model are learnt at their first steps, and
        ``watch`` may then be called for model after model. Called again before a step was taken it adds another model,
        later it begins anew, as is due where layers were frozen or thawed; an optimizer that trains the model in place
        of the one that was given, or beside it, is watched from its second step on. ``include`` and ``exclude``: shell
        patterns of layers' names (``blocks.*.mlp*``). ``attention``: at every fifth snapshot the largest logit and the
        entropy of attention, too, for which the logits of a few queries are computed anew. Raises TypeError and
        ValueError for what cannot be meant: no module, a model without parameters, every < 1; whatever else goes wrong
        is said in the terminal, and the training goes on unwatched.
        """
        learnt = wandb or not is_optimizer(optimizer)
        models, every = of_watch(model, optimizer, every, wandb) if learnt else (model, every)
        models = check_models(models)
        options = read_options(
            every=every, budget=budget, dense=dense, include=include, exclude=exclude, attention=attention
        )
        if self._pipeline is None:
            return
        if learnt:
            self._watching.expect(models, options)
        else:
            self._watching.begin(models, optimizer if isinstance(optimizer, Sequence) else [optimizer], options)

    def look_out(self, found: Found) -> Lookout:
        """Have the models that are ``found`` watched, with the optimizers that turn out to train them."""
        return self._watching.look_out(found, WatchOptions())

    def unwatch(self, models: Any = None) -> None:  # Any: wandb's, which knows of several; all are let go
        """Remove every hook, and let go of model and optimizers. The snapshot that was begun is handed over."""
        self._watching.stop()

    def begin_step(self, step: int) -> int:
        """Say which step begins, where somebody else counts them: a trainer that goes on from a checkpoint, or counts
        steps that a GradScaler skipped. Steps never go back; what comes back is the step that it is."""
        self._steps.begin()
        if step > self._steps.current:
            self._steps.current = step - 1
            self._steps.advance()
        return self._steps.current

    def capture(self) -> None:
        """Sample the next 20 steps, every one: something is going on. At most once in 500 steps."""
        self._watching.capture()

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

    def probe(self, batch: Any, *, every: int | None = None, examples: int = 4, target: Any = None) -> None:
        """Look inside the watched model as it trains: keep the first few ``examples`` of a batch, as the model takes it
        or as (inputs, targets), and show them to it between steps: at the first few, then ever more rarely within a
        share of the budget, or after every ``every``-th step. Pages show what layers make of them, filters, attention,
        and what the score of ``target`` (a class, or one for each example; None: the label, or the model's own answer)
        depends on. The training is not changed by it. Another probe takes this one's place. Raises TypeError and
        ValueError for what cannot be meant; what goes wrong later is said in the terminal."""
        from trainvitals.inside.beginning import looking

        pipeline = self._pipeline
        try:
            begun = looking(
                batch,
                every=every,
                examples=examples,
                target=target,
                budget=self.settings.budget,
                hand_over=pipeline.look if pipeline is not None else None,
                tell=self._console.say,
            )
            if begun is not None:
                self._watching.look_inside(begun)
        except (TypeError, ValueError):
            raise
        except Exception as error:  # noqa: BLE001  # the border: sparse, nested, meta tensors …
            self._console.say(
                f"probe(): this batch cannot be kept ({type(error).__name__}: {error}); the training goes on"
            )

    def finish(
        self,
        status: EndStatus | int | None = None,
        *,
        error: str | None = None,
        exit_code: int | None = None,
        **wandb: Any,  # Any: what scripts written for wandb say besides
    ) -> None:
        """End the run: deliver what is waiting, for at most five seconds; what is left is shipped later. What is found
        at the very end reaches ``on_finding`` and ``checkpoint`` here, where it ends nothing any more. ``exit_code`` is
        wandb's: one that is not 0 says that the run failed."""
        ignore(wandb, of="finish", own=("status", "error", "exit_code"))
        if self._pipeline is None:
            self._on_end(self)
            return
        from trainvitals.plain import text
        from trainvitals.wire.messages import RunEnd

        self._watching.end()
        if self._joint_end is not None:
            self._joint_end.stop()
        pipeline, self._pipeline, self._is_over = self._pipeline, None, True
        self._on_end(self)
        if isinstance(status, int):  # in wandb's first place stands the exit code
            status, exit_code = None, status
        failed: tuple[EndStatus, str | None] | None = ("failed", f"exit status {exit_code}") if exit_code else None
        noted = failed or self.outcome or self.presumed
        end = RunEnd(
            status=status or noted[0],
            ended_at=time.time(),
            last_step=self._steps.current,
            error=text(error or noted[1] or "") or None,
            rank=self.rank,
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
        self._watching.abandon()
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

    def _hand_over(self, pending: Pending, metrics: dict[str, float]) -> None:
        if (pipeline := self._pipeline) is not None:
            pipeline.outbox.put_snapshot(pending)
            pipeline.outbox.put_points(pending.step, metrics)

    def _introduce(self, model: ModelInfo) -> None:
        if self._pipeline is not None:
            self._pipeline.introduce(model)


def outcome_of(error: BaseException) -> tuple[EndStatus, str | None]:
    """How a run ends that an exception leaves."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped", "interrupted from the keyboard"
    if isinstance(error, TrainingStopped):
        return "stopped", str(error)
    if isinstance(error, SystemExit):
        return ("finished", None) if error.code in (None, 0) else ("failed", f"exit status {error.code}")
    return "failed", f"{type(error).__name__}: {error}"
