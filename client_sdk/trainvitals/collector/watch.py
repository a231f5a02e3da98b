"""Watching a model: hooks that are there at sampled steps, and next to nothing at the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from trainvitals.collector.hooks import Faults, Hook
from trainvitals.collector.layers import Layers, find_layers
from trainvitals.collector.optimizer_hooks import OptimizerWatch
from trainvitals.collector.snapshots import Pending, Sample, pack
from trainvitals.collector.steps import Sampling, StepCounter


class Watch:
    """One watched model and its optimizers; the first optimizer counts the steps.

    Activations are recorded in training mode with gradients enabled, so evaluation passes are left out; a layer that is
    called several times in a step (shared, or under gradient accumulation) counts as one with all the values together.
    Of an optimizer that steps several times in one step of the first, the first time is recorded.
    ``emit`` gets the snapshot, the learning rates and the seconds that watching has cost since the one before.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizers: Sequence[Optimizer],
        *,
        steps: StepCounter,
        sampling: Sampling,
        emit: Callable[[Pending, dict[str, float | Tensor], float], None],
        tell: Callable[[str], None],
    ) -> None:
        self._steps = steps
        self._sampling = sampling
        self._emit = emit
        self._tell = tell
        self._faults = Faults(tell)
        self._outer = model
        inner = getattr(model, "_orig_mod", model)  # torch.compile wraps the module
        self.layers: Layers = find_layers(inner)
        self.optimizers = list(optimizers)
        self._compiled = any(
            (module is not inner and hasattr(module, "_orig_mod")) or getattr(module, "_compiled_call_impl", None)
            for module in (model, *inner.modules())
        )
        if self._compiled:
            tell("compiled layers run without hooks: activation stats are left out; gradients and updates are recorded")
        self._parts = self._split(self.optimizers)
        self._sample: Sample | None = None
        self._waiting: set[int] = set()  # optimizers that have not stepped in the sampled step
        self._prepared: int | None = None  # the step that forward hooks are there for, or not there
        self._handles: list[RemovableHandle] = []
        self._permanent: list[RemovableHandle] = []
        self._seconds = 0.0

    def start(self) -> None:
        """Install the hooks."""
        self._steps.driven = True
        first = self.optimizers[0]
        counting = Faults(self._tell)  # of its own: steps are counted even when measuring has failed for good
        keep = self._permanent.append
        keep(self._outer.register_forward_pre_hook(Hook(self._begin_forward, counting)))
        keep(first.register_step_pre_hook(Hook(lambda *_: self._steps.begin(), counting)))
        for index, (optimizer, part) in enumerate(zip(self.optimizers, self._parts, strict=True)):
            keep(optimizer.register_step_pre_hook(Hook(self._before(index, part), self._faults)))
            keep(optimizer.register_step_post_hook(Hook(self._after(index, part), self._faults)))
        keep(first.register_step_post_hook(Hook(lambda *_: self._steps.take(), counting)))
        keep(self.optimizers[-1].register_step_post_hook(Hook(lambda *_: self._prepare(), self._faults)))
        self._prepare()

    def stop(self) -> None:
        """Remove every hook; the model is as it was. The snapshot that was begun is handed over."""
        try:
            self._close()
        except Exception as error:  # noqa: BLE001  # the border: no error of ours may reach the training
            self._faults.add(error)
        for handle in (*self._handles, *self._permanent):
            handle.remove()
        self._handles.clear()
        self._permanent.clear()

    def _split(self, optimizers: Sequence[Optimizer]) -> list[OptimizerWatch]:
        """Each parameter to the optimizer that has it, those that none has to the first."""
        optimizer_of = {
            id(parameter): index
            for index, optimizer in enumerate(optimizers)
            for group in optimizer.param_groups
            for parameter in group["params"]
        }
        pairs = list(zip(self.layers.parameters, self.layers.owners, strict=True))
        return [
            OptimizerWatch(
                optimizer, pairs=[(part, own) for part, own in pairs if optimizer_of.get(id(part), 0) == index]
            )
            for index, optimizer in enumerate(optimizers)
        ]

    def _begin_forward(self, module: nn.Module, arguments: object) -> None:
        if not module.training or not torch.is_grad_enabled():
            return
        self._steps.begin()
        try:
            self._prepare()
        except Exception as error:  # noqa: BLE001  # counting goes on
            self._faults.add(error)

    def _prepare(self) -> None:
        """Once for each step, before its first forward: hooks in or out, by whether it is sampled."""
        step = self._steps.upcoming
        if self._prepared == step:
            return
        self._prepared = step
        self._close()
        if self._faults.too_many or not self._sampling.wants(step):
            for handle in self._handles:
                handle.remove()
            self._handles.clear()
            return
        self._sample = Sample(step=step)
        self._waiting = set(range(len(self.optimizers)))
        if self._handles or self._compiled:
            return
        for index, module in enumerate(self.layers.modules):
            self._handles.append(module.register_forward_hook(Hook(self._forward(index), self._faults)))

    def _forward(self, layer: int) -> Callable[..., None]:
        def record(module: nn.Module, arguments: object, output: object) -> None:
            started = time.perf_counter()
            sample = self._sample
            if sample is None or not module.training or not torch.is_grad_enabled() or _capturing():
                return
            with torch.no_grad():
                for tensor in _tensors(output):
                    sample.add_activation(layer, tensor)
            self._seconds += time.perf_counter() - started

        return record

    def _before(self, index: int, part: OptimizerWatch) -> Callable[..., None]:
        def begin(optimizer: Optimizer, arguments: tuple[object, ...] = (), named: object = None) -> None:
            started = time.perf_counter()
            if index == 0:
                self._prepare()
            sample = self._sample
            if sample is None or index not in self._waiting or _capturing():
                return
            with torch.no_grad():
                part.before(sample, has_closure=_has_closure(arguments, named))
            self._seconds += time.perf_counter() - started

        return begin

    def _after(self, index: int, part: OptimizerWatch) -> Callable[..., None]:
        def finish(optimizer: Optimizer, *arguments: object) -> None:
            started = time.perf_counter()
            sample = self._sample
            if sample is None or index not in self._waiting or _capturing():
                return
            self._waiting.discard(index)
            with torch.no_grad():
                part.after(sample)
            if not self._waiting:
                self._close()
            self._seconds += time.perf_counter() - started

        return finish

    def _close(self) -> None:
        sample, self._sample = self._sample, None
        if sample is None or not sample.gradients:
            return
        with torch.no_grad():
            pending = pack(sample, layers=self.layers.names)
        rates: dict[str, float | Tensor] = {}
        for index, group in enumerate(group for optimizer in self.optimizers for group in optimizer.param_groups):
            rate = group.get("lr", float("nan"))
            rates["lr" if index == 0 else f"lr/{index}"] = rate.detach().clone() if isinstance(rate, Tensor) else rate
        seconds, self._seconds = self._seconds, 0.0  # packing is on the next snapshot's account
        self._emit(pending, rates, seconds)


def _tensors(output: object) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, dict):
        for value in output.values():
            yield from _tensors(value)
    elif isinstance(output, (tuple, list)):
        for value in output:
            yield from _tensors(value)


def _has_closure(arguments: object, named: object) -> bool:
    given = arguments[0] if isinstance(arguments, tuple) and arguments else None
    return given is not None or (isinstance(named, dict) and named.get("closure") is not None)


def _capturing() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
