"""Training of a network that is in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import differs_by_mode, fact, ill_since, newest
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def training_in_evaluation_mode(window: Window, *, share: float = 0.9, samples: int = 2) -> Iterator[Symptom]:
    """In the newest ``samples`` looks at least ``share`` of the optimizer's steps followed passes with gradients in
    evaluation mode alone, in a model with layers that do something else in it.

    Exact. Source: Karpathy, "most common neural net mistakes" (2018): "forgot to toggle train/eval mode".
    """
    shares, every = newest(window, "trained_in_evaluation_mode", samples), fact(window, "trained_in_evaluation_mode")
    layers = differs_by_mode(window)
    if shares is None or every is None or not layers or not (shares >= share).all():
        return
    begun = ill_since(every, every.values >= share)
    kinds = sorted({window.info[name].kind for name in layers})
    yield Symptom(
        rule="training_in_evaluation_mode",
        severity="warning",
        summary=f"The network trains in evaluation mode {f'since step {begun:,}' if begun else 'from the start'}: "
        f"{', '.join(kinds)} do not work as in training",
        first_step=begun,
        last_step=window.step,
        layers=tuple(layers),
        evidence=Evidence(
            metric="facts/trained_in_evaluation_mode",
            value=float(shares[-1]),
            threshold=share,
            first_step=begun,
            last_step=window.step,
            numbers={"share of the steps": f"{shares.mean():.0%}"},
        ),
        causes=(
            "model.train() is missing after a validation"
            if begun
            else "model.eval() before training, or from_pretrained without model.train()",
            "a model that was frozen in evaluation mode on purpose",
        ),
        advice=(
            "model.train() at the beginning of each epoch.",
            "To freeze batch norm alone: for m in model.modules(): isinstance(m, nn.BatchNorm2d) and m.eval().",
        ),
    )
