"""What a run watches, and since when: the collector, begun and ended."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from trainvitals.collector.agreed_sampling import AgreedSampling
from trainvitals.collector.options import WatchOptions
from trainvitals.collector.plan import Plan
from trainvitals.collector.sampling import FIRST_INTERVAL, Sampling
from trainvitals.collector.steps import StepCounter
from trainvitals.console import Console
from trainvitals.ranks import Place, find_place, meeting_place
from trainvitals.settings import Settings

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from trainvitals.collector.attention_watch import AttentionWatch
    from trainvitals.collector.layers import Layers
    from trainvitals.collector.roots import Models
    from trainvitals.collector.shards import Shards
    from trainvitals.collector.snapshots import Pending
    from trainvitals.collector.watch import Watch
    from trainvitals.inside.looking import Looking
    from trainvitals.lookout import Found, Lookout
    from trainvitals.successors import Successors
    from trainvitals.wire.capture import CaptureOutcome
    from trainvitals.wire.messages import ModelInfo

OVERHEAD_SNAPSHOTS: Final = 20  # that the overhead is told over: single ones wait for other processes

HandOver = Callable[["Pending", dict[str, float]], None]


class Watching:
    """At most one watch at a time. ``hand_over`` gets each snapshot with the metrics of its step, ``introduce`` the
    layers that snapshots have from now on; ``after_step``, if there is one, is called last in each step of the first
    optimizer, and may raise. ``beside``: the seconds that other threads work on a snapshot."""

    def __init__(
        self,
        settings: Settings,
        steps: StepCounter,
        console: Console,
        *,
        run_id: str,
        place: Place,
        started_at: float,
        hand_over: HandOver,
        introduce: Callable[[ModelInfo], None],
        after_step: Callable[[], None] | None,
        beside: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._steps = steps
        self._console = console
        self._run_id = run_id
        self._place = place
        self._watches = 0  # begun
        self._started_at = started_at
        self._hand_over = hand_over
        self._introduce = introduce
        self._after_step = after_step
        self._beside = beside
        self._watch: Watch | None = None
        self._roots: dict[str, nn.Module] = {}  # and optimizers, that are watched
        self._optimizers: list[Optimizer] = []
        self._layers: Layers | None = None
        self._begun_at = 0  # step
        self._model: ModelInfo | None = None
        self._successors: Successors | None = None
        self._lookout: Lookout | None = None
        self._reported_at = time.perf_counter()
        self._shares: deque[tuple[float, float]] = deque(maxlen=OVERHEAD_SNAPSHOTS)
        self._in_step = False  # in a step's hooks, of which none may be taken out just then
        self._undo: list[Callable[[], None]] = []
        self._looking: Looking | None = None

    def begin(self, models: Models, optimizers: Sequence[Optimizer], options: WatchOptions) -> None:
        """Watch these from now on, beside what is watched already and has not taken a step: else in its place. Raises
        ValueError for what cannot be meant."""
        if not optimizers:
            raise ValueError("watch() needs an optimizer: its steps are the run's")
        from trainvitals.collector.roots import named_roots

        roots, optimizers = self._with_earlier(named_roots(models), optimizers)
        self.stop()
        self._follow(roots, optimizers, options)
        if self._lookout is None and self._watch is not None:
            self._look_for_successors(roots, options)

    def _with_earlier(
        self, roots: dict[str, nn.Module], optimizers: Sequence[Optimizer]
    ) -> tuple[dict[str, nn.Module], list[Optimizer]]:
        """A script may name its models one by one, each with its optimizer; but one that has begun to train the first
        is done with it."""
        from trainvitals.collector.roots import named_roots

        ours, theirs = (_parameters(models.values()) for models in (self._roots, roots))
        if self._watch is None or self._steps.upcoming != self._begun_at or ours & theirs:
            return roots, list(optimizers)
        earlier = [one for one in self._optimizers if not any(one is new for new in optimizers)]
        is_named = "" not in self._roots.keys() | roots.keys() and self._roots.keys().isdisjoint(roots)
        both = self._roots | roots if is_named else named_roots([*self._roots.values(), *roots.values()])
        return both, [*earlier, *optimizers]

    def _look_for_successors(self, roots: dict[str, nn.Module], options: WatchOptions) -> None:
        from trainvitals.collector.hooks import Faults
        from trainvitals.successors import Successors

        def follow(optimizers: list[Optimizer]) -> None:
            names = " and ".join(type(optimizer).__name__ for optimizer in optimizers)
            self._console.say(f"from step {self._steps.current:,} on the model is trained, and watched, by {names}")
            self._end_watch()
            self._follow(roots, optimizers, options)
            successors.know(self._optimizers)

        successors = self._successors = Successors(
            roots.values(), steps=self._steps, follow=follow, faults=Faults(self._console.say)
        )
        successors.know(self._optimizers)

    def _follow(self, roots: dict[str, nn.Module], optimizers: Sequence[Optimizer], options: WatchOptions) -> None:
        try:
            self._begin(roots, optimizers, options)
        except ValueError:
            raise
        except Exception as error:  # noqa: BLE001  # the border: no error of ours may reach the training
            self.stop()
            self._console.say(f"this model cannot be watched ({type(error).__name__}: {error}); metrics are recorded")

    def expect(self, models: Sequence[nn.Module], options: WatchOptions) -> None:
        """Watch these once it is known which optimizers train them."""
        from trainvitals.lookout import Given

        self.look_out(Given([]), options).expect(models)

    def look_out(self, found: Found, options: WatchOptions) -> Lookout:
        """The one lookout of the run."""
        from trainvitals.lookout import Lookout

        if self._lookout is None:
            self._lookout = Lookout(
                found,
                steps=self._steps,
                watch=lambda models, optimizers: self.begin(models, optimizers, options),
                tell=self._console.say,
            )
        return self._lookout

    def look_inside(self, looking: Looking | None = None) -> None:
        """Show the watched model the probe from now on, in place of an earlier one; None: the one that there is. A
        model that is not watched yet is shown it when it is; of several models the first."""
        from trainvitals.collector.layers import named_modules
        from trainvitals.collector.roots import inner

        self._looking = looking or self._looking
        layers = self._layers
        if layers is None or (self._looking is None and self._after_step is None):
            return
        if not self._undo:
            hook = self._optimizers[0].register_step_post_hook(self._step_ended)  # after those that record
            self._undo.append(hook.remove)
        if self._looking is not None and self._place.leads:
            inners = {name: inner(root) for name, root in self._roots.items()}
            modules = dict(zip(layers.names, layers.modules, strict=True))
            self._looking.follow(next(iter(inners.values())), modules, dict(named_modules(inners)))

    def capture(self) -> tuple[CaptureOutcome, int]:
        """Sample every step for a while; what comes of it, as ``Sampling.capture`` says it. On any thread."""
        watch = self._watch
        return ("not watched", 0) if watch is None else watch.capture()

    def logged(self, seconds: float) -> None:
        """``log()`` has taken so long: what it costs is told with what watching costs."""
        if (watch := self._watch) is not None:
            watch.logged(seconds)

    def stop(self) -> None:
        """Remove every hook, and let go of models and optimizers; the snapshot that was begun is handed over."""
        self._end_watch()
        if self._successors is not None:
            self._successors.stop()
            self._successors = None

    def _end_watch(self) -> None:
        watch, self._watch = self._watch, None
        self._roots, self._optimizers, self._layers = {}, [], None
        if self._looking is not None:
            self._looking.let_go()
        if watch is not None:
            watch.stop()
        while self._undo:
            self._undo.pop()()

    def end(self) -> None:
        """Stop for good, with the run. Within a step's hooks these stay, and find nothing to do."""
        if not self._in_step:
            self.stop()
        else:
            if self._watch is not None:
                self._watch.let_go()
            if self._successors is not None:
                self._successors.stop()
        if self._lookout is not None:
            self._lookout.stop()
        looking, self._looking = self._looking, None
        if looking is not None and not looking.looks and self._place.leads:
            self._console.say("probe(): nothing was looked at: watch(model, optimizer) says what, and when")

    def abandon(self) -> None:
        """In a forked child: the hooks find nothing to do, and optimizers of its own are none of ours."""
        self._watch = self._looking = None
        if self._successors is not None:
            self._successors.stop()

    def _sampling(self, options: WatchOptions, plan: Plan | None = None) -> Sampling:
        """Of its own, or by the plan of several ranks."""
        every = options.every
        if every is None and options.budget is None:
            every = self._settings.every
        budget = self._settings.budget if options.budget is None else options.budget
        if plan is None:
            is_alone = self._place.ranks == 1
            return Sampling(every=every, budget=budget, dense=options.dense, is_alone=is_alone)
        return AgreedSampling(plan, leads=self._place.leads, every=every, budget=budget, dense=options.dense)

    def _shards(self, layers: Layers, optimizers: Sequence[Optimizer], plan: Plan) -> Shards | None:
        from trainvitals.collector.dtensors import is_sharded
        from trainvitals.collector.parts import all_of
        from trainvitals.collector.shards import Shards

        if not any(is_sharded(parameter) for parameter in all_of(layers, optimizers)):
            return None
        store = meeting_place()
        if store is None or self._place.ranks == 1:
            return None
        key = f"trainvitals/{self._run_id}/{self._watches}"
        rank, ranks = self._place.rank, self._place.ranks
        return Shards(store, key=key, rank=rank, ranks=ranks, plan=plan, tell=self._console.say)

    def _attention(
        self, models: Mapping[str, nn.Module], layers: Layers, optimizers: Sequence[Optimizer], options: WatchOptions
    ) -> AttentionWatch | None:
        from trainvitals.collector.attention_watch import AttentionWatch
        from trainvitals.collector.layers import describe, is_chosen

        if not (options.attention and self._place.leads):
            return None
        return AttentionWatch(
            models,
            layers,
            wanted=lambda name: is_chosen(name, include=options.include, exclude=options.exclude),
            found=lambda all_layers: self._introduce(
                _since(describe(all_layers, optimizers), self._model, step=self._steps.upcoming)
            ),
            tell=self._console.say,
        )

    def _begin(self, roots: dict[str, nn.Module], optimizers: Sequence[Optimizer], options: WatchOptions) -> None:
        from trainvitals.collector.layers import describe, find_layers
        from trainvitals.collector.roots import inner
        from trainvitals.collector.watch import Watch

        inners = {name: inner(root) for name, root in roots.items()}
        layers = find_layers(inners, include=options.include, exclude=options.exclude)
        self._watches += 1
        plan = Plan(options.every or self._settings.every or FIRST_INTERVAL)
        shards = self._shards(layers, optimizers, plan)
        self._watch = Watch(
            list(roots.values()),
            layers,
            optimizers,
            steps=self._steps,
            sampling=self._sampling(options, None if shards is None else plan),
            emit=self._emit,
            tell=self._console.say,
            attention=self._attention(inners, layers, optimizers, options),
            is_alone=self._place.ranks == find_place().ranks == 1,  # the others may have come since the run began
            leads=self._place.leads,
            shards=shards,
            beside=self._beside,
        )
        self._roots, self._optimizers, self._begun_at = roots, list(optimizers), self._steps.upcoming
        self._layers = layers
        if self._place.leads:
            self._model = _since(describe(layers, optimizers), self._model, step=self._steps.upcoming)
            self._introduce(self._model)
        self._watch.start()
        self.look_inside()

    def _step_ended(self, *_: object) -> None:
        self._in_step = True
        try:
            if (looking := self._looking) is not None:  # another thread may end the run meanwhile
                self.logged(looking.step_ended(self._steps.current))
            if self._after_step is not None:
                self._after_step()
        finally:
            self._in_step = False

    def _emit(self, pending: Pending, rates: dict[str, float], seconds: float) -> None:
        now = time.perf_counter()
        self._shares.append((seconds, now - self._reported_at))
        self._reported_at = now
        cost, whole = (sum(part) for part in zip(*self._shares, strict=True))
        own = {"elapsed_seconds": time.time() - self._started_at, "overhead_fraction": cost / max(whole, 1e-9)}
        self._hand_over(pending, {**rates, **own})


def _since(model: ModelInfo, earlier: ModelInfo | None, *, step: int) -> ModelInfo:
    """A model with the step since which its layers are trained, or frozen, as they are now; ``step``: the next."""
    if earlier is None:
        return model
    before = {layer.name: layer.trainable for layer in earlier.layers}
    is_other = any(before.get(layer.name, layer.trainable) != layer.trainable for layer in model.layers)
    return replace(model, since_step=step if is_other else earlier.since_step)


def _parameters(models: Iterable[nn.Module]) -> set[int]:
    return {id(parameter) for model in models for parameter in model.parameters()}
