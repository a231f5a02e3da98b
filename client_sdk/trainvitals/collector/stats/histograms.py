"""How the values of a layer are distributed over bins that are symmetric around zero and geometric in the absolute
value. Of tensors of which few values are taken these stand for all."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.stats.norms import means_of_layers
from trainvitals.wire.histograms import BINS, CELLS, MAGNITUDES, WHOLE

ZERO: Final = BINS // 2  # the bin of zero, and of what is greater than it and less than the first edge
KEPT_BITS: Final = 12  # of a float32: sign, exponent, three of the mantissa, which tell bins apart
AT_ONCE: Final = 1 << 20  # values: so that no more than some 12 MB are taken for a moment


def reduce_rows(rows: Tensor) -> Tensor:
    """[tensors, values] to float32 [65, tensors]: the shares of values in each bin, and of those not finite. On the
    device, without waiting for it; what single precision cannot tell from zero (under 1.2e-38) counts as zero.

    All edges are floats with at most three bits of mantissa. So the uppermost bits tell a value's bin, which takes a
    tenth of the time of searching it among the edges.
    """
    values = rows.shape[1]
    pieces = [_counts(piece) for piece in rows.split(max(1, AT_ONCE // values))]
    return torch.cat(pieces).div_(values).t()


def reduce_sparse(gradient: Tensor) -> Tensor:
    """[65, 1] of a sparse gradient: what it does not hold is zero."""
    values, size = gradient.coalesce().values(), gradient.numel()
    held = values.numel() / size
    shares = values.new_zeros((CELLS, 1), dtype=torch.float32)
    if values.numel():
        shares += reduce_rows(values.reshape(1, -1)).mul_(held)
    shares[ZERO] += 1 - held
    return shares


def of_layers(reduced: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
    """[65, tensors] to int32 [layers, 65]: parts of 65,535, tensors of one layer together; what holds any value holds 1
    at the least, and layers without one hold nothing. Of activations and gradients by layer, as by Glorot & Bengio
    (AISTATS 2010), and in CS231n's notes ("Activation / gradient distributions per layer").
    """
    shares = means_of_layers(reduced, owners=owners, weights=sizes, layers=layers).nan_to_num_(nan=0.0)
    parts = (shares * WHOLE).round().to(torch.int32)
    return torch.where((parts == 0) & (shares > 0), 1, parts).t().contiguous()


def _counts(rows: Tensor) -> Tensor:
    """Float32 [tensors, 65]; exact, for no row has more values than float32 can count."""
    kept = rows.float().view(torch.int32) >> (32 - KEPT_BITS)
    kept.bitwise_and_((1 << KEPT_BITS) - 1)  # the sign was drawn along
    cells = _cells(rows.device).index_select(0, kept.reshape(-1)).view(rows.shape)
    cells.add_(torch.arange(0, len(rows) * CELLS, CELLS, dtype=torch.int32, device=rows.device).unsqueeze(1))
    if rows.device.type == "cpu":  # elsewhere the host would wait for it
        return torch.bincount(cells.view(-1), minlength=len(rows) * CELLS).float().view(-1, CELLS)
    counts = torch.zeros(len(rows) * CELLS, device=rows.device)
    one = torch.ones(1, device=rows.device)
    return counts.index_add_(0, cells.view(-1), one.expand(cells.numel())).view(-1, CELLS)


@cache
def _cells(device: torch.device) -> Tensor:
    """The uppermost bits of a float32 → its cell, int32 [4096]."""
    return torch.tensor([_cell(bits) for bits in range(1 << KEPT_BITS)], dtype=torch.int32).to(
        device, non_blocking=True
    )


def _cell(bits: int) -> int:
    is_negative, exponent, mantissa = bits >> 11, bits >> 3 & 0xFF, bits & 7
    if exponent == 0xFF:
        return BINS
    if exponent == 0:
        return ZERO
    level = bisect_right(MAGNITUDES, (1 + mantissa / 8) * 2.0 ** (exponent - 127))
    return ZERO - 1 - level if is_negative else ZERO + level
