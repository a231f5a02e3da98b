"""To which stage each rule and each check of the preflight belongs, and when a rule's silence says that all is well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from trainvitals.wire.checklist import StageName
from trainvitals.wire.facts import FACTS
from trainvitals_server.diagnosis.checklist.needs import (
    BATCH,
    BEGINNING,
    CALL,
    CLIPPED_NORM,
    EXAMPLES,
    GRADIENTS,
    LABELS,
    LOSS,
    MODES,
    NEVER_MOVED,
    OUTPUTS,
    RATE,
    TIMES,
    UPDATES,
    VALIDATION,
    VALIDATION_LOSS,
    WEIGHTS,
    Need,
    has_layer,
    has_metric,
    has_stat,
    may_classify,
)
from trainvitals_server.diagnosis.experts import EXPERT
from trainvitals_server.diagnosis.facts import differs_by_mode, fact, loss_function, matrices
from trainvitals_server.diagnosis.reading import DEPTH, weighted
from trainvitals_server.diagnosis.rules.dead_activations import RECTIFIERS
from trainvitals_server.diagnosis.rules.regularisation_dominating import BUILT_IN, PENALTIES
from trainvitals_server.diagnosis.rules.saturated_activations import SQUASHING
from trainvitals_server.diagnosis.rules.targets_not_normalised import REGRESSIONS
from trainvitals_server.diagnosis.window import Window

# The stages of checks are those that they declare themselves; here for runs without a preflight.
CHECKS: Final[dict[StageName, tuple[str, ...]]] = {
    "start simple": (*("overfit_one_batch", "simple_baseline", "input_scale", "label_balance", "learning_rate_range"),),
    "confirm the loss": ("initial_loss", "input_used", "label_range", "regularisation", "softmax_before_loss"),
    "check the inside": (
        *("batch_mixing", "batch_norm_size", "detached_graph", "dropout_before_batch_norm", "gradient_check"),
        *("optimizer_parameters", "parameters_without_gradient", "training_mode"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A rule's place: its stage, and what it needs, from which step on it can speak, and of how many ranks. A run that
    it does not concern (dropout, in a network without it) is not told of it."""

    stage: StageName
    needs: tuple[Need, ...] = ()
    steps: int = 1
    ranks: int = 1
    concerns: Callable[[Window], bool] = lambda _: True


def _has_kind(kinds: frozenset[str]) -> Callable[[Window], bool]:
    return lambda window: any(layer.kind in kinds for layer in window.info.values())


def _rectifies(window: Window) -> bool:
    """By a layer, or by a function, of which it is told with the layer before."""
    return _has_kind(RECTIFIERS)(window) or has_stat("relu_zero_fraction")(window)


def _squashes(window: Window) -> bool:
    """The same; of a softmax it is told, too, but it is not judged."""
    is_told = has_stat("saturated_fraction")(window) and not _has_kind(frozenset({"Softmax"}))(window)
    return _has_kind(SQUASHING)(window) or is_told


def _is_deep(window: Window) -> bool:
    return not window.info or len(weighted(window)) >= DEPTH


def _has_scale(window: Window) -> bool:
    """Numbers enter, and no indices alone."""
    return fact(window, "input_checksum") is None or fact(window, "input_mean") is not None


def _is_regression(window: Window) -> bool:
    return loss_function(window) is None or loss_function(window) in REGRESSIONS


def _is_elementwise(window: Window) -> bool:
    return loss_function(window) is None or fact(window, "broadcast") is not None


def _decays(window: Window) -> bool:
    groups = [group.settings for optimizer in window.optimizers for group in optimizer.groups]
    decays = [group.get("weight_decay") for group in groups]
    return any(isinstance(decay, (int, float)) and decay > 0 for decay in decays)


def _differs_by_mode(window: Window) -> bool:
    return bool(differs_by_mode(window))


def _has_experts(window: Window) -> bool:
    return any(EXPERT.match(name) for name in window.info)


def _has_frozen_layers(window: Window) -> bool:
    return any(layer.parameters and not layer.trainable for layer in window.info.values())


def _has_hidden_layers(window: Window) -> bool:
    return not window.info or len(matrices(window)) > 1


_simple = partial(Place, stage="start simple")
_loss = partial(Place, stage="confirm the loss")
_inside = partial(Place, stage="check the inside")
_settings = partial(Place, stage="diagnose the settings")

RULES: Final[dict[str, Place]] = {
    "inputs_not_normalised": _simple(needs=(BATCH,), concerns=_has_scale),
    "targets_not_normalised": _simple(needs=(CALL,), concerns=_is_regression),
    "labels_constant": _simple(needs=(CALL,), steps=15, concerns=may_classify),
    "labels_shuffled": _simple(needs=(CALL, UPDATES), steps=120, concerns=may_classify),
    "same_batch": _simple(needs=(BATCH,), steps=8),
    "data_not_shuffled": _simple(needs=(CALL,), steps=10, concerns=may_classify),
    "initial_loss_off": _loss(needs=(CALL,), concerns=may_classify),
    "softmax_twice": _loss(needs=(CALL,), steps=3, concerns=may_classify),
    "loss_unsuited": _loss(needs=(CALL,), steps=2, concerns=may_classify),
    "shape_broadcast": _loss(needs=(CALL,), steps=2, concerns=_is_elementwise),
    "loss_not_decreasing": _loss(needs=(LOSS,), steps=100),
    "class_collapse": _loss(needs=(CALL, LOSS), steps=60, concerns=may_classify),
    "regularisation_dominating": _loss(needs=(LOSS,), steps=20, concerns=has_metric(*PENALTIES, BUILT_IN)),
    "non_finite_values": _inside(needs=(LOSS,)),
    "poor_initialisation": _inside(needs=(BEGINNING,), steps=50),
    "symmetric_units": _inside(needs=(BEGINNING,), steps=10, concerns=_has_hidden_layers),
    "vanishing_gradients": _inside(needs=(GRADIENTS, UPDATES, LOSS), steps=20, concerns=_is_deep),
    "exploding_gradients": _inside(needs=(GRADIENTS,), steps=18),
    "accumulation_unscaled": _settings(needs=(WEIGHTS,), steps=3),
    "gradients_not_zeroed": _inside(needs=(GRADIENTS,), steps=10),
    "layer_not_learning": _inside(needs=(UPDATES,), steps=10),
    "frozen_untrained": _inside(needs=(BEGINNING, UPDATES), steps=10, concerns=_has_frozen_layers),
    "dead_activations": _inside(needs=(OUTPUTS,), steps=5, concerns=_rectifies),
    "saturated_activations": _inside(needs=(OUTPUTS, LOSS), steps=20, concerns=_squashes),
    "activations_shrinking": _inside(needs=(OUTPUTS, LOSS), steps=20, concerns=_is_deep),
    "activations_growing": _inside(needs=(OUTPUTS, LOSS), steps=20, concerns=_is_deep),
    "training_in_evaluation_mode": _inside(needs=(MODES,), steps=2, concerns=_differs_by_mode),
    "validation_in_training_mode": _inside(needs=(MODES, VALIDATION), steps=2, concerns=_differs_by_mode),
    "dropout_before_batch_norm": _inside(concerns=has_layer("Dropout", "BatchNorm")),
    "validation_degenerate": _loss(needs=(LOSS, VALIDATION), steps=20),
    "embedding_rows_unused": _inside(needs=(NEVER_MOVED, LABELS), steps=300, concerns=has_layer("Embedding")),
    "expert_imbalance": _inside(needs=(GRADIENTS,), steps=100, concerns=_has_experts),
    "run_stalled": _inside(concerns=has_metric(f"{FACTS}idle_seconds")),
    "throughput_fallen": _inside(needs=(TIMES,), steps=32),
    "memory_leaking": _inside(steps=32, concerns=has_metric("system/memory_bytes")),
    "loss_scale_collapsing": _inside(steps=24, concerns=has_metric("loss_scale")),
    "skipped_steps": _inside(steps=30, concerns=has_metric("skipped_steps")),
    "attention_entropy_collapse": _inside(steps=3, concerns=has_stat("attention_entropy")),
    "attention_logits_growing": _inside(steps=6, concerns=has_stat("attention_logit_max")),
    "gradients_not_shared": _inside(needs=(GRADIENTS, LOSS), steps=8, ranks=2),
    "rank_outlier": _inside(needs=(LOSS,), steps=64, ranks=3),
    "slow_rank": _inside(needs=(TIMES,), steps=16, ranks=2),
    "learning_rate_too_high": _settings(needs=(LOSS, RATE), steps=80),
    "learning_rate_too_low": _settings(needs=(LOSS, UPDATES), steps=80),
    "updates_too_large": _settings(needs=(LOSS, UPDATES), steps=20),
    "updates_too_small": _settings(needs=(LOSS, UPDATES), steps=20),
    "loss_spike": _settings(needs=(LOSS,), steps=65),
    "loss_diverging": _settings(needs=(LOSS,), steps=64),
    "schedule_ended": _settings(needs=(LOSS, RATE), steps=40),
    "schedule_overrun": _settings(needs=(RATE,), steps=40),
    "clipping_always": _settings(needs=(LOSS, CLIPPED_NORM), steps=20, concerns=has_metric("clipped_fraction")),
    "weight_decay_too_strong": _settings(needs=(LOSS, UPDATES), steps=20, concerns=_decays),
    "dropout_too_high": _settings(concerns=has_layer("Dropout")),
    "loss_oscillating": _settings(needs=(LOSS,), steps=230),
    "loss_plateau": _settings(needs=(LOSS, RATE), steps=600),
    "schedule_not_started": _settings(needs=(RATE,), steps=100),
    "data_loading_starves": _settings(needs=(TIMES,), steps=16),
    "adam_rms_high": _settings(needs=(LOSS,), concerns=has_stat("adam_rms")),
    "epsilon_dominating": _settings(needs=(LOSS,), steps=20, concerns=has_stat("epsilon_fraction")),
    "updates_lost": _settings(needs=(LOSS,), steps=20, concerns=has_stat("lost_update_fraction")),
    "overfitting": _settings(needs=(LOSS, VALIDATION_LOSS), steps=20),
    "underfitting": _settings(needs=(LOSS, VALIDATION_LOSS, CALL), steps=300),
    "batch_too_small": _settings(needs=(EXAMPLES,), steps=5),
}
ELSEWHERE: Final = _inside()  # for a rule of which nobody has said where it belongs
