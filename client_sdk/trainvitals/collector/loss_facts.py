"""What a call of a loss function tells of the task: how labels and predictions of a batch are spread, whether their
shapes and ranges fit. All of it stays on the device; of large batches a few rows stand for all."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

from trainvitals.collector.few import ACTIVATIONS
from trainvitals.collector.loss_calls import LossCall
from trainvitals.wire.facts import LOSS_FUNCTIONS

MOST_ROWS: Final = 128  # pairs of rows are compared, which takes its square
TINY: Final = 1e-12
OF_CLASSES: Final = frozenset({"cross_entropy", "nll_loss"})
BINARY: Final = frozenset({"binary_cross_entropy", "binary_cross_entropy_with_logits"})

Facts = dict[str, float | Tensor]


def facts_of(call: LossCall) -> Facts:
    """Facts by name, without the prefix; numbers, and float scalars on the device."""
    found: Facts = {"loss_function": float(LOSS_FUNCTIONS.index(call.function))}
    if call.answer.dim() == 0 and call.given.get("reduction") == "mean":
        found["loss"] = call.answer.detach().clone()
    if call.function in OF_CLASSES:
        return found | _of_classes(call)
    if call.function in BINARY:
        return found | _binary(call) | _shapes(call)
    return found | _regression(call) | _shapes(call)


def _of_classes(call: LossCall) -> Facts:
    """Predictions [C], [n, C] or [n, C, …]; targets are labels, or probabilities of the same shape."""
    scores = call.prediction.detach()
    labels = call.target.detach()
    if scores.dim() == 1:
        scores, labels = scores.unsqueeze(0), labels.unsqueeze(0)
    if labels.is_floating_point():
        labels = labels.argmax(1)
    classes, scores = scores.shape[1], scores.movedim(1, -1)
    count = labels.numel()
    if not count or not classes:
        return {}
    if count > MOST_ROWS:
        places = _places(labels)
        scores, labels = scores[places], labels[places]
    scores, labels = scores.reshape(-1, classes), labels.reshape(-1)
    counted = labels.ne(call.given["ignore_index"])
    found: Facts = {
        "classes": float(classes),
        "rows": float(count),
        "chance": math.log(classes),
        "labels_out_of_range": (labels.lt(0).logical_or(labels.ge(classes)) & counted).float().sum(),
        **_spread(scores.argmax(1), labels, counted),
    }
    if call.function == "cross_entropy":
        found["score_min"] = scores.min().float()
        found["score_sum_error"] = scores.float().sum(1).sub(1).abs().max()
        found["label_smoothing"] = float(call.given.get("label_smoothing") or 0.0)
    return found


def _binary(call: LossCall) -> Facts:
    """Any shape: each number is a decision between two."""
    scores, targets = (_some(tensor.detach(), MOST_ROWS) for tensor in (call.prediction, call.target))
    if scores.numel() != targets.numel():
        return {}
    middle = 0.0 if call.function.endswith("logits") else 0.5
    labels = targets.gt(0.5)
    return {
        "classes": 2.0,
        "rows": float(call.prediction.numel()),
        "chance": math.log(2),
        "labels_out_of_range": targets.lt(0).logical_or(targets.gt(1)).float().sum(),
        "score_min": scores.min().float(),
        "score_max": scores.max().float(),
        **_spread(scores.gt(middle).long(), labels.long(), torch.ones_like(labels)),
    }


def _regression(call: LossCall) -> Facts:
    found: Facts = {"rows": float(call.prediction.shape[0] if call.prediction.dim() else 1)}
    for name, tensor in (("target", call.target), ("prediction", call.prediction)):
        values = ACTIVATIONS.of(tensor.detach()).float()
        found[f"{name}_mean"], found[f"{name}_std"] = values.mean(), values.std(correction=0)
    return found


def _shapes(call: LossCall) -> Facts:
    """``shapes_differ``, and by how much what is compared is larger than both, because they were broadcast against
    each other. A target of one number is meant for all."""
    ours, theirs = call.prediction.shape, call.target.shape
    larger = max(call.prediction.numel(), call.target.numel())
    if ours == theirs or not larger or 1 in (call.prediction.numel(), call.target.numel()):
        return {"shapes_differ": 0.0, "broadcast": 1.0}
    compared = math.prod(torch.broadcast_shapes(ours, theirs))
    return {"shapes_differ": 1.0, "broadcast": compared / larger}


def _spread(predicted: Tensor, labels: Tensor, counted: Tensor) -> Facts:
    """Of rows [n]: the share of the most frequent label, and of the most predicted class; which they are; the labels'
    entropy in nats; the share of rows that are predicted right. Only rows that are ``counted``."""
    weights = counted.float()
    weights = weights / weights.sum().clamp(min=1)
    both = torch.stack([labels, predicted])
    # by pairs, for counting by class takes a table of all classes, and additions in an order that differs each time;
    # no product of matrices or vectors, which autocast would have in half precision
    shares = (both.unsqueeze(1).eq(both.unsqueeze(2)) * weights).sum(-1) * counted  # [2, n]
    majorities, places = shares.max(1)
    commonest = both.gather(1, places.unsqueeze(1)).float()
    return {
        "label_majority": majorities[0],
        "predicted_majority": majorities[1],
        "commonest_label": commonest[0, 0],
        "commonest_prediction": commonest[1, 0],
        "label_entropy": -(weights * shares[0].clamp(min=TINY).log()).sum(),
        "accuracy": (weights * labels.eq(predicted)).sum(),
    }


def _places(labels: Tensor) -> tuple[Tensor, ...]:
    """Indices of at most MOST_ROWS places, spread evenly, not all in the same column."""
    flat = torch.arange(MOST_ROWS, device=labels.device) * _spacing(labels.numel(), MOST_ROWS)
    return tuple(reversed(list(_unravelled(flat, labels.shape))))


def _unravelled(flat: Tensor, shape: torch.Size) -> Iterator[Tensor]:
    """Of each dimension, the last first."""
    for size in reversed(shape):
        yield flat % size
        flat = flat // size


def _some(tensor: Tensor, most: int) -> Tensor:
    """At most so many values, spread evenly, not all in the same column; of tensors of one shape in the same places."""
    flat = tensor.reshape(-1)
    return flat if len(flat) <= most else flat[:: _spacing(len(flat), most)][:most]


def _spacing(size: int, most: int) -> int:
    """The way from one of ``most`` values to the next; it shares no factor with the size, nor with that of a row."""
    return next(every for every in range(size // most, 0, -1) if math.gcd(every, size) == 1)
