"""Which ill follows from which: the medicine by which findings are joined into a diagnosis."""

from __future__ import annotations

from typing import Final

# Rule → rules whose ill may have brought this one about, the likeliest first. An ill of the settings or the data comes
# before one of the inside, and that before one of the loss.
FOLLOWS_FROM: Final[dict[str, tuple[str, ...]]] = {
    "dead_activations": ("updates_too_large", "exploding_gradients"),
    "exploding_gradients": ("updates_too_large",),
    "layer_not_learning": ("non_finite_values", "dead_activations", "vanishing_gradients"),
    "loss_diverging": ("non_finite_values", "exploding_gradients", "updates_too_large"),
    "loss_not_decreasing": (
        "non_finite_values",
        "vanishing_gradients",
        "dead_activations",
        "exploding_gradients",
        "updates_too_large",
        "layer_not_learning",
        "updates_too_small",
    ),
    "loss_spike": ("exploding_gradients", "updates_too_large"),
    "non_finite_values": ("exploding_gradients", "updates_too_large", "loss_diverging"),
    "updates_too_small": ("vanishing_gradients", "dead_activations"),
}


def follows_from(rule: str) -> tuple[str, ...]:
    """The rules from whose ills that of this one may follow, the likeliest first."""
    return FOLLOWS_FROM.get(rule, ())
