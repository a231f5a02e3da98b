"""What layers give out for the probe: activation maps, how active each unit is, filters, and the probe itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

import torch
from torch import Tensor, nn

from trainvitals.inside.attention import AttentionMaps
from trainvitals.inside.probe import passed
from trainvitals.inside.sketches import (
    MAX_CELLS,
    MAX_FILTERS,
    MAX_INPUT,
    MAX_SIDE,
    MAX_TILES,
    MAX_UNITS,
    Sketch,
    Subject,
    chosen,
    drawn,
    drawn_each,
    smaller,
    spread,
)
from trainvitals.preflight.batches import Batch, tensors

MOST_LAYERS: Final = 128  # that are looked at, evenly spread
UNSEEN: Final = ("Dropout", "Flatten", "Identity", "Unflatten")  # they change nothing that one would look at
CHANNELS_FIRST: Final = ("Conv", "BatchNorm", "InstanceNorm", "GroupNorm", "Pool")
MOST_WITH_FILTERS: Final = 2
COLOURS: Final = (1, 3)  # channels of what is a picture


class Sight:
    """One pass of the model, seen. ``layers``: name → module; ``paths``: of all modules, for those that attend."""

    def __init__(self, layers: Mapping[str, nn.Module], *, examples: int) -> None:
        names = [name for name, module in layers.items() if not type(module).__name__.startswith(UNSEEN)]
        self._layers = {names[place]: layers[names[place]] for place in spread(len(names), MOST_LAYERS)}
        self._examples = examples
        self._within: list[str] = []
        self._channels_first: set[torch.Size] = set()
        self.found: dict[str, list[Sketch]] = {}

    def look(self, model: nn.Module, batch: Batch, *, paths: Mapping[str, nn.Module]) -> Any:
        """The model's answer; what was seen of it is in ``found`` afterwards."""
        maps = AttentionMaps(lambda: self._within[-1] if self._within else "", examples=self._examples)
        with ExitStack() as stack:
            for name, module in paths.items():
                # torch calls hooks that go before in the order in which they were added
                stack.callback(module.register_forward_pre_hook(self._entering(name)).remove)
                stack.callback(module.register_forward_hook(self._leaving).remove)
            for name, module in self._layers.items():
                stack.callback(module.register_forward_hook(self._seeing(name)).remove)
            with torch.no_grad(), maps:
                answer = passed(model, batch)
        for name, sketches in maps.found.items():
            self.found.setdefault(name, []).extend(sketches)
        return answer

    def _entering(self, name: str) -> Any:  # Any: a hook
        return lambda *_: self._within.append(name)

    def _leaving(self, *_: object) -> None:
        self._within.pop()

    def _seeing(self, name: str) -> Any:  # Any: a hook
        def see(module: nn.Module, given: object, output: object) -> None:
            found = next(iter(tensors(output)), None)
            if found is None or name in self.found or not _can_be_seen(found):
                return
            with torch.no_grad(), torch._C.DisableTorchFunction():  # of what we compute nothing attends
                sketches = self._sketches(name, module, found)
            if sketches:
                self.found[name] = sketches

        return see

    def _sketches(self, name: str, module: nn.Module, output: Tensor) -> list[Sketch]:
        if output.shape[0] != self._examples:
            if output.dim() != 3 or output.shape[1] != self._examples:
                return []
            output = output.transpose(0, 1)  # tokens before examples
        is_first = type(module).__name__.startswith(CHANNELS_FIRST) or any(
            word in type(module).__name__ for word in ("Pool", "BatchNorm")
        )
        if output.dim() == 3 and (is_first or output.shape in self._channels_first):
            self._channels_first.add(output.shape)
            is_first = True
        return [*_activations(name, output, is_first=is_first), *_activity(name, output, is_first=is_first)]


def _can_be_seen(tensor: Tensor) -> bool:
    return 2 <= tensor.dim() <= 5 and tensor.numel() > 0 and not tensor.is_complex() and not tensor.is_nested


def _activations(name: str, output: Tensor, *, is_first: bool) -> Iterable[Sketch]:
    subject = Subject(layer=name, kind="activation", shape=tuple(output.shape))
    if output.dim() == 2:
        few, units = chosen(output, 1, MAX_CELLS)
        yield drawn(subject, few.unsqueeze(0), of=units)
        return
    if output.dim() == 5:
        output = output[:, :, output.shape[2] // 2]  # the middle slice
    if output.dim() == 4:
        few, channels = chosen(output, 1, MAX_TILES)
        yield from drawn_each(subject, smaller(few, MAX_SIDE), of=channels)
        return
    few, rows = chosen(output, 1, MAX_CELLS)
    few, columns = chosen(few, 2, MAX_CELLS)
    tokens_by_units = few.mT if is_first else few
    yield from drawn_each(subject, tokens_by_units.unsqueeze(1), of=rows if is_first else columns)


def _activity(name: str, output: Tensor, *, is_first: bool) -> Iterable[Sketch]:
    """Of each unit the share of all examples and places at which it is above zero."""
    dim = 1 if output.dim() >= 4 or is_first else output.dim() - 1
    few, units = chosen(output, dim, MAX_UNITS)
    of_units = few.movedim(dim, 0).flatten(1)
    lost = (of_units * 0).float().sum(dim=1)  # NaN where any is not finite, else zero
    share = (of_units > 0).float().mean(dim=1) + lost
    subject = Subject(layer=name, kind="activity", shape=tuple(output.shape))
    yield drawn(subject, share.view(1, 1, -1), of=units, scale=(0.0, 1.0))


def filters(layers: Mapping[str, nn.Module]) -> list[Sketch]:
    """Of the convolutions that see pictures, or else of the first: in colours where there are three, else the mean over
    what they see."""
    convolutions = {
        name: module
        for name, module in layers.items()
        if isinstance(module, (nn.Conv1d, nn.Conv2d)) and not module.transposed
    }
    seeing = [name for name, module in convolutions.items() if module.in_channels in COLOURS]
    few = (seeing or list(convolutions))[: MOST_WITH_FILTERS if seeing else 1]
    return [sketch for name in few for sketch in _filters(name, convolutions[name].weight.detach())]


def _filters(name: str, weight: Tensor) -> Iterable[Sketch]:
    subject = Subject(layer=name, kind="filter", shape=tuple(weight.shape))
    few, which = chosen(weight, 0, MAX_FILTERS)
    if few.dim() == 3:
        tiles, _ = chosen(few, 1, MAX_CELLS)
    else:
        tiles = few.permute(0, 2, 3, 1) if few.shape[1] == 3 else few.mean(dim=1)
    if max(tiles.shape[1:3]) <= MAX_CELLS:
        yield drawn(subject, tiles, of=which, is_even=True)


def of_input(values: Tensor, subject: Subject, *, targets: Sequence[int | None] = ()) -> list[Sketch]:
    """What has the form of the model's input: pictures of examples, tokens × features, or examples × features."""
    if values.dim() == 5:
        values = values[:, :, values.shape[2] // 2]
    if values.dim() == 2:
        few, columns = chosen(values, 1, MAX_CELLS)
        return [drawn(subject, few.unsqueeze(0), of=columns)]
    if values.dim() == 3:
        few, _ = chosen(values, 1, MAX_CELLS)
        few, columns = chosen(few, 2, MAX_CELLS)
        return drawn_each(subject, few.unsqueeze(1), of=columns, targets=targets)
    if values.dim() != 4:
        return []
    few, which = chosen(values, 1, MAX_TILES)
    maps = smaller(few, MAX_INPUT)
    tiles = maps.permute(0, 2, 3, 1).unsqueeze(1) if len(which) == 3 else maps
    return drawn_each(subject, tiles, of=which, targets=targets)


def first_real(batch: Batch) -> Tensor | None:
    """The largest tensor of floating point, which is what the model is shown."""
    real = [tensor for tensor in tensors(batch) if tensor.is_floating_point() and 2 <= tensor.dim() <= 5]
    return max(real, key=lambda tensor: tensor.numel(), default=None)
