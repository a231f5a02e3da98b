"""A loss function that is given what it is not made for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import BINARY, CLASSIFIERS, fact, ill_since, loss_function
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

ROUNDING = 1e-6  # of a loss that is as good as zero
ADVICE = {
    "targets": (
        "Give it 0 and 1: (y > 0).float() of -1 and 1; one column for each class of labels that count classes.",
        "Of quantities learn with nn.MSELoss, of one class among several with nn.CrossEntropyLoss.",
    ),
    "negative": (
        "Give nn.NLLLoss log-probabilities (log_softmax), or logits to nn.CrossEntropyLoss.",
        "Targets that are probabilities must not be negative, and add up to 1.",
    ),
}


def loss_unsuited(window: Window, *, looks: int = 2) -> Iterator[Symptom]:
    """In the newest ``looks`` calls of a binary cross entropy some target was under 0 or above 1, where the loss has no
    least value; or the loss of labels (``cross_entropy``, ``nll_loss``) was negative, as none of probabilities is.

    Exact. Source: PyTorch's documentation of BCEWithLogitsLoss (targets from 0 to 1) and NLLLoss (log-probabilities).
    """
    function = loss_function(window)
    name, kind = ("labels_out_of_range", "targets") if function in BINARY else ("loss", "negative")
    known = fact(window, name)
    if known is None or len(known.values) < looks or function not in BINARY | CLASSIFIERS:
        return
    is_ill = known.values > 0 if kind == "targets" else known.values < -ROUNDING
    if not is_ill[-looks:].all():
        return
    yield _told(window, str(function), kind, known, is_ill)


def _told(window: Window, function: str, kind: str, known: Series, is_ill: NDArray[np.bool_]) -> Symptom:
    since, value = ill_since(known, is_ill), float(known.values[-1])
    said = "is given targets under 0 or above 1" if kind == "targets" else f"is negative ({value:.4g})"
    return Symptom(
        rule="loss_unsuited",
        severity="critical" if kind == "targets" else "warning",
        summary=f"{function} {said}: it is made for {'0 to 1' if kind == 'targets' else 'log-probabilities'}",
        first_step=since,
        last_step=window.step,
        evidence=Evidence(
            metric="facts/labels_out_of_range" if kind == "targets" else "facts/loss",
            value=value,
            threshold=0.0,
            comparison=">" if kind == "targets" else "<",
            first_step=since,
            last_step=window.step,
            numbers={"targets out of range, of those looked at": value} if kind == "targets" else {"loss": value},
        ),
        causes=("labels of -1 and 1, or that count classes", "quantities in the place of labels")
        if kind == "targets"
        else ("probabilities, or logits, in the place of log-probabilities", "targets that are no probabilities"),
        advice=ADVICE[kind],
    )
