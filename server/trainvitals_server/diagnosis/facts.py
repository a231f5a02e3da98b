"""What several rules read of the facts that the SDK records; older runs have none, and are judged without."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainvitals.wire.definitions import is_of_validation
from trainvitals.wire.facts import FACTS, LOSS_FUNCTIONS
from trainvitals.wire.messages import LayerInfo
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import EPS, learning_rate, loss_trend
from trainvitals_server.diagnosis.window import Floats32, Series, Window

CLASSIFIERS: Final = frozenset({"cross_entropy", "nll_loss"})
BINARY: Final = frozenset({"binary_cross_entropy", "binary_cross_entropy_with_logits"})
UNITS: Final = ("out_features", "out_channels")
ADAPTS: Final = ("Norm", "Embedding")  # first layers that are at ease with inputs of any scale
LEAST_FALL: Final = 0.02  # of the loss, between the third and the last quarter of the run
FEWEST_LOSSES: Final = 40
FEWEST_VALIDATIONS: Final = 3
RISING: Final = 1.1  # times the learning rate of half-way back
HIGH: Final = 1.5  # times chance, and …
MARGIN: Final = 0.5  # … nats on top: where PyTorch's own initialisation never begins
LEARNT: Final = 0.2  # of chance
KNOWS_NOTHING: Final = 0.9  # of chance
NO_BETTER: Final = 0.02  # share of the loss of knowing nothing, within which one is no better


def fact(window: Window, name: str) -> Series | None:
    """All points of a fact."""
    return window.metrics.get(FACTS + name)


def newest(window: Window, name: str, samples: int) -> Floats32 | None:
    """The newest ``samples`` points; None if there are fewer."""
    found = fact(window, name)
    return None if found is None or len(found.values) < samples else found.values[-samples:]


def middle(window: Window, name: str, samples: int = 5) -> float | None:
    """The median of the newest finite points, as many as there are up to ``samples``."""
    found = fact(window, name)
    if found is None:
        return None
    values = found.values[np.isfinite(found.values)][-samples:]
    return median(values) if len(values) else None


def ill_since(series: Series, is_ill: NDArray[np.bool_]) -> int:
    """The step since which all points have been ill."""
    well = np.flatnonzero(~is_ill)
    return int(series.steps[min(well[-1] + 1, len(is_ill) - 1) if len(well) else 0])


def loss_function(window: Window) -> str | None:
    """By which the network is trained, as far as it was seen, and is known here: a newer SDK may know others."""
    code = middle(window, "loss_function", samples=1)
    return LOSS_FUNCTIONS[int(code)] if code is not None and 0 <= code < len(LOSS_FUNCTIONS) else None


def classifies(window: Window) -> bool:
    """Whether labels of classes are learnt: by a last layer with a unit for each class (or the weights of an embedding
    in its place), for the logits of a contrastive loss come of no such layer; or decisions between two, in one call of
    the loss and by one optimizer, for a GAN's critic sees real and false examples apart."""
    function = loss_function(window)
    if function in BINARY:
        return middle(window, "loss_calls") == 1.0 and len(window.optimizers) <= 1
    classes = middle(window, "classes")
    layers = [layer.settings for layer in window.info.values()]
    units = [settings[unit] for settings in layers for unit in UNITS if unit in settings]
    tied = [settings["num_embeddings"] for settings in layers if "num_embeddings" in settings]
    return function in CLASSIFIERS and classes in [*units[-1:], *tied]


def is_game(window: Window) -> bool:
    """Whether networks may be playing against each other, as those of a GAN do: several optimizers, and no labels of
    classes. What hovers there may be well."""
    return len(window.optimizers) > 1 and not classifies(window)


def first_loss_and_chance(window: Window) -> tuple[float, float] | None:
    """The loss of the first steps and that of knowing nothing; None where they were not seen, or chance is unknown."""
    losses, chance = fact(window, "loss"), middle(window, "chance")
    if losses is None or chance is None or losses.steps[0] > 5 or not classifies(window):
        return None
    return float(losses.values[0]), chance


def has_learnt(window: Window, start: float) -> bool:
    """Whether a classifier's loss was under a fifth of chance when it began: what goes on from there has little left
    to learn."""
    chance = middle(window, "chance")
    return chance is not None and classifies(window) and start < LEARNT * chance


def harm_of(*, lost: bool, far_off: bool) -> str:
    """What an ill of the beginning has done, in words."""
    if lost:
        return "the loss is no better than that of knowing nothing"
    return "the first loss is far off" if far_off else "no harm is seen"


def begins_far_off(window: Window) -> bool:
    """Whether the first loss is far above chance; of a regression, whether its first guesses are all over the place."""
    known = first_loss_and_chance(window)
    if known is not None:
        return not known[0] <= HIGH * known[1] + MARGIN
    ours, theirs = fact(window, "prediction_std"), fact(window, "target_std")
    if ours is None or theirs is None or ours.steps[0] > 5:
        return False
    return not ours.values[0] <= 10 * max(float(theirs.values[0]), 1e-6)


def is_warming_up(window: Window) -> bool:
    """Whether the learning rate still rises: what has not been learnt yet was not meant to be."""
    rate = learning_rate(window)
    if rate is None or len(rate.values) < 4:
        return False
    before, now = float(rate.values[len(rate.values) // 2]), float(rate.values[-1])
    return now >= float(rate.values.max()) and now > RISING * before


def is_learning(window: Window, begun: int, alive: float) -> bool:
    """Whether since a step the rate was above ``alive`` of its peak, as far as it is known, and is not rising still."""
    rate = learning_rate(window)
    if rate is None or not len(rate.values):
        return True
    newest = rate.values[rate.steps > begun]
    is_alive = len(newest) and newest.min() > alive * max(float(rate.values.max()), EPS)
    return bool(is_alive) and not is_warming_up(window)


def nothing_learnt(window: Window, *, after_steps: int) -> bool:
    """Whether after so many steps the loss is still that of knowing nothing: of a classifier chance, of a regression
    the variance of its targets."""
    loss = middle(window, "loss")
    return window.step >= after_steps and loss is not None and not is_warming_up(window) and knows_nothing(window, loss)


def knows_nothing(window: Window, loss: float) -> bool:
    """Whether a loss is that of knowing nothing, or nearly; False where that is not known."""
    nothing = loss_of_nothing(window)
    return nothing is not None and not loss < KNOWS_NOTHING * nothing


def loss_of_nothing(window: Window) -> float | None:
    """The loss of knowing nothing: of a classifier chance, of a regression the variance of its targets; None where
    neither is known."""
    chance, spread = middle(window, "chance"), middle(window, "target_std")
    if chance is not None:
        return chance if classifies(window) else None
    return spread**2 if loss_function(window) == "mse_loss" and spread is not None else None


def is_stuck(window: Window, *, after_steps: int) -> bool:
    """Whether the loss no longer falls: medians of the third and the last quarter of the run."""
    loss = window.loss or fact(window, "loss")
    if loss is None or window.step < after_steps or is_warming_up(window):
        return False
    values = loss.values[np.isfinite(loss.values)]
    if len(values) < FEWEST_LOSSES:
        return False
    _, _, third, last = np.array_split(values, 4)
    before, now = median(third), median(last)
    return before - now < LEAST_FALL * abs(before)


def rests_at_nothing(window: Window, loss: float, *, share: float = 1 - NO_BETTER) -> bool:
    """Whether a loss is above that ``share`` of the loss of knowing nothing, which is no better, and falls no more."""
    nothing = loss_of_nothing(window)
    return nothing is not None and loss > share * nothing and is_stuck(window, after_steps=FEWEST_LOSSES)


def validation_metrics(window: Window) -> list[str]:
    """Metrics that a validation has logged, by their definitions and names."""
    roles = {name: window.definitions.role(name) for name in window.metrics}
    return [name for name, role in roles.items() if role == "validation_loss" or (not role and is_of_validation(name))]


def validation_loss(window: Window) -> float | None:
    """The newest loss of a validation; where none is known, what it calls a loss of another name."""
    others = (window.metrics[name] for name in validation_metrics(window) if "loss" in name.lower())
    found = window.validation_loss or next(others, None)
    return float(found.values[-1]) if found is not None and len(found.values) else None


def validation_lags(window: Window) -> bool:
    """Whether the validation's loss has at its best not come half the way that the training's has: what is learnt does
    not hold with the running averages of evaluation, or for other examples."""
    found, trend = window.validation_loss, loss_trend(window.loss)
    values = found.values[np.isfinite(found.values)] if found is not None else np.empty(0)
    if trend is None or len(values) < FEWEST_VALIDATIONS or trend.start - trend.now < 3 * trend.noise:
        return False
    return float(values.min()) > (trend.start + trend.now) / 2


def differs_by_mode(window: Window) -> list[str]:
    """Layers that do something else in training than in evaluation: dropout, and batch norm with running statistics."""
    return [
        layer.name
        for layer in window.info.values()
        if ("Dropout" in layer.kind and layer.settings.get("p", 0.5) > 0) or "BatchNorm" in layer.kind
    ]


def matrices(window: Window) -> list[LayerInfo]:
    """Layers whose first weights are known and all train, in forward order, but for embeddings and norms: units of
    theirs see all inputs."""
    return [
        layer
        for layer in window.info.values()
        if layer.initial is not None
        and 0 < layer.parameters == layer.trainable
        and "Norm" not in layer.kind
        and "Embedding" not in layer.kind
    ]
