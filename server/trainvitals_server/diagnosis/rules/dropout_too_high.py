"""Dropout that leaves too little to learn from."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import middle, validation_loss
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def dropout_too_high(
    window: Window, *, most: float = 0.7, after_steps: int = 200, learnt: float = 0.5, apart: float = 1.5
) -> Iterator[Symptom]:
    """A dropout of more than ``most``. A warning if it costs: after ``after_steps`` steps the training loss lies above
    ``learnt`` of chance, or more than ``apart`` times above the validation loss; else worth knowing.

    0.5 is standard. Source: Srivastava et al., "Dropout", 2014, section 7.3: the error rises beyond 0.6 to 0.8 dropped.
    """
    rates = {layer.name: layer.settings.get("p", 0.0) for layer in window.info.values() if "Dropout" in layer.kind}
    high = [name for name, rate in rates.items() if rate > most]
    if not high:
        return
    loss, chance, unseen = middle(window, "loss"), middle(window, "chance"), validation_loss(window)
    is_far = loss is not None and chance is not None and loss > learnt * chance
    is_apart = loss is not None and unseen is not None and loss > apart * unseen
    is_ill = window.step >= after_steps and (is_far or is_apart)
    worst = max(rates[name] for name in high)
    costs = f"; the training loss is still {loss:.3g}" if is_ill else ""
    yield Symptom(
        rule="dropout_too_high",
        severity="warning" if is_ill else "info",
        summary=f"{len(high)} dropout layer{'s drop' if len(high) > 1 else ' drops'} {worst:.0%} of what reaches "
        f"{'them' if len(high) > 1 else 'it'}{costs}",
        first_step=0,
        last_step=window.step,
        layers=tuple(high),
        evidence=Evidence(
            metric=window.loss_name,
            layers=high[:5],
            value=worst,
            is_drawn=False,
            threshold=most,
            last_step=window.step,
            numbers={"p": worst, **({"chance": chance} if chance is not None else {})},
        ),
        causes=(
            "p taken for the share that is kept, as some libraries have it: PyTorch's p is what is dropped",
            "more regularisation than the data need",
        ),
        advice=("Try p=0.1 to 0.3 between wide layers, 0.5 at most; p=0.2 keeps 80 %.",),
    )
