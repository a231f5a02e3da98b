"""What the forward passes are watched for: hooks on layers that are there at sampled steps, and gone at the others."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final

import torch
from torch import Tensor, nn

from trainvitals.collector.activations import Activations, InPlace
from trainvitals.collector.attention_watch import AttentionWatch
from trainvitals.collector.device_clock import DeviceClock, is_capturing
from trainvitals.collector.few import ACTIVATIONS
from trainvitals.collector.function_watch import FunctionWatch
from trainvitals.collector.hooks import Faults, Hook, Switch
from trainvitals.collector.outputs import measured
from trainvitals.collector.sample import Sample
from trainvitals.collector.stats import dead_units, drift, saturation
from trainvitals.collector.transforms import is_repeated, is_transformed

WINDOWS: Final = 4  # between looks in depth: units that fired in none of them count as dead


class ForwardWatch:
    """The layers of a model. Counts the outputs of training passes alone: those of a root module that is in training
    mode with gradients enabled, with all that it calls, frozen parts included; and not when activation checkpointing
    computes them again in the backward pass. A layer that is called outside any root counts by its own mode.
    """

    def __init__(
        self,
        modules: Sequence[nn.Module],
        *,
        faults: Faults,
        device: DeviceClock,
        attention: AttentionWatch | None = None,
    ) -> None:
        self._seconds = 0.0
        self.called = False  # any layer, since the hooks are there
        self._modules = list(modules)
        self._device = device
        self._attention = attention
        self._ranges = {index: saturation.range_of(module) for index, module in enumerate(modules)}
        self._unit_dims = dead_units.unit_dims(self._modules)
        self._fired: deque[dict[int, Tensor]] = deque([{}], maxlen=WINDOWS)
        self.functions = FunctionWatch(
            modules, faults=faults, device=device, note_fired=self._note_fired, counts=self._counts
        )
        self._norms = [index for index, module in enumerate(modules) if drift.drifts(module)]
        self._running: dict[int, tuple[Tensor, Tensor]] = {}  # means and variances at the look before
        self._hooks = Switch(
            (module, Hook(partial(self._record, layer), faults)) for layer, module in enumerate(modules)
        )
        self._closing = Switch(self.functions.hooks(), before=True)
        self._in_place = InPlace()
        self._sample: Sample | None = None
        self._activations: Activations | None = None
        self._roots = 0  # training passes of root modules that are under way

    def begin(self, sample: Sample) -> None:
        """A sampled step begins: hooks are there from now on."""
        self._sample, self._activations = sample, Activations(sample, self._in_place)
        self.called = False
        self.functions.begin(sample)
        self._hooks.on()
        self._closing.on()
        if self._attention is not None and sample.in_depth:
            self._attention.begin(sample, self._counts)

    def rest(self) -> None:
        """The next step is not sampled: no hooks."""
        self._hooks.off()
        self._closing.off()
        self.functions.rest()
        if self._attention is not None:
            self._attention.rest()

    def take_seconds(self) -> float:
        """What the hooks have cost the host since the last call."""
        seconds, self._seconds, self.functions.seconds = self._seconds + self.functions.seconds, 0.0, 0.0
        if self._attention is not None:
            seconds, self._attention.seconds = seconds + self._attention.seconds, 0.0
        return seconds

    def enter_root(self) -> None:
        """A training pass of a root module begins."""
        self._roots += 1
        self.functions.entered()

    def leave_root(self, output: object) -> bool:
        """A pass of a root module is over with this, or has failed; whether it was a training pass."""
        was_training, self._roots = self._roots > 0, max(0, self._roots - 1)
        if not self._roots:
            self.functions.left(output)
        return was_training

    def end(self) -> None:
        """The sampled step ends: add to the sample what is still waiting, and what was gathered over several."""
        sample, activations = self._sample, self._activations
        self._sample = self._activations = None
        self.functions.end()
        if sample is None or activations is None:
            return
        activations.reduce()
        if self._attention is not None and sample.in_depth:
            self._attention.end()
        if sample.in_depth:
            self._add_dead_units(sample)
            self._add_drift(sample)

    def _record(self, layer: int, module: nn.Module, given: object, output: object) -> None:
        started = time.perf_counter()
        self.called = True
        if self._activations is None or not self._counts(module):
            return
        tensor = measured(output)
        self.functions.gave_out(layer, given, tensor)
        if tensor is not None:
            with self._device.section():
                self._take(layer, module, tensor.detach())
        self._seconds += time.perf_counter() - started

    def _counts(self, module: nn.Module) -> bool:
        if is_repeated() or is_transformed() or is_capturing():
            return False
        return self._roots > 0 or (module.training and torch.is_grad_enabled())

    def _take(self, layer: int, module: nn.Module, output: Tensor) -> None:
        sample, activations = self._sample, self._activations
        if sample is None or activations is None:
            return
        unit_peaks = None
        if layer in self._unit_dims and output.dim():
            unit_peaks = dead_units.peaks(output, unit_dim=self._unit_dims[layer])
            self._note_fired(layer, unit_peaks.gt(0))
        activations.take(layer, output, unit_peaks=unit_peaks)
        within = self._ranges[layer]
        if within is not None:
            values = saturation.at_stake(module, output)
            share = saturation.reduce(ACTIVATIONS.of(values), within)
            sample.add("saturation", share.reshape(1, 1), owners=[layer], sizes=[values.numel()])

    def _note_fired(self, layer: int, fired: Tensor) -> None:
        before = self._fired[-1].get(layer)
        self._fired[-1][layer] = fired if before is None or before.shape != fired.shape else before.logical_or_(fired)

    def _add_dead_units(self, sample: Sample) -> None:
        for layer, fired in self._fired[-1].items():
            earlier = [window[layer] for window in self._fired if layer in window]
            alive = torch.stack([one for one in earlier if one.shape == fired.shape]).any(dim=0)
            share = alive.float().mean().reshape(1, 1)
            sample.add("dead_units", share, owners=[layer], sizes=[fired.numel()])
        self._fired.append({})

    def _add_drift(self, sample: Sample) -> None:
        for layer in self._norms:
            module = self._modules[layer]
            mean, variance = module.running_mean, module.running_var
            if not isinstance(mean, Tensor) or not isinstance(variance, Tensor):
                continue
            if layer in self._running:
                earlier_mean, earlier_variance = self._running[layer]
                way = drift.reduce(mean, variance, earlier_mean=earlier_mean, earlier_variance=earlier_variance)
                sample.add("drift", way, owners=[layer], sizes=[mean.numel()])
            self._running[layer] = mean.detach().clone(), variance.detach().clone()
