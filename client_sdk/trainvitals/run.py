"""A run: what a training script holds in its hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from trainvitals.collector.sampling import Sampling
from trainvitals.collector.steps import StepCounter
from trainvitals.outbox import Point
from trainvitals.points import MOST_NAMES, Names, checked_name, checked_step, checked_value

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    from trainvitals.collector.roots import Models
    from trainvitals.collector.snapshots import Pending
    from trainvitals.collector.watch import Watch
    from trainvitals.console import Console
    from trainvitals.pipeline import Pipeline
    from trainvitals.settings import Settings

EndStatus = Literal["finished", "failed", "stopped"]
SHUTDOWN_SECONDS = 5.0


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
        model: Models,
        optimizer: Optimizer | Sequence[Optimizer],
        *,
        every: int | None = None,
        budget: float | None = None,
        dense: int | None = None,
        include: Sequence[str] = ("*",),
        exclude: Sequence[str] = (),
    ) -> None:
        """Record the stats of every layer at the first ``dense`` steps (10 to 50 unless set), and then as often as
        ``budget`` allows, a share of the training's time (0.02 unless set), or at every ``every``-th step, whatever
        that costs.

        ``model``: one, or several as a sequence or a mapping, whose keys then begin the names of layers. The first
        optimizer counts the steps. ``include`` and ``exclude``: shell patterns of layers' names (``blocks.*.mlp*``).
        Raises ValueError for what cannot be meant: a model without parameters, every < 1; whatever else goes wrong is
        said in the terminal, and the training goes on unwatched.
        """
        if self._pipeline is None:
            return
        sampling = self._sampling(every=every, budget=budget, dense=dense)
        optimizers = list(optimizer) if isinstance(optimizer, Sequence) else [optimizer]
        if not optimizers:
            raise ValueError("watch() needs an optimizer: its steps are the run's")
        self.unwatch()
        try:
            self._watch(self._pipeline, model, optimizers, sampling, include=include, exclude=exclude)
        except ValueError:
            raise
        except Exception as error:  # noqa: BLE001  # the border: no error of ours may reach the training
            self.unwatch()
            self._console.say(f"this model cannot be watched ({type(error).__name__}: {error}); metrics are recorded")

    def _sampling(self, *, every: int | None, budget: float | None, dense: int | None) -> Sampling:
        interval = every if every is not None or budget is not None else self.settings.every
        if interval is not None and interval < 1:
            raise ValueError(f"every={interval}: sample every step (1) or fewer")
        share = self.settings.budget if budget is None else budget
        if not 0 < share <= 1:
            raise ValueError(f"budget={share}: it is a share of the training's time, such as 0.02")
        return Sampling(every=interval, budget=share, dense=dense)

    def _watch(
        self,
        pipeline: Pipeline,
        model: Models,
        optimizers: Sequence[Optimizer],
        sampling: Sampling,
        *,
        include: Sequence[str],
        exclude: Sequence[str],
    ) -> None:
        from trainvitals.collector.layers import describe, find_layers
        from trainvitals.collector.roots import inner, named_roots
        from trainvitals.collector.watch import Watch

        roots = named_roots(model)
        layers = find_layers({name: inner(root) for name, root in roots.items()}, include=include, exclude=exclude)
        watch = Watch(
            list(roots.values()),
            layers,
            optimizers,
            steps=self._steps,
            sampling=sampling,
            emit=self._emit,
            tell=self._console.say,
        )
        self._watches = [watch]
        pipeline.introduce(describe(layers, optimizers))
        watch.start()

    def unwatch(self) -> None:
        """Remove every hook, and let go of model and optimizers. The snapshot that was begun is handed over."""
        watches, self._watches = self._watches, []
        for watch in watches:
            watch.stop()

    def capture(self) -> None:
        """Sample the next 20 steps, every one: something is going on. At most once in 500 steps."""
        for watch in self._watches:
            watch.capture()

    def finish(self, status: EndStatus | None = None, *, error: str | None = None) -> None:
        """End the run: deliver what is waiting, for at most five seconds; what is left is shipped later."""
        if self._pipeline is None:
            return
        from trainvitals.plain import text
        from trainvitals.wire.messages import RunEnd

        self.unwatch()
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
