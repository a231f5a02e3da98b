"""Facts: metrics of what only the training process sees of its batches, losses and passes. The SDK records them at
sampled steps for the rules to read; pages do not chart them by themselves."""

from __future__ import annotations

from typing import Final

FACTS: Final = "facts/"  # before the name of each
# what facts/loss_function counts in
LOSS_FUNCTIONS: Final = (
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
)


def is_fact(metric: str) -> bool:
    """Whether a metric is one."""
    return metric.startswith(FACTS)
