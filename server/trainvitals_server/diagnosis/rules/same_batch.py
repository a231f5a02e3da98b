"""The same batch in every step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import fact, ill_since, middle, newest, validation_loss
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def same_batch(window: Window, *, samples: int = 8, apart: float = 1.5, behind: float = 0.1) -> Iterator[Symptom]:
    """The inputs of the newest ``samples`` looks were the same to the last bit. A warning if a validation loss lies
    more than ``apart`` times above the training loss, and by ``behind`` of what that has fallen by; else worth knowing,
    for full-batch training and the test that learns one batch by heart look the same.

    Exact but for what was not looked at. Source: Karpathy's recipe (2019): `next(iter(loader))` within the loop.
    """
    checksums, every = newest(window, "input_checksum", samples), fact(window, "input_checksum")
    if checksums is None or every is None or not np.isfinite(checksums).all() or (checksums != checksums[-1]).any():
        return
    begun = ill_since(every, every.values == checksums[-1])
    loss, unseen = middle(window, "loss"), validation_loss(window)
    if loss is None and window.loss is not None:
        loss = median(window.loss.values[-5:])
    first = fact(window, "loss") or window.loss
    is_apart = (
        first is not None and loss is not None and unseen is not None and unseen > apart * loss
        and unseen - loss > behind * max(float(first.values[0]) - loss, 0.0)
    )  # fmt: skip
    costs = f"; its loss is {loss:.3g}, that of the validation {unseen:.3g}" if is_apart else ""
    yield Symptom(
        rule="same_batch",
        severity="warning" if is_apart else "info",
        summary=f"The very same batch has come in every look since step {begun:,}{costs}",
        first_step=begun,
        last_step=window.step,
        evidence=Evidence(
            metric="facts/input_checksum",
            value=float(checksums[-1]),
            comparison="=",
            first_step=begun,
            last_step=window.step,
            numbers={"looks with the same batch": int((every.steps >= begun).sum())},
        ),
        causes=(
            "next(iter(loader)) within the loop, which begins the epoch anew in every step",
            "a batch taken before the loop and used in it",
            "the whole data in one batch, or one batch learnt by heart on purpose",
        ),
        advice=(
            "Make the iterator once: for inputs, targets in loader: …",
            "If it is meant, mute this rule.",
        ),
    )
