"""The case that checks look at: one model, one batch, and what was seen of them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainvitals.preflight.batches import Batch, first_of, is_mapping, map_tensors, parts_of, size_of
from trainvitals.preflight.trial import Loss, Trial, call, inner, trial_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The first pass of the whole batch, as the training would begin: output and loss without their graph; ``said``
    are torch's warnings."""

    output: Any
    loss: float
    seconds: float
    said: tuple[str, ...]


class Case:
    """What is to be checked. ``clock``: seconds; ``deadline``: when the check that looks at it now has to come to an
    end. The model itself is only read: checks run and train in ``trial``."""

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Loss | None,
        batch: Batch,
        *,
        optimizers: Sequence[Optimizer],
        num_classes: int | None,
        forward: Callable[[nn.Module, Batch], Any] | None,
        clock: Callable[[], float],
    ) -> None:
        self.model = inner(model)
        self.loss_fn = loss_fn
        self.optimizers = tuple(optimizers)
        self.num_classes = num_classes
        self.forward = forward
        self.clock = clock
        self.deadline = float("inf")
        self.batch = map_tensors(batch, lambda tensor: tensor.detach().to(_device_of(self.model)))
        self.inputs, self.targets = parts_of(self.batch)
        self.size = size_of(self.batch)
        self._can_be_cut: bool | None = None
        self._probe: Probe | Exception | None = None

    def trial(self, *, training: bool = True) -> AbstractContextManager[Trial]:
        """A working copy."""
        return trial_of(self.model, self.loss_fn, self.optimizers, self.forward, training=training)

    def few(self, samples: int) -> Batch:
        """The first samples of the batch; all of it where it cannot be cut, as where samples are nodes of a graph."""
        if self._can_be_cut is None:
            try:
                with self.trial() as trial, torch.no_grad():
                    trial.run(first_of(self.batch, 2))
                self._can_be_cut = True
            except Exception:  # noqa: BLE001  # whatever the model makes of two samples
                self._can_be_cut = False
        return first_of(self.batch, samples) if self._can_be_cut else self.batch

    @property
    def late(self) -> bool:
        """Whether this check's time is over."""
        return self.clock() >= self.deadline

    @property
    def probe(self) -> Probe:
        """The first pass. Raises what the model or the loss raised."""
        if self._probe is None:
            try:
                self._probe = self._first_pass()
            except Exception as error:  # noqa: BLE001  # told to every check that asks
                self._probe = error
        if isinstance(self._probe, Exception):
            raise self._probe
        return self._probe

    @property
    def trainable(self) -> dict[str, nn.Parameter]:
        """The model's parameters that are not frozen, by name."""
        return {name: part for name, part in self.model.named_parameters() if part.requires_grad}

    def in_optimizer(self, parameter: Tensor) -> bool:
        """Whether one of the optimizers has it; all are, where none was given."""
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        return not self.optimizers or any(parameter is part for group in groups for part in group["params"])

    def _first_pass(self) -> Probe:
        with self.trial() as trial, warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            begun = self.clock()
            self._refuse_wrong_labels(trial)
            seen = trial.run(self.batch)
            loss = seen.loss.item()
            return Probe(
                output=map_tensors(seen.output, Tensor.detach),
                loss=loss,
                seconds=self.clock() - begun,
                said=tuple(str(warning.message) for warning in said),
            )

    def _refuse_wrong_labels(self, trial: Trial) -> None:
        """On a GPU a label that is no class ends the process; on the CPU it is an IndexError that can be told."""
        if not isinstance(self.targets, Tensor) or self.targets.device.type == "cpu" or self.loss_fn is None:
            return
        if self.targets.is_floating_point() or is_mapping(self.batch):
            return
        with torch.no_grad():
            output = map_tensors(call(trial.model, map_tensors(self.inputs, Tensor.clone)), Tensor.cpu)
            try:
                trial.loss_of(output, self.targets.cpu())
            except IndexError:
                raise
            except Exception:  # noqa: BLE001  # a loss that lives on the GPU, perhaps: then it is tried there
                return


def _device_of(model: nn.Module) -> torch.device:
    with contextlib.suppress(StopIteration):
        return next(tensor.device for tensor in (*model.parameters(), *model.buffers()))
    return torch.device("cpu")
