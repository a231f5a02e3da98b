"""Parameters of one size side by side: a few kernels for all of them, and memory that is bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from trainvitals.collector.few import PARAMETERS, at_once
from trainvitals.collector.parcel import at_device_of
from trainvitals.collector.stats.weights import rms_of


def local(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor, real numbers: of a DTensor its own shard."""
    own: Tensor = getattr(tensor, "_local_tensor", tensor)
    return torch.view_as_real(own) if own.is_complex() else own


class Rows:
    """Room for values of parameters, one row each: [n, values], and views of the rows that are shaped like them."""

    def __init__(self, like: Sequence[Tensor]) -> None:
        first = like[0]
        wide = torch.float64 if first.dtype == torch.float64 else torch.float32  # which holds half precision exactly
        self.matrix = first.new_empty((len(like), first.numel()), dtype=wide)
        self.views = [row.view(part.shape) for row, part in zip(self.matrix.unbind(), like, strict=True)]


class ParameterRows:
    """The values of parameters that have equally many, or of larger ones equally few, side by side.

    Weights before and after the step, gradients, and the weights at the beginning: of each at most 64 kB for a
    parameter (128 kB in double precision), as long as the watch lives.
    """

    def __init__(self, members: Sequence[int], parameters: Sequence[Tensor], owners: Sequence[int]) -> None:
        self.members = list(members)  # their places among the parameters of the optimizer
        self._owners = list(owners)  # and those of their layers
        self._sizes = [local(parameter).numel() for parameter in parameters]
        self._parameters = list(parameters)
        few = [PARAMETERS.of(local(parameter)) for parameter in parameters]
        self.whole = few[0].numel() == local(parameters[0]).numel()
        self._plain = self.whole and all(
            type(parameter) is nn.Parameter and not parameter.is_complex() for parameter in parameters
        )
        self._before, self._after, self._gradients = Rows(few), Rows(few), Rows(few)
        self.take_before()
        self.first = self.before.clone()
        self.start = rms_of(self.first)

    def layers_of(self, places: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """The layers, and the numbers of values, of what is in these places of the group, in order."""
        if len(places) == len(self.members):
            return self._owners, self._sizes
        return [self._owners[place] for place in places], [self._sizes[place] for place in places]

    @property
    def before(self) -> Tensor:
        """The weights before the step, [n, values]."""
        return self._before.matrix

    @property
    def after(self) -> Tensor:
        """The weights after the step, [n, values]."""
        return self._after.matrix

    def take_before(self) -> None:
        """Keep the weights as they are."""
        self._fill(self._before.views, self._parameters)

    def take_after(self) -> None:
        """Keep the weights as they are now."""
        self._fill(self._after.views, self._parameters)

    def moved(self) -> Tensor:
        """How far the weights are from those before the step, forth or back, [n, values]; these are then forgotten."""
        if self._plain and self.before.dtype == self._parameters[0].dtype:  # one pass over them in place of two
            torch._foreach_sub_(self._before.views, self._parameters)
            return self.before
        self.take_after()
        return self.after.sub_(self.before)

    def gradients(self, held: Sequence[Tensor | None]) -> Tensor:
        """The same places of gradients, one for each parameter, [n, values]; NaN where there is none."""
        return self._take(self._gradients, held)

    def others(self, held: Sequence[Tensor | None]) -> Tensor:
        """The same places of other tensors, one for each parameter; NaN where there is none. They take the place of the
        weights before the step, which are then forgotten."""
        return self._take(self._before, held)

    def _take(self, rows: Rows, held: Sequence[Tensor | None]) -> Tensor:
        absent = [place for place, tensor in enumerate(held) if tensor is None]
        present = [tensor for tensor in held if tensor is not None]
        views = [view for view, tensor in zip(rows.views, held, strict=True) if tensor is not None]
        if not self.whole:
            owners = [parameter for parameter, tensor in zip(self._parameters, held, strict=True) if tensor is not None]
            present = [_few_like(tensor, owner) for tensor, owner in zip(present, owners, strict=True)]
        self._fill(views, present)
        if absent:
            rows.matrix.index_fill_(0, at_device_of(rows.matrix, torch.tensor(absent)), torch.nan)
        return rows.matrix

    def _fill(self, views: list[Tensor], tensors: list[Tensor]) -> None:
        if tensors:
            torch._foreach_copy_(
                views, tensors if self._plain else [PARAMETERS.of(local(tensor)) for tensor in tensors]
            )


def side_by_side(parameters: Sequence[Tensor], owners: Sequence[int]) -> list[ParameterRows]:
    """The parameters, with the layers that own them, in groups of one size, type and device, as many in each as are
    best looked at together; those without values are left out."""
    groups: dict[tuple[int, bool, torch.dtype, torch.device], list[int]] = {}
    for index, parameter in enumerate(parameters):
        own = local(parameter)
        if own.numel():
            few = PARAMETERS.of(own).numel()
            key = (few, few == own.numel(), own.dtype, own.device)
            groups.setdefault(key, []).append(index)
    return [
        ParameterRows(members, [parameters[index] for index in members], [owners[index] for index in members])
        for (few, _, _, device), alike in groups.items()
        for members in _parts(alike, at_once(few, device=device))
    ]


def _parts(members: list[int], size: int) -> Iterator[list[int]]:
    return (members[start : start + size] for start in range(0, len(members), size))


def layout(parameters: Iterable[Tensor]) -> list[object]:
    """What rows depend on; when it changes they are made anew."""
    return [(parameter.shape, parameter.dtype, parameter.device) for parameter in parameters]


def _few_like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Those values of the tensor that are in the same places as the few of the parameter, wherever they lie."""
    own, pattern = local(tensor), local(parameter)
    return PARAMETERS.of(own, like=None if own.stride() == pattern.stride() else pattern)
