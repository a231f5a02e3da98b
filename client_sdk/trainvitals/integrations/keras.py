"""Keras 3 on PyTorch: ``model.fit(…, callbacks=[TrainVitalsCallback()])``."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from trainvitals.console import Console
from trainvitals.integrations.hosting import HostedRun, harmless, missing, project_or

try:
    import keras
except ImportError as error:
    raise missing("keras", "keras", error) from error

if keras.backend.backend() != "torch":
    raise ImportError(
        f"trainvitals watches Keras on PyTorch, and here it runs on {keras.backend.backend()}: set KERAS_BACKEND=torch "
        "before Keras is imported"
    )

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from trainvitals.losses import Losses
from trainvitals.ranks import find_place

_console = Console()
Hooks = OrderedDict[int, Callable[..., None]]


class TrainVitalsCallback(keras.callbacks.Callback):
    """Watches the layers of the model that ``fit`` trains, and logs the loss of each batch as ``loss``; at the end of
    an epoch what Keras tells of it: ``val_loss``, metrics by their names, and the mean loss as ``epoch_loss``. An
    evaluation of its own is ``test_loss`` and so on.

    ``watch``: False to leave the model alone, or a mapping of options of ``Run.watch``. All others are those of
    ``trainvitals.init``.
    """

    def __init__(self, *, watch: bool | Mapping[str, Any] = True, **init: Any) -> None:  # Any: as init has them
        super().__init__()
        self._watch = watch
        self._hosted = HostedRun(init, of="TrainVitalsCallback")
        self._losses = Losses(_console.say)
        self._optimizer: WatchedOptimizer | None = None

    @harmless
    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Begin the run, at the step that the optimizer is at."""
        if _is_none_of_the_run_s():
            return
        optimizer = self._optimizer = watched(self.model)
        done, planned = optimizer.steps_done, (self.params or {}).get("steps")
        self._hosted.begin(
            config=lambda: _settings(self.model, self.params),
            project=project_or("keras"),
            planned_steps=planned * self.params["epochs"] // optimizer.accumulated if planned and not done else None,
        )
        self._hosted.undo(self._losses.start())
        self._hosted.train(WatchedModel(self.model), [optimizer], watch=self._watch, first_step=done)

    @harmless
    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """The optimizer's step begins, or goes on where gradients are accumulated."""
        if self._optimizer is not None and self._optimizer.begin():
            self._hosted.begin_step(self._optimizer.steps_done)

    @harmless
    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log the loss, once the optimizer has stepped."""
        optimizer = self._optimizer
        if optimizer is None or not optimizer.end():
            return
        loss = self._losses.take()
        if loss is not None:
            value = loss if optimizer.grad_scale is None else loss / optimizer.grad_scale
            self._hosted.log({"loss": value}, step=optimizer.steps_done - 1)

    @harmless
    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Means over the epoch, and results of validation."""
        if self._optimizer is not None:
            named = {"epoch_loss" if name == "loss" else name: value for name, value in (logs or {}).items()}
            self._hosted.log({**named, "epoch": epoch}, step=self._optimizer.steps_done - 1)

    @harmless
    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """The training is over; evaluations may follow."""
        self._optimizer = None
        self._hosted.rest()

    @harmless
    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Results of an evaluation that is none of ``fit``'s."""
        if self._optimizer is not None or _is_none_of_the_run_s():
            return
        self._hosted.join(config=lambda: _settings(self.model, self.params), project=project_or("keras"))
        step = watched(self.model).steps_done - 1
        self._hosted.log({f"test_{name}": value for name, value in (logs or {}).items()}, step=step)


class WatchedOptimizer:
    """A Keras optimizer as torch's are watched: parameter groups, and hooks around each step, which the callback calls.
    Of accumulated gradients those of the last micro-batch are seen."""

    def __init__(self, optimizer: Any, parameters: list[Tensor]) -> None:  # Any: Keras has no types
        self._optimizer = optimizer
        numbers = {name: value for name, value in _numbers(optimizer) if name != "learning_rate"}
        self.param_groups: list[dict[str, Any]] = [{**numbers, "params": parameters, "lr": self._rate()}]
        self.state: dict[Tensor, Any] = {}  # torch's; Keras keeps its own elsewhere
        self.grad_scale: Tensor | float | None = None
        self.accumulated = int(getattr(optimizer, "gradient_accumulation_steps", None) or 1)
        # counted here from now on: to read it waits for the device
        self._batches = int(_value(optimizer.iterations)) * self.accumulated
        self._before: Hooks = OrderedDict()
        self._after: Hooks = OrderedDict()

    @property
    def steps_done(self) -> int:
        """Steps that have changed the weights."""
        return self._batches // self.accumulated

    def register_step_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """As torch's."""
        return _add(self._before, hook)

    def register_step_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """As torch's."""
        return _add(self._after, hook)

    def begin(self) -> bool:
        """A batch begins; whether a step does."""
        if self._batches % self.accumulated:
            return False
        self.grad_scale = _scale(self._optimizer)
        self.param_groups[0]["lr"] = self._rate()
        for hook in list(self._before.values()):
            hook(self, (), {"closure": self.end})  # as with a closure, gradients are made in the step
        return True

    def end(self) -> bool:
        """A batch is over; whether a step is."""
        self._batches += 1
        if self._batches % self.accumulated:
            return False
        for hook in list(self._after.values()):
            hook(self, (), {})
        return True

    def _rate(self) -> Any:  # Any: a tensor or a number
        return _value(self._optimizer.learning_rate)


def watched(model: Any) -> WatchedOptimizer:  # Any: Keras has no types
    """The optimizer of a compiled model, by the name of its class."""
    kind = type(type(model.optimizer).__name__, (WatchedOptimizer,), {})
    found: WatchedOptimizer = kind(model.optimizer, [variable.value for variable in model.trainable_variables])
    return found


class WatchedModel(nn.Module):
    """A Keras model with its layers where torch looks for them, each by its name: Keras keeps them in lists of its own,
    and all parameters in one place."""

    def __init__(self, model: Any) -> None:  # Any: Keras has no types
        super().__init__()
        self._of = [model]  # in a list, for torch's own bookkeeping finds modules that are attributes
        self._layers = [(name, _as_torch_s(layer)) for name, layer in _walk(model)]

    def named_modules(self, *_: Any, **__: Any) -> Iterator[tuple[str, nn.Module]]:  # Any: torch's own
        """The layers."""
        return iter(self._layers)

    def register_forward_pre_hook(self, *given: Any, **named: Any) -> RemovableHandle:  # Any: torch's own
        """Of the model."""
        handle: RemovableHandle = self._of[0].register_forward_pre_hook(*given, **named)
        return handle

    def register_forward_hook(self, *given: Any, **named: Any) -> RemovableHandle:  # Any: torch's own
        """Of the model."""
        handle: RemovableHandle = self._of[0].register_forward_hook(*given, **named)
        return handle


class WatchedLayer(nn.Module):
    """A Keras layer, with the parameters that are its own and not a sublayer's."""

    def __init__(self, layer: Any) -> None:  # Any: Keras has no types
        super().__init__()
        self._of = [layer]
        inner = {id(variable) for part in _sublayers(layer) for variable in part.variables}
        self._own = [variable.value for variable in layer.trainable_variables if id(variable) not in inner]

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Its own."""
        return iter(self._own)

    def register_forward_hook(self, *given: Any, **named: Any) -> RemovableHandle:  # Any: torch's own
        """Of the layer."""
        handle: RemovableHandle = self._of[0].register_forward_hook(*given, **named)
        return handle


def _as_torch_s(layer: Any) -> nn.Module:
    """By the name of the layer's class, and with the place of its ``call``."""
    kind = type(type(layer).__name__, (WatchedLayer,), {"forward": type(layer).call})
    found: nn.Module = kind(layer)
    return found


def _walk(layer: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Layers that compute something themselves, in the order in which Keras has them."""
    for part in _sublayers(layer):
        name = f"{prefix}{part.name}"
        yield from _walk(part, f"{name}.")
        inner = {id(variable) for one in _sublayers(part) for variable in one.variables}
        if not inner or any(id(variable) not in inner for variable in part.trainable_variables):
            yield name, part


def _sublayers(layer: Any) -> list[Any]:
    parts: Iterable[Any] = layer._flatten_layers(include_self=False, recursive=False)  # no public word for it
    return [part for part in parts if not isinstance(part, keras.layers.InputLayer)]


def _add(hooks: Hooks, hook: Callable[..., None]) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def _scale(optimizer: Any) -> Any:
    scale = getattr(optimizer, "dynamic_scale", None)
    value = _value(optimizer.loss_scale_factor if scale is None else scale)
    return value.clone() if isinstance(value, Tensor) else value


def _value(thing: Any) -> Any:
    """Of one of Keras's variables, or what is a value already."""
    value = getattr(thing, "value", thing)
    return value.detach() if isinstance(value, Tensor) else value


def _numbers(optimizer: Any) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in optimizer.get_config().items() if isinstance(value, (int, float))]


def _settings(model: Any, params: Mapping[str, Any] | None) -> dict[str, Any]:
    optimizer = {**model.optimizer.get_config(), "name": type(model.optimizer).__name__}
    given = {name: value for name, value in (params or {}).items() if name != "verbose"}
    return {**given, "model": model.name, **(model.get_compile_config() or {}), "optimizer": optimizer}


def _is_none_of_the_run_s() -> bool:
    """Whether it is another process than the first, and none of its ranks."""
    return os.environ.get("RANK", "0") != "0" and find_place().rank == 0
