"""Validation by a network that is still in training mode."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import differs_by_mode, fact, validation_metrics
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def validation_in_training_mode(window: Window, *, samples: int = 2) -> Iterator[Symptom]:
    """Metrics of a validation are logged, and all passes without gradients, in ``samples`` looks or more, were in
    training mode, in a model with layers that do something else in it.

    Exact for what was passed through the watched model itself. Source: TrainCheck (Jiang et al., OSDI 2025), class
    "missing model.eval()"; Karpathy, "most common neural net mistakes" (2018).
    """
    inside, outside = fact(window, "validated_in_training_mode"), fact(window, "validated_in_evaluation_mode")
    layers, logged = differs_by_mode(window), validation_metrics(window)
    if inside is None or outside is None or not layers or not logged:
        return
    looks = inside.values > 0
    if looks.sum() < samples or (outside.values > 0).any():
        return
    begun = int(inside.steps[looks.argmax()])
    kinds = sorted({window.info[name].kind for name in layers})
    yield Symptom(
        rule="validation_in_training_mode",
        severity="warning",
        summary=f"Validation runs in training mode: {', '.join(kinds)} work as in training, so that "
        f"{logged[0]} is not what the network can do",
        first_step=begun,
        last_step=window.step,
        layers=tuple(layers),
        evidence=Evidence(
            metric="facts/validated_in_training_mode",
            value=float(inside.values[looks][-1]),
            threshold=0.0,
            first_step=begun,
            last_step=window.step,
            numbers={
                "passes without gradients in training mode": float(inside.values.sum()),
                "in evaluation mode": 0,
            },
        ),
        causes=("model.eval() is missing before validation",),
        advice=(
            "model.eval() before the validation, model.train() after it.",
            "torch.no_grad() and model.eval() are two things: the first saves memory, the second changes layers.",
        ),
    )
