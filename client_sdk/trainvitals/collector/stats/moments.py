"""What an optimizer of Adam's kind knows of the size of the gradients, and how well that fits. Of parameters with more
than 16,384 values a few stand for all."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.stats.norms import means_of_layers

STATS: Final = ("second_moment_rms", "adam_rms", "epsilon_fraction")


def reduce_rows(moments: Tensor, gradients: Tensor, *, epsilons: Tensor) -> Tensor:
    """Bias-corrected second moments v and gradients g, [parameters, values], to [3, parameters]: means of v and of
    g² / max(v, ε²), share of values with √v < ε. ``epsilons``: of each parameter, [parameters]."""
    least = epsilons.square().clamp(min=torch.finfo(moments.dtype).tiny).unsqueeze(1)
    scratch = torch.maximum(moments, least)
    fit = gradients.square().div_(scratch).mean(dim=1)
    return torch.stack((moments.mean(dim=1), fit, torch.lt(moments, least, out=scratch).mean(dim=1)))


def of_layers(reduced: Tensor, *, owners: Tensor, sizes: Tensor, layers: int) -> Tensor:
    """[3, parameters] to [3 stats, layers] (order of STATS); NaN where no parameter has a second moment.

    ``second_moment_rms``: √ of the mean of v, in units of the gradient (v: Kingma & Ba, "Adam", arXiv:1412.6980).
    ``adam_rms``: √ of the mean of g² / max(v, ε²), without unit; above about 2.3 a spike of the loss often follows, for
    v has fallen behind (RMS_t of Wortsman et al., "Stable and low-precision training", arXiv:2304.13013).
    ``epsilon_fraction``: share of the values whose step ε shortens rather than √v, as happens where gradients become as
    small as ε (Wortsman et al., "Small-scale proxies for large-scale Transformer training instabilities",
    arXiv:2309.14322).
    """
    means = means_of_layers(reduced, owners=owners, weights=sizes, layers=layers)
    return torch.stack((means[0].sqrt(), means[1].sqrt(), means[2])).float()
