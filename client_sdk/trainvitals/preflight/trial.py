"""A working copy of the training: what a check may run, train and spoil."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainvitals.preflight.batches import Batch, map_tensors
from trainvitals.preflight.untouched import restored, seed

SEED: Final = 20_230_917  # any number; the same at every step, so that dropout and noise are part of the function
WRAPPERS: Final = (nn.DataParallel, nn.parallel.DistributedDataParallel)
Loss = Callable[..., Any]  # of output and targets


@dataclass(frozen=True, slots=True)
class Seen:
    """One forward pass: what the model gave, and the loss, a scalar."""

    output: Any
    loss: Tensor


@dataclass(slots=True, kw_only=True)
class Trial:
    """A model, its loss and its optimizers, to be used up. ``forward(model, batch)``: the loss, where it is given."""

    model: nn.Module
    loss_fn: Loss | None
    optimizers: list[Optimizer]
    forward: Callable[[nn.Module, Batch], Any] | None

    def run(self, batch: Batch) -> Seen:
        """One pass, the same random numbers every time. The batch is not changed, even by layers that work in place."""
        seed(SEED)
        batch = map_tensors(batch, Tensor.clone)
        if self.forward is not None:
            outputs: list[Any] = []
            handle = self.model.register_forward_hook(lambda module, inputs, output: outputs.append(output))
            try:
                loss = self.forward(self.model, batch)
            finally:
                handle.remove()
            return Seen(outputs[-1] if outputs else None, scalar(loss))
        if isinstance(batch, Mapping):
            output, targets = self.model(**batch), batch
        else:
            inputs, targets = batch
            output = call(self.model, inputs)
        return Seen(output, self.loss_of(output, targets))

    def loss_of(self, output: Any, targets: Any) -> Tensor:
        """The loss of an output."""
        if self.loss_fn is None:
            raise TypeError("there is no loss_fn: forward= gives the loss")
        return scalar(self.loss_fn(output, targets))

    def trainable(self) -> list[nn.Parameter]:
        """The parameters that are to be trained: those of the optimizers, where there are some."""
        own = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        held = {
            id(part) for optimizer in self.optimizers for group in optimizer.param_groups for part in group["params"]
        }
        return [parameter for parameter in own if id(parameter) in held] or own

    def gradients(self, loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor | None]:
        """The loss's gradient by each, None where it does not depend on it. No ``grad`` of anything is touched, but of
        the copy where layers are checkpointed."""
        try:
            return list(torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=True))
        except RuntimeError as error:
            if "heckpoint" not in str(error):
                raise
        loss.backward()
        grads = [parameter.grad for parameter in parameters]
        for parameter in parameters:
            parameter.grad = None
        return grads

    def step(self, batch: Batch, optimizers: Sequence[Optimizer]) -> float:
        """One step of the training; the loss before it."""
        seen = self.run(batch)
        parameters = self.trainable()
        for parameter, grad in zip(parameters, self.gradients(seen.loss, parameters), strict=True):
            parameter.grad = grad
        for optimizer in optimizers:
            optimizer.step()
        return seen.loss.item()

    def accept(self, training: bool) -> None:
        """Train, or evaluate; a model that trains keeps what was set to evaluate on purpose, as frozen norms are."""
        if training and self.model.training:
            return
        self.model.train(training)


@contextlib.contextmanager
def trial_of(
    model: nn.Module,
    loss_fn: Loss | None,
    optimizers: Sequence[Optimizer],
    forward: Callable[[nn.Module, Batch], Any] | None,
    *,
    training: bool,
) -> Iterator[Trial]:
    """A copy of all of them; where the model cannot be copied, itself, restored in the end."""
    memo: dict[int, Any] = {}  # Any: what was copied
    try:
        parts = copy.deepcopy((model, list(optimizers)), memo)
    except Exception:  # noqa: BLE001  # whatever a stranger's __deepcopy__ does
        with restored(model, optimizers):
            trial = Trial(model=model, loss_fn=loss_fn, optimizers=list(optimizers), forward=forward)
            trial.accept(training)
            yield trial
        return
    with contextlib.suppress(Exception):  # a loss that cannot be copied is used as it is
        loss_fn, forward = copy.deepcopy((loss_fn, forward), memo)
    trial = Trial(model=parts[0], loss_fn=loss_fn, optimizers=parts[1], forward=forward)
    trial.accept(training)
    yield trial


def can_be_copied(model: nn.Module) -> bool:
    """Whether checks work on copies of it."""
    try:
        copy.deepcopy(model)
    except Exception:  # noqa: BLE001  # whatever a stranger's __deepcopy__ does
        return False
    return True


def inner(model: nn.Module) -> nn.Module:
    """The model itself, out of the wrappers of compilers and of distributed training."""
    while isinstance(model, WRAPPERS) or hasattr(model, "_orig_mod"):
        within = getattr(model, "_orig_mod", None) or model.module
        if not isinstance(within, nn.Module):
            break
        model = within
    return model


def call(model: nn.Module, inputs: Any) -> Any:
    """The model's answer to inputs: named, listed, or one."""
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, (list, tuple)) else model(inputs)


def scalar(loss: Any) -> Tensor:
    """A loss as one number: of several the first, of a tensor its mean, as trainings take them. Raises TypeError."""
    if isinstance(loss, (list, tuple)) and loss:
        loss = loss[0]
    loss = getattr(loss, "loss", loss)
    if not isinstance(loss, Tensor):
        raise TypeError(f"the loss is a {type(loss).__name__}: a tensor of one number is needed")
    return loss if loss.dim() == 0 else loss.mean()
