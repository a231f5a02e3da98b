"""Dropout in front of batch norm, which keeps a variance that evaluation does not have."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import middle, validation_loss
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def dropout_before_batch_norm(
    window: Window, *, least: float = 0.2, reach: int = 3, apart: float = 1.5, after_steps: int = 100
) -> Iterator[Symptom]:
    """A dropout of ``least`` or more with a batch norm within the next ``reach`` layers. A warning if the validation
    loss, after ``after_steps`` steps, lies more than ``apart`` times above the training loss; else worth knowing.

    Layers are taken in the order in which the model lists them. Source: Li et al., "Understanding the Disharmony
    between Dropout and Batch Normalization by Variance Shift", CVPR 2019.
    """
    layers = list(window.info.values())
    pairs = [
        (layer, behind)
        for place, layer in enumerate(layers)
        if "Dropout" in layer.kind and layer.settings.get("p", 0.0) >= least
        for behind in [next((one for one in layers[place + 1 : place + 1 + reach] if "BatchNorm" in one.kind), None)]
        if behind is not None
    ]
    if not pairs:
        return
    loss, unseen = middle(window, "loss"), validation_loss(window)
    is_ill = window.step >= after_steps and loss is not None and unseen is not None and unseen > apart * loss + 0.1
    first, behind = pairs[0]
    kept = 1 - first.settings["p"]
    costs = f"; the validation loss is {unseen:.3g}, that of training {loss:.3g}" if is_ill else ""
    yield Symptom(
        rule="dropout_before_batch_norm",
        severity="warning" if is_ill else "info",
        summary=f"Dropout stands before batch norm ({first.name} before {behind.name}): its variance in evaluation is "
        f"not the one that it has learnt{costs}",
        first_step=0,
        last_step=window.step,
        layers=tuple(name for pair in pairs for name in (pair[0].name, pair[1].name)),
        evidence=Evidence(
            metric=window.loss_name,
            value=1 / kept if kept else None,
            is_drawn=False,
            threshold=1 / (1 - least),
            last_step=window.step,
            numbers={"p": first.settings["p"], "places": len(pairs)},
        ),
        causes=("dropout makes the variance in training larger than in evaluation, and batch norm keeps the former",),
        advice=(
            "Put dropout behind the last batch norm, or leave one of both out.",
            "To try a trained network: estimate the running statistics anew with dropout off.",
        ),
    )
