"""Prediction and target of different shapes, compared each with each."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import fact, loss_function, newest
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def shape_broadcast(window: Window, *, samples: int = 2) -> Iterator[Symptom]:
    """In one of the newest ``samples`` calls of an elementwise loss, prediction and target were broadcast against each
    other to something larger than both, as [n, 1] and [n] are to [n, n]: every prediction is compared with every
    target, and the best answer to all is their mean.

    Exact. Source: PyTorch's own warning in mse_loss, which is printed once and scrolls away.
    """
    grown, every = newest(window, "broadcast", samples), fact(window, "broadcast")
    if grown is None or every is None or not (grown > 1).any():
        return
    factor = float(grown.max())
    begun = int(every.steps[(every.values > 1).argmax()])
    yield Symptom(
        rule="shape_broadcast",
        severity="critical",
        summary=f"{loss_function(window)} compares every prediction with every target ({factor:,.0f} times as many "
        "numbers as there are): their shapes differ",
        first_step=begun,
        last_step=window.step,
        evidence=Evidence(
            metric="facts/broadcast",
            value=factor,
            threshold=1.0,
            first_step=begun,
            last_step=window.step,
            numbers={"numbers compared for each that is there": factor},
        ),
        causes=("a network that gives [n, 1], and targets of [n], or the other way round",),
        advice=(
            "Give both one shape: loss_fn(model(x).squeeze(-1), y), or y.unsqueeze(-1).",
            "Keep it so: assert prediction.shape == target.shape.",
        ),
    )
