"""Whether an attention looks at all that it may, or has collapsed onto single keys, and how large its logits are. A few
queries of a few heads stand for all."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.stats.norms import means_of_layers

STATS: Final = ("attention_logit_max", "attention_entropy")


def reduce(logits: Tensor, allowed: Tensor) -> Tensor:
    """Logits of queries and which keys each may look at (bool), both [queries, keys], to [3, 1] on the device: largest
    logit, mean entropy as a share of ln(keys allowed), and how many queries have more than one key to choose from."""
    peaks = logits.masked_fill(~allowed, -torch.inf).amax(dim=1)
    below = logits - peaks.unsqueeze(1)
    weights = below.exp().masked_fill(~allowed, 0)
    total = weights.sum(dim=1)
    entropy = total.log() - (weights * below.masked_fill(weights == 0, 0)).sum(dim=1) / total
    keys = allowed.sum(dim=1)
    chooses = keys > 1
    shares = torch.where(chooses, entropy.clamp(min=0) / keys.to(logits.dtype).log(), 0)
    count = chooses.sum()
    return torch.stack((peaks.amax(), shares.sum() / count, count.to(logits.dtype))).unsqueeze(1).float()


def of_layers(reduced: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
    """[3, calls] to [2 stats, layers] (order of STATS); NaN for layers without attention.

    ``attention_logit_max``: the largest q·k·scale, with what a mask of floating point adds, among the places that are
    not masked. Where it grows past about 50 training tends to diverge (Dehghani et al., "Scaling Vision Transformers to
    22 Billion Parameters", arXiv:2302.05442; Wortsman et al., "Small-scale proxies for large-scale Transformer training
    instabilities", arXiv:2309.14322). ``attention_entropy``: mean over queries and heads of the entropy divided by the
    logarithm of the number of keys that a query may look at: 1 looks at all alike, 0 at a single one, whatever the
    length and however the mask; a fall towards 0 goes before instability (Zhai et al., "Stabilizing Transformer
    Training by Preventing Attention Entropy Collapse", arXiv:2303.06296).
    """
    peaks = torch.full((layers,), -torch.inf, dtype=torch.float64)
    peaks.scatter_reduce_(0, owners, reduced[0].double(), "amax")
    counts = reduced[2].double()
    shares = torch.where(counts == 0, 0, reduced[1].double())
    entropy = means_of_layers(shares, owners=owners, weights=counts, layers=layers)
    return torch.stack((torch.where(peaks == -torch.inf, torch.nan, peaks), entropy)).float()
