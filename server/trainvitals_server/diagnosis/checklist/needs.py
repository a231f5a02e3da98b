"""What a rule must have seen of a run before its silence means anything, and how to have it seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from trainvitals.wire.answers import RunDetail
from trainvitals.wire.definitions import Definitions
from trainvitals.wire.facts import FACTS
from trainvitals_server.diagnosis.embeddings import LABELS_PER_ROW, tables
from trainvitals_server.diagnosis.facts import classifies, fact, loss_function, middle, validation_metrics
from trainvitals_server.diagnosis.window import LEARNING_RATE, Series, Window

WORDS: Final = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}
WATCH: Final = "Watch the model with its optimizer: run.watch(model, optimizer)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Whether a run has something; what to say, and how to come by it, where it has not."""

    is_met: Callable[[Window], bool]
    missing: str
    how: str


def as_window(run: RunDetail) -> Window:
    """The run as far as its description and its newest points tell: stats are known by their names alone."""
    newest = {name: (last.step, WORDS.get(str(last.value), last.value)) for name, last in run.summary.last.items()}
    return Window(
        run_id=run.summary.run_id,
        step=run.summary.last_step or 0,
        layers=tuple(run.recorded_layers),
        stats={stat: np.empty((0, len(run.recorded_layers)), np.float32) for stat in run.stats},
        metrics={
            name: Series(steps=np.array([step], np.int64), values=np.array([value], np.float32))
            for name, (step, value) in newest.items()
        },
        info={layer.name: layer for layer in run.layers},
        optimizers=tuple(run.optimizers),
        planned_steps=run.planned_steps,
        definitions=Definitions(run.notes.metrics),
    )


def has_metric(*names: str) -> Callable[[Window], bool]:
    """Whether one of them was logged."""
    return lambda window: any(name in window.metrics for name in names)


def has_stat(stat: str) -> Callable[[Window], bool]:
    """Whether it was recorded of any layer."""
    return lambda window: stat in window.stats


def has_layer(*kinds: str) -> Callable[[Window], bool]:
    """Whether there is a layer of each of these kinds, or one that is called like it (BatchNorm: BatchNorm2d)."""
    return lambda window: all(any(kind in layer.kind for layer in window.info.values()) for kind in kinds)


def has_labels(window: Window) -> bool:
    """Whether as many labels were seen as the largest embedding needs, at as many in a step as in the newest, counted
    from the first step: of a run that is resumed, too many."""
    rows = max(tables(window).values(), default=0.0)
    labels = max(middle(window, "rows") or 0.0, middle(window, "examples") or 0.0)
    return window.step * labels >= LABELS_PER_ROW * rows


def may_classify(window: Window) -> bool:
    """Unless another task is seen."""
    return loss_function(window) is None or classifies(window)


LOSS: Final = Need(
    is_met=lambda window: window.loss is not None,
    missing="no metric is known as the loss",
    how='Log it at every step: run.log({"loss": loss}). Has it another name: run.define_metric("name", role="loss").',
)
GRADIENTS: Final = Need(is_met=has_stat("grad_norm"), missing="no gradients of layers are recorded", how=WATCH)
UPDATES: Final = Need(is_met=has_stat("update_ratio"), missing="no steps of an optimizer are recorded", how=WATCH)
OUTPUTS: Final = Need(is_met=has_stat("activation_std"), missing="no outputs of layers are recorded", how=WATCH)
RATE: Final = Need(is_met=has_metric(LEARNING_RATE), missing="the learning rate is not recorded", how=WATCH)
CALL: Final = Need(
    is_met=lambda window: loss_function(window) is not None,
    missing="no loss function of torch.nn.functional was seen at work",
    how="Have the training call nn.CrossEntropyLoss, F.mse_loss or one of their kin, and watch the model. A function "
    "that is kept in a place of one's own, self.loss = F.cross_entropy, is heard if that comes after run.watch.",
)
BATCH: Final = Need(
    is_met=lambda window: fact(window, "input_checksum") is not None,
    missing="no batch was seen on its way into the model",
    how="Watch the model that the training calls, and give it its batch as tensors.",
)
WEIGHTS: Final = Need(
    is_met=lambda window: fact(window, "loss_weight") is not None,
    missing="it was not seen with what weight a loss goes into the gradient",
    how="One model, one optimizer and one process, and a mean loss of torch.nn.functional, are looked at.",
)
EXAMPLES: Final = Need(
    is_met=lambda window: fact(window, "examples") is not None,
    missing="it is not known how many examples a pass has",
    how=BATCH.how,
)
CLIPPED_NORM: Final = Need(
    is_met=has_metric("grad_norm_before_clipping"),
    missing="the norm of the gradients before they are clipped is not known",
    how="Clip once in a step, all parameters together: clip_grad_norm_(model.parameters(), max_norm).",
)
NEVER_MOVED: Final = Need(
    is_met=has_stat("unmoved_fraction"), missing="it is not recorded which weights have never moved", how=WATCH
)
LABELS: Final = Need(
    is_met=has_labels,
    missing="too few labels were seen to expect that every row comes up",
    how=f"Train on: it is known after {LABELS_PER_ROW:.0f} labels for each row of an embedding.",
)
BEGINNING: Final = Need(
    is_met=lambda window: any(layer.initial is not None for layer in window.info.values()),
    missing="the weights were not seen as they began",
    how="Watch the model before its first step: run.watch(model, optimizer).",
)
MODES: Final = Need(
    is_met=lambda window: FACTS + "trained_in_evaluation_mode" in window.metrics,
    missing="the mode of the passes was not seen",
    how=WATCH,
)
VALIDATION: Final = Need(
    is_met=lambda window: bool(validation_metrics(window)),
    missing="no validation is logged",
    how='Log one now and then: run.log({"val_loss": …}).',
)
VALIDATION_LOSS: Final = Need(
    is_met=lambda window: window.validation_loss is not None,
    missing="no metric is known as the loss of a validation",
    how=f'{VALIDATION.how} Has it another name: run.define_metric("name", role="validation_loss").',
)
TIMES: Final = Need(
    is_met=has_metric("seconds/forward", "seconds/data"),
    missing="it is not known where a step's time goes",
    how="Watch the model that the training calls on every rank: run.watch(model, optimizer).",
)
