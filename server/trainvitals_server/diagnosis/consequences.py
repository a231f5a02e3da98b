"""Which ill follows from which: the medicine by which findings are joined into a diagnosis."""

from __future__ import annotations

from typing import Final

# Ills of the data, the loss or the way the network was made: they bring about what is seen inside, and in the loss.
DATA: Final = ("inputs_not_normalised", "targets_not_normalised", "shape_broadcast", "softmax_twice")
START: Final = ("poor_initialisation", "symmetric_units")
# Ills that are seen inside, and are brought about by others of them, too.
INSIDE: Final = (
    "non_finite_values",
    "vanishing_gradients",
    "dead_activations",
    "exploding_gradients",
    "updates_too_large",
    "layer_not_learning",
    "updates_too_small",
)

# Rule → rules whose ill may have brought this one about, the likeliest first.
FOLLOWS_FROM: Final[dict[str, tuple[str, ...]]] = {
    "class_collapse": (*START, *DATA, "data_not_shuffled", "labels_constant", *INSIDE),
    "dead_activations": ("inputs_not_normalised", "poor_initialisation", "updates_too_large", "exploding_gradients"),
    "exploding_gradients": (
        "inputs_not_normalised",
        "targets_not_normalised",
        "poor_initialisation",
        "updates_too_large",
    ),
    "initial_loss_off": ("poor_initialisation", "inputs_not_normalised", "softmax_twice", "targets_not_normalised"),
    "labels_shuffled": (*START, *DATA, "training_in_evaluation_mode", *INSIDE),
    "layer_not_learning": (*START, "non_finite_values", "dead_activations", "vanishing_gradients"),
    "loss_diverging": (*DATA, "data_not_shuffled", "non_finite_values", "exploding_gradients", "updates_too_large"),
    "loss_not_decreasing": (*START, *DATA, "labels_constant", *INSIDE, "class_collapse", "labels_shuffled"),
    "loss_spike": ("data_not_shuffled", *DATA, "exploding_gradients", "updates_too_large"),
    "non_finite_values": (*DATA, "poor_initialisation", "exploding_gradients", "updates_too_large", "loss_diverging"),
    "symmetric_units": ("poor_initialisation",),
    "updates_too_large": ("inputs_not_normalised", "targets_not_normalised", "poor_initialisation"),
    "updates_too_small": ("vanishing_gradients", "dead_activations", "poor_initialisation"),
    "vanishing_gradients": ("poor_initialisation", "inputs_not_normalised"),
}


def follows_from(rule: str) -> tuple[str, ...]:
    """The rules from whose ills that of this one may follow, the likeliest first."""
    return FOLLOWS_FROM.get(rule, ())
