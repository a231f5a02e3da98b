"""Whether probabilities go into a loss that makes probabilities by itself, or the other way round."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from trainvitals.preflight.case import Case
from trainvitals.preflight.losses import last_operation, prediction_of, understand
from trainvitals.preflight.verdict import Verdict, failed, passed, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "confirm the loss"
ONE: Final = 1e-3  # how far a sum of probabilities may be from 1


def softmax_before_loss(case: Case) -> Verdict:
    """Cross entropy gets logits, nll_loss log-probabilities, and binary cross entropy with logits no sigmoid.

    The loss is told by its value, so that a loss of one's own that takes probabilities is not blamed.
    Source: the most common PyTorch fault in several collections; with ten classes the loss cannot fall below 1.46.
    Cries wolf: log-softmax before cross entropy changes nothing (passed); distillation is no plain loss (unknown).
    """
    known, output = understand(case), prediction_of(case.probe.output)
    if known is None or output is None:
        if output is not None and output.dim() > 1 and _is_probability(output.float().movedim(1, -1)):
            return unknown(
                "the model gives probabilities, and what the loss makes of them cannot be seen",
                advice=["If the loss applies softmax or log_softmax itself, let the model return logits."],
            )
        return unknown(
            "the loss is none of the plain ones: it could not be seen what it applies itself",
            advice=["Look whether model and loss apply softmax, log_softmax or sigmoid once between them."],
        )
    if known.kind == "cross_entropy":
        if _is_probability(known.rows):
            return failed(
                f"softmax goes into a cross entropy that applies it again: the loss cannot fall below "
                f"{_floor(known.classes):.2f}",
                {"smallest output": float(known.rows.min()), "lowest loss possible": _floor(known.classes)},
                advice=["Let the model return logits: drop its last softmax."],
            )
        if _sums_to_one(known.rows.T) and len(known.rows) > 1 and len(known.rows) != known.classes:
            return failed("softmax was taken over the batch, not over the classes", advice=["softmax(dim=-1), if any."])
        return passed("cross entropy gets logits")
    if known.kind == "nll":
        if float(torch.logsumexp(known.rows, -1).abs().max()) > ONE:
            return failed(
                "nll_loss gets what are no log-probabilities: it has no floor, and falls without end",
                advice=["Use cross_entropy on logits, or end the model with log_softmax(dim=-1)."],
            )
        return passed("nll_loss gets log-probabilities")
    if known.kind == "bce_logits" and _last(case).startswith("Sigmoid"):
        return failed(
            "sigmoid goes into a loss that applies it again: the loss cannot fall below 0.31",
            advice=["Let the model return logits: drop its last sigmoid."],
        )
    return passed("no softmax stands before a loss that applies it")


def _is_probability(rows: Tensor) -> bool:
    return rows.dim() > 1 and rows.shape[-1] > 1 and bool((rows >= 0).all()) and _sums_to_one(rows)


def _sums_to_one(rows: Tensor) -> bool:
    return bool((rows >= 0).all()) and float((rows.sum(-1) - 1).abs().max()) < ONE


def _floor(classes: int) -> float:
    """Of cross entropy, when the right class has probability 1 and that goes through softmax again."""
    return float(torch.logsumexp(torch.tensor([1.0] + [0.0] * (classes - 1)), 0)) - 1.0


def _last(case: Case) -> str:
    with case.trial() as trial:
        output = prediction_of(trial.run(case.batch).output)
        return last_operation(output) if output is not None else ""
