"""Which layers attend, and to what: at snapshots that look in depth, where it was asked for."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from trainvitals.collector import attention_calls, attention_rows
from trainvitals.collector.hooks import Faults, Hook
from trainvitals.collector.layers import Layers, named_modules
from trainvitals.collector.roots import is_compiled
from trainvitals.collector.sample import Sample
from trainvitals.collector.source_lines import source_of
from trainvitals.collector.stats import attention

MOST_CALLS: Final = 4  # of one layer in a step: more micro-batches would add little but their cost
MOST_UNSEEN: Final = 3  # looks in depth without any attention, after which people are told
PLAIN: Final = (Tensor, nn.Parameter)  # not what is nested, distributed, or of functional transforms


@dataclass(frozen=True, slots=True)
class Caller:
    """A module that may attend; ``name`` is None where it is not to be watched."""

    name: str | None
    module: nn.Module


class AttentionWatch:
    """Attention of layers, told for the innermost module in whose forward it is called. A module that is no layer
    otherwise becomes one when it is first seen to attend: ``found`` is called, with all layers as they are from then
    on.

    While it listens, each call of ``scaled_dot_product_attention`` costs a fraction of a microsecond more. Hooks are
    there, and logits computed, only in forward passes that are looked at in depth. ``seconds`` adds up what that costs
    the host.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        layers: Layers,
        *,
        wanted: Callable[[str], bool],
        found: Callable[[Layers], None],
        tell: Callable[[str], None],
    ) -> None:
        self.layers = layers
        self.seconds = 0.0
        self._places = {name: place for place, name in enumerate(layers.names)}
        self._compiled: list[str] = []
        self._callers = self._may_attend(models, wanted)
        self._found = found
        self._tell = tell
        self._faults = Faults(tell)
        self._handles: list[RemovableHandle] = []
        self._entered = threading.local()
        self._sample: Sample | None = None
        self._counts: Callable[[nn.Module], bool] = _always
        self._calls: Counter[str] = Counter()
        self._has_seen = False
        self._unseen = 0

    def start(self) -> None:
        """Listen, from outside compiled regions."""
        if self._compiled:
            self._tell(f"attention within what is compiled is not seen: {', '.join(self._compiled)}")
        attention_calls.listen(self)

    def stop(self) -> None:
        """Listen no more."""
        attention_calls.leave(self)
        self.rest()

    def begin(self, sample: Sample, counts: Callable[[nn.Module], bool]) -> None:
        """A step begins that is looked at in depth; ``counts`` says of a module whether its call does now."""
        if self._faults.too_many:
            return
        self._sample, self._counts = sample, counts
        self._entered = threading.local()
        self._calls.clear()
        if not self._handles:
            for caller in self._callers:
                self._install(caller)

    def end(self) -> None:
        """It ends: hooks are gone."""
        if self._sample is not None and not self._has_seen:
            self._unseen += 1
            if self._unseen == MOST_UNSEEN:
                self._tell("no attention was seen (is it compiled, or written out by hand?): its stats are left out")
        self.rest()

    def rest(self) -> None:
        """No hooks."""
        self._sample = None
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def attended(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """See ``attention_calls.Listener``."""
        stack = self._stack()
        if self._sample is None or not stack or _is_whole(stack[-1].module):
            return
        self._guarded(stack[-1], lambda: attention_rows.of_function(*arguments, **named), (*arguments, *named.values()))

    def _install(self, caller: Caller) -> None:
        module, handles = caller.module, self._handles
        enter = Hook(lambda *_: self._stack().append(caller), self._faults)
        handles.append(module.register_forward_pre_hook(enter, prepend=True))
        if _is_whole(module):
            attend = Hook(lambda module, given, named, _: self._of_module(caller, given, named), self._faults)
            handles.append(module.register_forward_hook(attend, with_kwargs=True))
        handles.append(module.register_forward_hook(Hook(lambda *_: self._leave(caller), self._faults)))

    def _leave(self, caller: Caller) -> None:
        """What is entered still within it has failed."""
        stack = self._stack()
        if caller in stack:
            while stack.pop() is not caller:
                pass

    def _of_module(self, caller: Caller, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        module = caller.module
        sharded = any(type(one) not in PLAIN for one in module.parameters(recurse=False))
        if isinstance(module, nn.MultiheadAttention) and not sharded:  # of which parts would have to be fetched
            self._guarded(caller, lambda: attention_rows.of_module(module, *given, **named), (*given, *named.values()))

    def _guarded(self, caller: Caller, compute: Callable[[], tuple[Tensor, Tensor]], given: tuple[object, ...]) -> None:
        """The border: no error of ours may reach the training."""
        started = time.perf_counter()
        try:
            if self._is_wanted(caller, given):
                with torch.no_grad():
                    self._add(str(caller.name), caller.module, *compute())
        except Exception as error:  # noqa: BLE001
            self._faults.add(error)
        self.seconds += time.perf_counter() - started

    def _is_wanted(self, caller: Caller, given: tuple[object, ...]) -> bool:
        if caller.name is None or self._faults.too_many or not self._counts(caller.module):
            return False
        tensors = [one for one in given if isinstance(one, Tensor)]
        if any(type(one) not in PLAIN or one.is_nested or one.device.type == "meta" for one in tensors):
            return False
        self._has_seen = True
        self._calls[caller.name] += 1
        return self._calls[caller.name] <= MOST_CALLS and all(one.numel() for one in tensors)

    def _add(self, name: str, module: nn.Module, logits: Tensor, allowed: Tensor) -> None:
        if self._sample is None:
            return
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = len(self.layers.names)
            names, modules = [*self.layers.names, name], [*self.layers.modules, module]
            sources = [*self.layers.sources, source_of("", {"": module})]
            self.layers = replace(self.layers, names=names, modules=modules, sources=sources)
            self._found(self.layers)
        self._sample.add("attention", attention.reduce(logits, allowed), owners=[place], sizes=[logits.shape[0]])

    def _may_attend(self, models: Mapping[str, nn.Module], wanted: Callable[[str], bool]) -> list[Caller]:
        """PyTorch's own modules do not, but for one; what is compiled is left as it is."""
        found: dict[int, Caller] = {}
        within: tuple[str, ...] = ()
        for name, module in named_modules(models):
            if name.startswith(within) or id(module) in found:
                continue
            if is_compiled(module):
                self._compiled.append(name)
                within = (*within, f"{name}.")
            elif _is_whole(module) or not type(module).__module__.startswith("torch.nn.modules."):
                found[id(module)] = Caller(name if wanted(name) else None, module)
        return list(found.values())

    def _stack(self) -> list[Caller]:
        """Modules in whose forward this thread is, the innermost last."""
        stack: list[Caller] | None = getattr(self._entered, "stack", None)
        if stack is None:
            stack = self._entered.stack = []
        return stack


def _is_whole(module: nn.Module) -> bool:
    """Whether its forward is that of ``nn.MultiheadAttention``, which has several ways to attend."""
    return type(module).forward is nn.MultiheadAttention.forward


def _always(module: nn.Module) -> bool:
    return True
