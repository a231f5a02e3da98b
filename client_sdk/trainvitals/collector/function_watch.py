"""Activations that are called as functions, told for the layer that they follow."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.modules import activation

from trainvitals.collector import activation_calls, gates
from trainvitals.collector.activations import MAX_CALLS
from trainvitals.collector.device_clock import DeviceClock
from trainvitals.collector.few import ACTIVATIONS
from trainvitals.collector.hooks import Faults, Hook
from trainvitals.collector.outputs import measured
from trainvitals.collector.sample import Sample
from trainvitals.collector.stats import dead_units, rectified, saturation

MOST_WAITING: Final = 16  # answers of which it is not known yet what becomes of them
PLAIN: Final = (Tensor, nn.Parameter)  # of which nothing has to be fetched


@dataclass(frozen=True, slots=True)
class Squashed:
    """An answer, known by its node's number, of which it is to be seen whether it is a gate; ``share`` of it is
    saturated."""

    number: int
    layer: int
    share: Tensor
    size: int


class Here(threading.local):
    """Where this thread is: the layer that has given out something last, with that thing's shape, until an activation
    follows it; and answers that wait, the newest last."""

    def __init__(self) -> None:
        self.place: tuple[int, torch.Size] | None = None
        self.waiting: list[Squashed] = []


class FunctionWatch:
    """The first activation that is called after a layer with parameters, before another one gives out something,
    belongs to it, if it has as many examples and units; what has neither parameters nor is an activation (dropout,
    pooling) is passed over. Calls by modules such as ``nn.ReLU`` are theirs. How much of an answer is saturated is told
    once the next layer, or the model itself, has been given what came of it, unless it was a gate.

    Functions are replaced within training passes of sampled steps, and nowhere in a process that compiles anything; all
    of them where a step is looked at in depth, at others those that matter. ``note_fired`` is told of a layer which of
    its units have fired, ``counts`` says of a module whether its call does now. ``seconds`` adds up what calls cost the
    host.
    """

    def __init__(
        self,
        modules: Sequence[nn.Module],
        *,
        faults: Faults,
        device: DeviceClock,
        note_fired: Callable[[int, Tensor], None],
        counts: Callable[[nn.Module], bool],
    ) -> None:
        self.seconds = 0.0
        self._modules = modules
        self._faults = faults
        self._device = device
        self._note_fired = note_fired
        self._counts = counts
        self._unit_dims: dict[int, int] = {}
        self._closing: set[int] = set()
        for index, module in enumerate(modules):
            if _is_activation(module):
                self._closing.add(index)
            elif any(True for _ in module.parameters(recurse=False)):
                self._unit_dims[index] = dead_units.unit_dim_behind(module)
        self._here = Here()
        self._sample: Sample | None = None
        self._room = 0
        self._is_listening = False
        self._has_ended = False

    def begin(self, sample: Sample) -> None:
        """A sampled step begins."""
        is_due = sample.in_depth or activation_calls.is_worth_while()
        self._sample = sample if is_due and not (self._has_ended or activation_calls.may_compile()) else None
        self._room = MAX_CALLS
        self._here = Here()

    def hooks(self) -> Iterable[tuple[nn.Module, Hook]]:
        """To be called before modules whose forward is anybody's: an activation within it does not follow the layer
        before it."""
        close = Hook(lambda *_: self._close(), self._faults)
        for index in (*self._unit_dims, *self._closing):
            module = self._modules[index]
            if not type(module).__module__.startswith("torch.nn."):
                yield module, close

    def entered(self) -> None:
        """A training pass begins: of a root, or, where none is called, with the first layer's output."""
        if self._sample is None or self._is_listening or activation_calls.may_compile():
            return
        self._is_listening = True
        try:
            activation_calls.listen(self, to_all=self._sample.in_depth)
        except Exception as error:  # noqa: BLE001  # a PyTorch that has other names; what called this goes on
            self._faults.add(error)
            self.stop()

    def gave_out(self, layer: int, given: object, output: Tensor | None) -> None:
        """A layer was given something, and has given out something."""
        if self._sample is None:
            return
        here = self._here
        if here.waiting:
            self._tell(given)
        if layer in self._unit_dims:
            here.place = None if output is None else (layer, output.shape)
            self.entered()
        elif layer in self._closing:
            here.place = None

    def activated(self, function: str, answer: Tensor) -> bool:
        """See ``activation_calls.Listener``. The border: no error of ours may reach the training."""
        place = self._here.place
        if place is None or self._room == 0 or self._faults.too_many or torch._C._is_tracing():
            return False
        if activation_calls.is_of_a_module(sys._getframe(2)):  # the caller of our replacement
            return False
        started = time.perf_counter()
        try:
            if self._counts(self._modules[place[0]]):
                with torch.no_grad(), self._device.section():
                    self._take(function, answer, *place)
        except Exception as error:  # noqa: BLE001
            self._faults.add(error)
        self.seconds += time.perf_counter() - started
        return self._here.place is None

    def left(self, output: object) -> None:
        """The training pass of a root is over, and this has come of it."""
        if self._is_listening:
            self._tell(output)
            self.rest()

    def rest(self) -> None:
        """Functions are as they were, and no layer is followed by what comes."""
        if self._is_listening:
            self._is_listening = False
            activation_calls.leave(self)
        self._here = Here()

    def end(self) -> None:
        """The sampled step ends."""
        self._sample = None
        self.rest()

    def stop(self) -> None:
        """It ends, and none begins any more."""
        self._has_ended = True
        self.end()

    def _close(self) -> None:
        self._here.place = None

    def _take(self, function: str, answer: Tensor, layer: int, shape: torch.Size) -> None:
        here, unit_dim = self._here, self._unit_dims[layer]
        if not _fits(answer, shape, unit_dim=unit_dim):
            return
        here.place = None
        self._room -= 1
        output = answer.detach()
        few = ACTIVATIONS.of(output)
        if function in activation_calls.RECTIFYING:
            self._note_fired(layer, dead_units.peaks(output, unit_dim=unit_dim).gt(0))
            self._add("rectified", layer, rectified.reduce(few), output.numel())
        elif (number := gates.number_of(answer.grad_fn)) is not None:
            share = saturation.reduce(few, saturation.OF_FUNCTIONS[function.rstrip("_")])
            squashed = Squashed(number, layer, share, output.numel())
            here.waiting = [*here.waiting, squashed][-MOST_WAITING:]

    def _tell(self, became: object) -> None:
        here = self._here
        if not here.waiting:
            return
        parts = became if isinstance(became, tuple) else (became,)
        tensors = [tensor for part in parts if (tensor := measured(part)) is not None]
        known = gates.met(tensors, {one.number for one in here.waiting})
        for one in here.waiting:
            if known.get(one.number) is False:
                self._add("saturation", one.layer, one.share, one.size)
        here.waiting = [one for one in here.waiting if one.number not in known]

    def _add(self, kind: str, layer: int, share: Tensor, size: int) -> None:
        if self._sample is not None:
            self._sample.add(kind, share.reshape(1, 1), owners=[layer], sizes=[size])


def _is_activation(module: nn.Module) -> bool:
    kinds = {kind.__module__ for kind in type(module).__mro__}
    return activation.__name__ in kinds and not isinstance(module, nn.MultiheadAttention)


def _fits(answer: Tensor, shape: torch.Size, *, unit_dim: int) -> bool:
    """Whether it may have come of an output of this shape, in whose units it is to be told."""
    if type(answer) not in PLAIN or measured(answer) is None or not answer.dim() or answer.dim() > len(shape):
        return False
    if unit_dim >= answer.dim() or unit_dim >= len(shape):
        return False
    return answer.shape[0] == shape[0] and answer.shape[unit_dim] == shape[unit_dim]
