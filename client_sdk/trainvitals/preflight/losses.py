"""Which loss it is, told by its name or by its value: what a loss answers says more than what it is called."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody calls it

from trainvitals.preflight.case import Case

Kind = Literal["cross_entropy", "nll", "bce_logits", "bce", "mse", "mae"]

NAMED: Final[tuple[tuple[Kind, type[nn.Module], Callable[..., Any]], ...]] = (
    ("cross_entropy", nn.CrossEntropyLoss, F.cross_entropy),
    ("nll", nn.NLLLoss, F.nll_loss),
    ("bce_logits", nn.BCEWithLogitsLoss, F.binary_cross_entropy_with_logits),
    ("bce", nn.BCELoss, F.binary_cross_entropy),
    ("mse", nn.MSELoss, F.mse_loss),
    ("mae", nn.L1Loss, F.l1_loss),
)
OF_CLASSES: Final = ("cross_entropy", "nll")
BINARY: Final = ("bce_logits", "bce")
IGNORED: Final = -100  # torch's own label for what does not count
CLOSE: Final = 2e-3  # relative: half precision on the way is no other loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """A loss that is known. Of classes: ``rows`` float [samples, classes], ``labels`` int [samples]; else both are flat
    and equally long. ``factor``: what multiplies the mean over rows, as in sums; None where only the name is known."""

    kind: Kind
    rows: Tensor
    labels: Tensor
    factor: float | None

    @property
    def classes(self) -> int:
        """How many the model tells apart."""
        return self.rows.shape[-1] if self.kind in OF_CLASSES else 2


def prediction_of(output: Any) -> Tensor | None:
    """The tensor that the loss is about, if it is plain which: the output, its ``logits``, or the only tensor in it."""
    if isinstance(output, Tensor):
        return output
    logits = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if isinstance(logits, Tensor):
        return logits
    return output[0] if isinstance(output, (list, tuple)) and len(output) == 1 else None


def understand(case: Case) -> Understood | None:
    """What the loss is; None for all that is not one of the plain ones. Raises what the first pass raises."""
    prediction, targets = prediction_of(case.probe.output), case.targets
    if prediction is None or not isinstance(targets, Tensor) or not prediction.is_floating_point():
        return None
    prediction = prediction.float()
    named = _kind_by_name(case.loss_fn)
    candidates = [*_of_classes(prediction, targets), *_of_numbers(prediction, targets)]
    for kind, rows, labels in candidates:
        factor = _factor(case.probe.loss, kind, rows, labels, samples=case.size or len(rows))
        if factor is not None and named in (None, kind):
            return Understood(kind=kind, rows=rows, labels=labels, factor=factor)
    return next(
        (Understood(kind=k, rows=rows, labels=labels, factor=None) for k, rows, labels in candidates if k == named),
        None,
    )


def chance_level(case: Case, known: Understood) -> float | None:
    """The loss of a model that holds all classes for equally likely; None where it cannot be had."""
    if known.kind not in (*OF_CLASSES, *BINARY):
        return None
    output = case.probe.output
    if case.loss_fn is not None and case.forward is None and isinstance(output, Tensor):
        flat = {"nll": -math.log(known.classes), "bce": 0.5}.get(known.kind, 0.0)
        with case.trial() as trial, torch.no_grad():
            targets = case.batch if isinstance(case.batch, Mapping) else case.targets
            return trial.loss_of(torch.full_like(output, flat), targets).item()
    return None if known.factor is None else known.factor * math.log(known.classes)


def prior_entropy(known: Understood) -> float:
    """The entropy of the labels in the batch, in nats: the loss of a model that knows how frequent each class is."""
    if known.kind in BINARY:
        share = known.labels.float().mean().clamp(0, 1)
        return float(torch.special.entr(torch.stack((share, 1 - share))).sum())
    shares = torch.bincount(known.labels, minlength=known.classes).float()
    return float(torch.special.entr(shares / shares.sum()).sum())


def accuracy(rows: Tensor, labels: Tensor) -> float:
    """The share of rows whose largest value is at their label."""
    return float((rows.argmax(-1) == labels).float().mean())


def last_operation(output: Tensor) -> str:
    """What made the output, in autograd's words ("SoftmaxBackward0"), changes of shape left out; "" without a graph."""
    node, moved = (
        output.grad_fn,
        ("View", "Squeeze", "Unsqueeze", "Reshape", "Transpose", "Permute", "T", "Select", "Alias"),
    )
    while node is not None and node.name().removesuffix("0").removesuffix("Backward") in moved:
        node = node.next_functions[0][0] if node.next_functions else None
    return node.name() if node is not None else ""


def _kind_by_name(loss: Any) -> Kind | None:
    while isinstance(loss, functools.partial):
        loss = loss.func
    return next((kind for kind, module, function in NAMED if isinstance(loss, module) or loss is function), None)


def _of_classes(prediction: Tensor, targets: Tensor) -> Iterator[tuple[Kind, Tensor, Tensor]]:
    """Rows and labels in every layout that is in use: [N, C, …] with [N, …], [N, …, C] with [N, …], and the next word
    of each position."""
    if targets.is_floating_point() or targets.dtype == torch.bool or prediction.dim() < 2:
        if targets.shape == prediction.shape and prediction.dim() == 2 and _is_one_hot(targets):
            yield "cross_entropy", prediction, targets.argmax(-1)
        return
    layouts = [(prediction.movedim(1, -1), targets), (prediction, targets)]
    if prediction.dim() == 3 and targets.dim() == 2:
        layouts.append((prediction[:, :-1], targets[:, 1:]))
    for rows, labels in layouts:
        if rows.shape[:-1] != labels.shape:
            continue
        rows, labels = rows.reshape(-1, rows.shape[-1]), labels.reshape(-1).long()
        rows, labels = rows[labels != IGNORED], labels[labels != IGNORED]
        if len(labels) and int(labels.min()) >= 0 and int(labels.max()) < rows.shape[-1]:
            yield "cross_entropy", rows, labels
            yield "nll", rows, labels


def _is_one_hot(targets: Tensor) -> bool:
    ones = torch.ones(len(targets), device=targets.device)
    return (
        targets.shape[-1] > 1
        and bool(((targets == 0) | (targets == 1)).all())
        and torch.equal(targets.float().sum(-1), ones)
    )


def _of_numbers(prediction: Tensor, targets: Tensor) -> Iterator[tuple[Kind, Tensor, Tensor]]:
    """Values one to one; also where broadcasting made more of them than there are."""
    try:
        rows, numbers = torch.broadcast_tensors(prediction, targets.to(prediction.dtype))
    except (RuntimeError, TypeError):
        if prediction.numel() != targets.numel():
            return
        rows, numbers = prediction, targets.to(prediction.dtype).reshape(prediction.shape)
    rows, numbers = rows.reshape(-1), numbers.reshape(-1)
    for kind in ("bce_logits", "bce", "mse", "mae"):
        yield kind, rows, numbers


def _factor(loss: float, kind: Kind, rows: Tensor, labels: Tensor, *, samples: int) -> float | None:
    """By what the mean over rows is multiplied to give the loss: nothing, or what sums would; None: by nothing such."""
    function = next(function for name, _, function in NAMED if name == kind)
    if kind == "bce" and not bool(((rows >= 0) & (rows <= 1) & (labels >= 0) & (labels <= 1)).all()):
        return None
    mean = float(function(rows, labels))
    for factor in (1.0, float(len(rows)), len(rows) / samples):
        if math.isfinite(mean) and math.isclose(loss, factor * mean, rel_tol=CLOSE, abs_tol=1e-7):
            return factor
    return None
