"""Which ill follows from which: the medicine by which findings are joined into a diagnosis."""

from __future__ import annotations

from typing import Final

# Ills of the data, the loss or the way the network was made: they bring about what is seen inside, and in the loss.
DATA: Final = ("inputs_not_normalised", "targets_not_normalised", "shape_broadcast", "softmax_twice", "loss_unsuited")
START: Final = ("poor_initialisation", "symmetric_units")
SETTINGS: Final = (
    "gradients_not_zeroed",
    "learning_rate_too_high",
    "weight_decay_too_strong",
    "regularisation_dominating",
    "clipping_always",
    "epsilon_dominating",
    "skipped_steps",
    "updates_lost",
    "schedule_ended",
    "schedule_not_started",
    "learning_rate_too_low",
)
DEPTH: Final = ("activations_shrinking", "activations_growing", "saturated_activations")
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
TOO_MUCH: Final = (
    *DATA,
    "poor_initialisation",
    "gradients_not_zeroed",
    "accumulation_unscaled",
    "learning_rate_too_high",
    "activations_growing",
)
ATTENTION: Final = ("poor_initialisation", "learning_rate_too_high", "updates_too_large")

# Rule → rules whose ill may have brought this one about, the likeliest first.
FOLLOWS_FROM: Final[dict[str, tuple[str, ...]]] = {
    "activations_growing": ("inputs_not_normalised", "poor_initialisation", "learning_rate_too_high"),
    "activations_shrinking": ("poor_initialisation", "weight_decay_too_strong", "regularisation_dominating"),
    "adam_rms_high": ("data_not_shuffled", "learning_rate_too_high", "updates_too_large"),
    "attention_entropy_collapse": ("attention_logits_growing", *ATTENTION),
    "attention_logits_growing": ATTENTION,
    "clipping_always": ("accumulation_unscaled", "gradients_not_zeroed"),
    "class_collapse": (
        *(*START, *DATA, *SETTINGS, "data_not_shuffled", "labels_constant", "embedding_rows_unused", *DEPTH, *INSIDE),
    ),
    "dead_activations": (
        *("data_not_shuffled", *TOO_MUCH, "updates_too_large", "exploding_gradients", "batch_too_small"),
    ),
    "exploding_gradients": (*TOO_MUCH, "updates_too_large"),
    "initial_loss_off": ("poor_initialisation", "inputs_not_normalised", "softmax_twice", "targets_not_normalised"),
    "labels_shuffled": (*START, *DATA, *SETTINGS, "training_in_evaluation_mode", *DEPTH, *INSIDE),
    "layer_not_learning": (
        *(*START, "updates_lost", "schedule_ended", "schedule_not_started"),
        *("non_finite_values", "dead_activations", "vanishing_gradients", "saturated_activations"),
    ),
    "learning_rate_too_high": ("accumulation_unscaled",),
    "learning_rate_too_low": (
        *("schedule_not_started", "clipping_always", "vanishing_gradients", "epsilon_dominating", "updates_lost"),
    ),
    "loss_diverging": (
        *(*TOO_MUCH, "data_not_shuffled", "non_finite_values", "exploding_gradients", "updates_too_large"),
        *("adam_rms_high", "attention_logits_growing", "attention_entropy_collapse"),
    ),
    "loss_not_decreasing": (
        *("data_not_shuffled", *START, *DATA, *SETTINGS, "labels_constant", *DEPTH, *INSIDE, "class_collapse"),
        *("attention_logits_growing", "attention_entropy_collapse"),
    ),
    "loss_oscillating": (
        "data_not_shuffled",
        "schedule_overrun",
        *TOO_MUCH,
        "updates_too_large",
        "exploding_gradients",
    ),
    "loss_plateau": (
        *(*START, *DATA, *SETTINGS, "labels_constant", "labels_shuffled", "training_in_evaluation_mode"),
        *(*DEPTH, *INSIDE, "class_collapse", "loss_not_decreasing", "loss_oscillating"),
    ),
    "loss_scale_collapsing": ("skipped_steps", *TOO_MUCH, "exploding_gradients", "loss_diverging"),
    "loss_spike": (
        *("data_not_shuffled", *TOO_MUCH, "exploding_gradients", "updates_too_large", "adam_rms_high"),
        *("attention_logits_growing", "schedule_overrun", "schedule_ended"),
    ),
    "non_finite_values": (
        *TOO_MUCH,
        "exploding_gradients",
        "updates_too_large",
        "loss_diverging",
        "loss_scale_collapsing",
    ),
    "overfitting": ("same_batch", "labels_shuffled"),
    "saturated_activations": (
        *("inputs_not_normalised", "poor_initialisation", "learning_rate_too_high", "updates_too_large"),
    ),
    "skipped_steps": (*TOO_MUCH, "exploding_gradients", "loss_diverging"),
    "underfitting": (
        *("inputs_not_normalised", "dropout_too_high", "weight_decay_too_strong", "regularisation_dominating"),
        *("learning_rate_too_high", "learning_rate_too_low", "schedule_ended", "clipping_always"),
        *("vanishing_gradients", "dead_activations", "saturated_activations", "labels_shuffled", "loss_oscillating"),
    ),
    "throughput_fallen": ("memory_leaking", "data_loading_starves"),
    "validation_degenerate": ("schedule_not_started", "layer_not_learning", "non_finite_values"),
    "symmetric_units": ("poor_initialisation",),
    "updates_too_large": (*TOO_MUCH, "weight_decay_too_strong"),
    "updates_too_small": (
        *("vanishing_gradients", "dead_activations", "poor_initialisation", "clipping_always"),
        *("epsilon_dominating", "updates_lost"),
        *("schedule_ended", "schedule_not_started", "learning_rate_too_low"),
    ),
    "vanishing_gradients": ("poor_initialisation", "inputs_not_normalised", "saturated_activations"),
}


def follows_from(rule: str) -> tuple[str, ...]:
    """The rules from whose ills that of this one may follow, the likeliest first."""
    return FOLLOWS_FROM.get(rule, ())
