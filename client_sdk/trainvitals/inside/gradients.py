"""What the probe's score depends on: the gradient by the input (saliency), and class-activation maps.

Saliency: Simonyan, Vedaldi & Zisserman 2014; of several channels the largest. Class activation: Selvaraju et al. 2017
(Grad-CAM): the last convolution's channels, weighed by the mean of their gradients, what is below zero left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from trainvitals.inside.probe import passed
from trainvitals.inside.seeing import first_real, of_input
from trainvitals.inside.sketches import MAX_SIDE, Sketch, Subject, drawn_each, smaller
from trainvitals.preflight.batches import Batch, map_tensors, tensors

OUTPUTS = ("logits", "last_hidden_state", "prediction", "predictions", "output", "out")


class Slopes:
    """One pass with gradients, which reach the input and the last convolution and nothing else."""

    def __init__(self, layers: Mapping[str, nn.Module], *, examples: int) -> None:
        self._layers = layers
        self._examples = examples
        self._last: tuple[str, Tensor] | None = None
        self._embedded: Tensor | None = None

    def look(self, model: nn.Module, batch: Batch, targets: tuple[int, ...] | None) -> list[Sketch]:
        """Saliency as pictures of the layer "", class-activation maps as those of the convolution."""
        leaves: list[Tensor] = []

        def leaf(tensor: Tensor) -> Tensor:
            if not tensor.is_floating_point():
                return tensor
            leaves.append(tensor.detach().requires_grad_())
            return leaves[-1].clone()  # which the model may change in place

        with ExitStack() as stack:
            stack.enter_context(torch.enable_grad())
            # recurrent layers of cuDNN know no gradients in evaluation
            stack.enter_context(_without_cudnn())
            shown = map_tensors(batch, leaf)
            for name, module in self._layers.items():
                if isinstance(module, nn.Conv2d):
                    stack.callback(module.register_forward_hook(self._convolved(name)).remove)
            if not leaves:
                for module in model.modules():
                    if isinstance(module, nn.Embedding):
                        stack.callback(module.register_forward_hook(self._looked_up).remove)
            score, classes = scores(passed(model, shown), targets, examples=self._examples)
            source = self._embedded if first_real(leaves) is None else first_real(leaves)
            wanted = [source, self._last[1] if self._last else None]
            there = [one for one in wanted if one is not None]
            if not there or not score.requires_grad:
                return []
            given = iter(torch.autograd.grad(score.sum(), there, allow_unused=True))
            slopes = [None if one is None else next(given) for one in wanted]
        with torch.no_grad():
            return [*self._saliency(slopes[0], classes), *self._class_activation(slopes[1], classes)]

    def _convolved(self, name: str) -> Any:  # Any: a hook
        def keep(module: nn.Module, given: object, output: object) -> None:
            if not isinstance(output, Tensor) or output.dim() != 4 or not output.requires_grad:
                return
            if output.shape[0] == self._examples and min(output.shape[2:]) > 1:
                self._last = name, output

        return keep

    def _looked_up(self, module: nn.Module, given: tuple[Any, ...], output: Any) -> Any:
        """Whole numbers have no gradients: what stands for them has."""
        if self._embedded is not None or not isinstance(output, Tensor) or output.dim() != 3:
            return None
        if output.shape[0] != self._examples:
            return None
        self._embedded = output.detach().requires_grad_()
        return self._embedded.clone()

    def _saliency(self, slope: Tensor | None, classes: list[int | None]) -> list[Sketch]:
        if slope is None:
            return []
        subject = Subject(layer="", kind="saliency", shape=tuple(slope.shape))
        steep = slope.abs()
        if self._embedded is not None:
            return of_input(steep.sum(dim=-1), subject, targets=classes)
        return of_input(steep.amax(dim=1, keepdim=True) if steep.dim() >= 4 else steep, subject, targets=classes)

    def _class_activation(self, slope: Tensor | None, classes: list[int | None]) -> list[Sketch]:
        if slope is None or self._last is None:
            return []
        name, output = self._last
        weights = slope.mean(dim=(2, 3), keepdim=True)
        maps = (weights * output).sum(dim=1).relu()
        maps = torch.where(torch.isfinite(maps), maps, torch.nan)
        subject = Subject(layer=name, kind="class_activation", shape=tuple(output.shape))
        return drawn_each(subject, smaller(maps.unsqueeze(1), MAX_SIDE), targets=classes)


def scores(output: Any, targets: tuple[int, ...] | None, *, examples: int) -> tuple[Tensor, list[int | None]]:
    """One number for each example: that of its class, of the last token, or the mean over all places; and the classes,
    None where there are none. Raises TypeError where the model's answer holds none."""
    table = _logits(output, examples)
    if table.dim() == 3:
        table = table[:, -1]
    elif table.dim() > 3:
        table = table.flatten(2).mean(dim=2)
    if table.dim() == 1 or table.shape[1] == 1:
        return table.reshape(examples), [None] * examples
    best = table.detach().argmax(dim=1).tolist()
    wanted = [given if given < table.shape[1] else most for given, most in zip(targets or best, best, strict=True)]
    return table.gather(1, torch.tensor(wanted, device=table.device).unsqueeze(1)).squeeze(1), list(wanted)


def _logits(output: Any, examples: int) -> Tensor:
    named = [output.get(name) if isinstance(output, Mapping) else getattr(output, name, None) for name in OUTPUTS]
    for one in [*named, *tensors(output)]:
        if isinstance(one, Tensor) and one.is_floating_point() and one.dim() and one.shape[0] == examples:
            return one
    raise TypeError(f"the model answers with a {type(output).__name__}, in which no score of an example was found")


@contextmanager
def _without_cudnn() -> Iterator[None]:
    """``torch.backends.cudnn.flags`` would set its precision too, which PyTorch refuses where that was chosen."""
    was = torch._C._get_cudnn_enabled()
    torch._C._set_cudnn_enabled(False)
    try:
        yield
    finally:
        torch._C._set_cudnn_enabled(was)
