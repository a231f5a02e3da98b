"""Watching models: hooks on layers at sampled steps, and next to nothing at the others."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from statistics import median
from typing import Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from trainvitals.collector.accumulation import Accumulation
from trainvitals.collector.attention_watch import AttentionWatch
from trainvitals.collector.clipping import Call, Clipping
from trainvitals.collector.clock import STEPS, StepClock
from trainvitals.collector.device_clock import clock_of, is_capturing
from trainvitals.collector.dtensors import is_sharded
from trainvitals.collector.forward_watch import ForwardWatch
from trainvitals.collector.hooks import Faults, Hook
from trainvitals.collector.input_facts import facts_of_inputs, inputs_of
from trainvitals.collector.instruments import leave, listen
from trainvitals.collector.kept_gradients import KeptGradients
from trainvitals.collector.layers import Layers
from trainvitals.collector.loss_scaling import LossScaling
from trainvitals.collector.loss_watch import LossWatch
from trainvitals.collector.modes import Modes
from trainvitals.collector.optimizer_watch import has_closure
from trainvitals.collector.parts import all_of, split, trained_by
from trainvitals.collector.phases import Phases, examples_in
from trainvitals.collector.roots import is_compiled
from trainvitals.collector.sample import Sample
from trainvitals.collector.sampling import Sampling
from trainvitals.collector.schedules import Schedules
from trainvitals.collector.shards import Shards
from trainvitals.collector.snapshots import SEEN, Pending, pack
from trainvitals.collector.steps import StepCounter
from trainvitals.collector.toll import Toll
from trainvitals.collector.transforms import is_transformed
from trainvitals.collector.turns import Turns
from trainvitals.collector.unseen import FLATTENED, CompiledParts, blind_words
from trainvitals.wire.capture import CaptureOutcome
from trainvitals.wire.facts import FACTS

FACTS_FIRST: Final = 20  # snapshots with facts of batch and loss; later on only those that look in depth
MOST_UNHEARD: Final = 3  # snapshots: the first may have begun after its forward pass


class Watch:
    """Watched models and their optimizers; the first optimizer counts the steps.

    A layer that is called several times in a step (shared, or under gradient accumulation) counts as one with all the
    values together. Of an optimizer that steps several times in one step of the first, the first time is recorded.
    ``emit`` gets the snapshot, metrics of its step and the seconds that watching has cost since the one before. Of
    several ranks one ``leads`` and ships layers; where they are sharded, ``shards`` puts together what each holds. One
    that ``is_alone`` has gradients of its own examples and no others. ``beside``: the seconds that other threads work
    on a snapshot, of which the training has as many less.
    """

    def __init__(
        self,
        roots: Sequence[nn.Module],
        layers: Layers,
        optimizers: Sequence[Optimizer],
        *,
        steps: StepCounter,
        sampling: Sampling,
        emit: Callable[[Pending, dict[str, float], float], None],
        tell: Callable[[str], None],
        is_alone: bool = True,
        leads: bool = True,
        shards: Shards | None = None,
        attention: AttentionWatch | None = None,
        beside: Callable[[], float] = float,
    ) -> None:
        self._roots, self._layers, self._optimizers = list(roots), layers, list(optimizers)
        self._steps, self._sampling = steps, sampling
        self._emit, self._tell, self._leads, self._shards = emit, tell, leads, shards
        self._beside, self._attention = beside, attention
        self._toll, self._modes = Toll(), Modes()
        self._counting = Faults(tell)  # of its own: steps are counted even when measuring has failed for good
        self._faults = Faults(tell)
        self._device = clock_of((layers.parameters or trained_by(optimizers))[0])
        self._forward = ForwardWatch(layers.modules, faults=self._faults, device=self._device, attention=attention)
        self._parts = split(layers, self._optimizers, leads=leads, shards=shards)
        self._parameters = all_of(layers, self._optimizers)
        self._known = {id(parameter) for parameter in self._parameters}
        self._clock, self._phases = StepClock(), Phases()
        self._turns = Turns(len(self._optimizers))
        self._clipping = Clipping(tell if leads else None)
        self._schedules = Schedules(optimizers)
        self._scaling = LossScaling()
        is_plain = is_alone and len(self._roots) == len(self._optimizers) == 1
        self._losses = LossWatch(self._guarded, is_plain=is_plain)
        self._accumulation = Accumulation(optimizers[0], self._guarded, faults=self._faults, is_plain=is_plain)
        self._kept = KeptGradients(optimizers[0], self._guarded, faults=self._faults, is_plain=is_plain)
        self._compiled = CompiledParts(self._roots, tell)
        self._unheard = 0  # snapshots in a row without an output
        self._snapshots = 0
        self._sample: Sample | None = None
        self._with_facts = False  # of this sample's batch and loss
        self._waiting: set[int] = set()  # optimizers that have not stepped in the sampled step
        self._prepared: int | None = None  # the step that forward hooks are there for, or not there
        self._sampled = False
        self._permanent: list[RemovableHandle] = []
        self._seconds = self._logging = 0.0  # spent since the last boundary of steps, and on log()
        self._unreported = 0.0  # spent since the last snapshot was handed over, on whatever
        self._always: deque[float] = deque(maxlen=STEPS)  # of the steps of late what hooks that stay and log() cost
        self._blind = not leads or all(is_compiled(root) for root in self._roots)

    def start(self) -> None:
        """Install the hooks."""
        if self._blind and self._leads:
            self._tell(blind_words("the model is compiled", with_attention=self._attention is not None))
        elif self._leads:
            self._compiled.look()
        if self._layers.are_flattened and self._leads:
            self._tell(FLATTENED)
        if self._shards is None and any(is_sharded(one) for one in self._parameters):
            self._tell(
                "parameters are sharded, and there is no process group to ask: stats of gradients, weights and updates "
                "are of this process's shards alone"
            )
        with torch.no_grad():
            for part in self._parts:
                part.prepare()
        self._steps.drive()
        listen(self)
        if self._leads:
            self._losses.start()
        if self._attention is not None and not self._blind:
            self._attention.start()

        def staying(body: Callable[..., None]) -> Hook:
            return Hook(body, self._counting, self._toll)

        self._toll.calibrate(staying(lambda *_: None))
        keep = self._permanent.append
        for root in self._roots:
            keep(root.register_forward_pre_hook(staying(self._enter_root), with_kwargs=True))
            keep(root.register_forward_hook(staying(self._leave_root), always_call=True))
        for index, optimizer in enumerate(self._optimizers):
            keep(optimizer.register_step_pre_hook(staying(self._before(index))))
            keep(optimizer.register_step_post_hook(staying(self._after(index))))
        self._prepare_once()

    def stop(self) -> None:
        """Remove every hook; the model is as it was. The snapshot that was begun is handed over."""
        self.let_go()
        self._steps.release()
        self._guarded(self._close)
        if self._shards is not None:
            self._shards.end()
        self._forward.rest()
        self._kept.end()
        if self._attention is not None:
            self._attention.stop()
        for handle in self._permanent:
            handle.remove()
        self._permanent.clear()

    def let_go(self) -> None:
        """Have PyTorch's functions as they were, hooks aside: within one of these, none may be taken out."""
        leave(self)
        self._losses.stop()
        self._forward.functions.stop()

    def capture(self) -> tuple[CaptureOutcome, int]:
        """See ``Sampling.capture``."""
        return self._sampling.capture(self._steps.upcoming)

    def logged(self, seconds: float) -> None:
        """``log()`` has taken so long."""
        self._unreported += seconds
        self._logging += seconds
        self._phases.leave_out(seconds)

    def clipped(
        self, parameters: Sequence[Tensor], *, norm: Tensor, max_norm: float | Tensor, is_euclidean: bool
    ) -> None:
        """See ``instruments.Listener``."""
        if not self._layers.are_flattened and any(id(parameter) in self._known for parameter in parameters):
            call = Call(parameters=parameters, norm=norm.detach(), max_norm=max_norm, is_euclidean=is_euclidean)
            self._guarded(lambda: self._clipping.add(call))
            self._accumulation.clipped()

    def scaling(self, optimizer: Optimizer, *, scale: Tensor | None) -> None:
        """See ``instruments.Listener``."""
        if any(optimizer is known for known in self._optimizers):
            self._scaling.begin(scale)

    def scaled(self, optimizer: Optimizer, *, was_skipped: bool, found_inf: Tensor | None) -> None:
        """See ``instruments.Listener``. A step that is skipped has taught nothing, and its numbers are not finite: what
        was seen of it is forgotten."""
        if not any(optimizer is known for known in self._optimizers):
            return
        told = None if is_capturing() else found_inf
        self._guarded(lambda: self._scaling.end(optimizer, was_skipped=was_skipped, found_inf=told))
        if not was_skipped:
            return
        self._clipping.forget()
        sample, self._sample = self._sample, None

        def begin_anew() -> None:
            alone = self._scaling.alone(optimizer, self._steps.current)
            if alone is not None:
                self._emit(alone, {"skipped_steps": self._scaling.skipped}, 0.0)
            if sample is not None:
                self._begin_sample(sample.step)

        self._guarded(begin_anew)
        if optimizer is self._optimizers[0] and self._scaling.is_stuck(optimizer):
            self._steps.take()

    def _enter_root(self, module: nn.Module, arguments: tuple[object, ...], named: dict[str, object]) -> None:
        has_gradients = torch.is_grad_enabled()
        self._steps.calls += 1
        self._modes.enter(is_training=module.training, has_gradients=has_gradients)
        if not module.training or not has_gradients:
            return
        if self._turns.forward():
            self._steps.begin()
            self._prepare_once()
        self._forward.enter_root()
        given = inputs_of(module, arguments, named) if named else arguments
        examples, sample = examples_in(given), self._sample
        if sample is not None:
            self._guarded(lambda: self._accumulation.count(examples))
            wants_facts = self._with_facts and "input_checksum" not in sample.facts
            if wants_facts and not is_capturing() and not is_transformed():
                self._guarded(lambda: sample.facts.update(facts_of_inputs(given)))
        self._phases.enter("forward", examples=examples, root=id(module))

    def _leave_root(self, module: nn.Module, arguments: object, output: object) -> None:
        if self._forward.leave_root(output):
            if self._sample is not None:
                self._guarded(lambda: self._accumulation.gave_out(output))
                self._spend(self._forward.take_seconds())
            self._phases.enter("backward")

    def _before(self, index: int) -> Callable[..., None]:
        def begin(optimizer: Optimizer, arguments: tuple[object, ...] = (), named: object = None) -> None:
            self._turns.step(index)
            if index == 0:
                self._steps.begin()
                self._prepare_once()
            self._phases.enter("optimizer")
            sample = self._sample
            if sample is not None and index in self._waiting and not is_capturing():
                late = has_closure(arguments, named)
                self._guarded(lambda: self._parts[index].before(sample, has_closure=late))

        return begin

    def _after(self, index: int) -> Callable[..., None]:
        def finish(optimizer: Optimizer, *arguments: object) -> None:
            self._phases.enter("data")
            sample = self._sample
            if sample is not None and index in self._waiting and not is_capturing():
                self._waiting.discard(index)
                self._guarded(lambda: self._parts[index].after(sample))
                if self._with_facts:
                    self._kept.step(sample)
                if not self._waiting:
                    self._guarded(self._close)
            if index == 0:
                self._steps.take()
                self._end_step()
            if self._turns.is_over:
                self._prepare_once()

        return finish

    def _prepare_once(self) -> None:
        """For each step, before its first forward."""
        step = self._steps.upcoming
        if self._prepared == step:
            return
        self._prepared = step
        before, self._sampled = self._sampled, self._sampling.take(step)
        if before or self._sampled or self._sample is not None:  # else there is nothing to do, at no cost
            self._guarded(lambda: self._prepare(step))
        self._clipping.begin_step()

    def _prepare(self, step: int) -> None:
        """Hooks in or out, by whether the step is sampled."""
        self._close()
        if self._sampled:
            self._begin_sample(step)
        else:
            self._forward.rest()

    def _begin_sample(self, step: int) -> None:
        sampling = self._sampling
        self._sample = Sample(step, in_depth=sampling.looks_in_depth(), with_histograms=sampling.takes_histograms())
        self._accumulation.begin()
        self._device.begin()
        self._waiting = set(range(len(self._optimizers)))
        if not self._blind:
            self._forward.begin(self._sample)
        self._with_facts = self._leads and (self._sample.in_depth or self._snapshots < FACTS_FIRST)
        if self._with_facts:
            self._losses.begin(self._sample)
            self._kept.begin()

    def _close(self) -> None:
        """Hand the snapshot over, if a gradient was seen."""
        sample, self._sample = self._sample, None
        if sample is None:
            return
        self._forward.end()
        self._losses.end(loss_scale=self._scaling.scale)
        self._kept.end()
        stepped = len(self._waiting) < len(self._optimizers)
        # other ranks may count on a part without a gradient, and FSDP1's gradients are not looked at
        is_told_without = stepped and (self._shards is not None or self._layers.are_flattened)
        if sample.kinds.keys().isdisjoint(SEEN) and not is_told_without:
            return
        self._unheard = 0 if self._blind or self._forward.called else self._unheard + 1
        self._snapshots += 1
        if (self._snapshots == MOST_UNHEARD or sample.with_histograms) and not self._blind:
            self._compiled.look()  # what was since watching began
        if self._unheard == MOST_UNHEARD:
            self._blind = True
            why = "their hooks do not run (was the model compiled after watch, or called by other means?)"
            self._tell(blind_words(why, with_attention=self._attention is not None))
        self._accumulation.add_to(sample, loss_scale=self._scaling.scale)
        rates: dict[str, float | Tensor] = {**self._phases.metrics(), **self._clipping.metrics()}
        rates |= {**self._schedules.metrics(), **self._scaling.metrics()}
        for index, group in enumerate(group for optimizer in self._optimizers for group in optimizer.param_groups):
            rates["lr" if index == 0 else f"lr/{index}"] = group.get("lr", float("nan"))
        seconds, self._unreported = self._unreported, 0.0  # packing is on the next snapshot's account
        layers = self._layers if self._attention is None else self._attention.layers
        sample.facts.update(self._modes.facts() if self._leads else {})
        rates |= {FACTS + name: fact for name, fact in sample.facts.items()}
        on_device = {name: rate for name, rate in rates.items() if isinstance(rate, Tensor)}
        pending = pack(
            sample,
            layers=layers.names,
            ships_layers=self._leads,
            has_norm=not self._layers.are_flattened,
            shards=self._shards,
            metrics=on_device,
        )
        self._emit(pending, {name: rate for name, rate in rates.items() if not isinstance(rate, Tensor)}, seconds)

    def _end_step(self) -> None:
        """A boundary between steps: what this one cost decides when the next is sampled."""
        if self._sampled:
            self._spend(self._forward.take_seconds())
        spent, self._seconds = self._seconds, 0.0
        self._phases.step_ended()
        self._modes.step_ended()
        toll = self._toll.step_ended()
        self._unreported += toll
        self._always.append(toll + self._logging)
        self._logging = 0.0
        cost = self._clock.step_ended(cost_seconds=spent if self._sampled else None)
        if self._sampled:
            cost += self._device.ended(counted_seconds=cost) + self._beside()
            self._unreported += cost - spent
            step_seconds, always = self._clock.step_seconds, median(self._always)
            self._sampling.note(
                self._steps.current, cost_seconds=cost, step_seconds=step_seconds, always_seconds=always
            )

    def _guarded(self, measure: Callable[[], None]) -> None:
        """Measure, and take the time of it. The border: no error of ours may reach the training."""
        if self._faults.too_many:
            self._forward.rest()
            self._kept.end()
            return
        started = time.perf_counter()
        try:
            with torch.no_grad(), nullcontext() if self._sample is None else self._device.section():
                measure()
        except Exception as error:  # noqa: BLE001
            self._faults.add(error)
        seconds = time.perf_counter() - started
        self._toll.leave_out(seconds)
        self._spend(seconds)

    def _spend(self, seconds: float) -> None:
        self._seconds += seconds
        self._unreported += seconds
        self._phases.leave_out(seconds)
