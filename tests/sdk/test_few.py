"""The few values that stand for all of a large tensor, wherever these lie in memory."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from trainvitals.collector.few import ACTIVATIONS, PARAMETERS, Few

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {  # of [60, 40, 50]
    "as it is": lambda given: given,
    "turned": lambda given: given.permute(2, 0, 1),
    "cut out": lambda given: given[:, 1:-1, 3:47],
    "every other": lambda given: given[..., ::2],
    "turned and cut out": lambda given: given.permute(1, 2, 0)[3:, ::2, :-1],
    "a column of each": lambda given: given[..., :1].expand(-1, -1, 9),
    "repeated": lambda given: given.unsqueeze(1).expand(-1, 3, -1, -1),
}


def numbered(*shape: int) -> Tensor:
    return torch.arange(float(torch.Size(shape).numel())).view(shape)


@pytest.mark.parametrize("few", [ACTIVATIONS, PARAMETERS])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_as_many_are_taken_of_every_layout_and_from_all_over(few: Few, layout: Callable[[Tensor], Tensor]) -> None:
    tensor = layout(numbered(60, 40, 50))
    taken = few.of(tensor)
    assert taken.numel() == few.most
    assert torch.isin(taken, tensor).all()
    quarters = torch.linspace(0, 1, 5)
    edges = torch.quantile(tensor.flatten(), quarters)
    shares = [((taken >= low) & (taken < high)).float().mean().item() for low, high in pairwise(edges)]
    assert shares == pytest.approx([0.25] * 4, abs=0.02)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_runs_are_of_neighbours_in_memory(layout: Callable[[Tensor], Tensor]) -> None:
    taken = PARAMETERS.of(layout(numbered(60, 40, 50)))
    steps = taken.diff(dim=-1).flatten()
    assert (steps == steps.median()).float().mean() > 0.9  # but where a row ends


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_the_same_places_are_taken_of_what_lies_otherwise(layout: Callable[[Tensor], Tensor]) -> None:
    pattern = layout(numbered(60, 40, 50))
    otherwise = pattern.clone(memory_format=torch.contiguous_format)
    assert torch.equal(PARAMETERS.of(otherwise, like=pattern), PARAMETERS.of(pattern))


def test_no_channel_is_preferred_where_channels_are_neighbours() -> None:
    channels = torch.arange(64.0).view(1, 64, 1, 1).expand(8, 64, 7, 9).to(memory_format=torch.channels_last)
    counts = ACTIVATIONS.of(channels).long().flatten().bincount(minlength=64)
    assert counts.min() > 0.5 * counts.max()


@pytest.mark.parametrize("size", [16_385, 17_000, 20_000, 24_600, 45_000, 131_072, 1_000_000])
@pytest.mark.parametrize("row", [1, 2, 7, 64, 200, 300, 768])
def test_hardly_anything_is_out_of_reach_at_the_ends(size: int, row: int) -> None:
    rows = size // row + 1
    taken = PARAMETERS.of(numbered(rows, row))
    assert taken.unique().numel() > 0.95 * PARAMETERS.most
    edge = max(0.02 * rows * row, PARAMETERS.most / 64)
    assert taken.min() < edge
    assert taken.max() > rows * row - 1 - edge


@pytest.mark.parametrize("row", [2, 60, 64, 200, 300, 768])
@pytest.mark.parametrize("rows", [100, 317, 1000])
def test_no_column_is_preferred(row: int, rows: int) -> None:
    few = Few(most=4_096, block=4)
    columns = torch.arange(float(row)).expand(rows, row).contiguous()
    taken = few.of(columns)
    counts = taken.long().flatten().bincount(minlength=row)
    assert counts.min() > 0
    halves = [half.sum().item() / taken.numel() for half in (counts[: row // 2], counts[row // 2 :])]
    assert halves == pytest.approx([0.5, 0.5], abs=0.05)


def test_small_tensors_are_taken_as_they_are() -> None:
    tensor = numbered(64, 128)
    assert ACTIVATIONS.of(tensor) is tensor
