"""A first loss far above that of knowing nothing."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import first_loss_and_chance, middle
from trainvitals_server.diagnosis.reading import word
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def initial_loss_off(
    window: Window,
    *,
    factor: float = 1.5,
    margin: float = 0.5,
    gross: float = 3.0,
    after_steps: int = 50,
    fewest_rows: int = 8,
) -> Iterator[Symptom]:
    """The first loss of a classifier lies above ``factor`` times chance, ln C, plus ``margin``. A warning above
    ``gross`` times chance, or if the loss has not come down to chance after ``after_steps`` steps; else worth knowing.

    The loss is that of the call itself, before anything is added to it. One-sided: a low first loss is a pre-trained
    network. Source: CS231n, "look for correct loss at chance performance"; Karpathy, "verify loss @ init" (2019).
    """
    known, rows, now = first_loss_and_chance(window), middle(window, "rows"), middle(window, "loss")
    if known is None or rows is None or rows < fewest_rows or now is None:
        return
    first, chance = known
    line = factor * chance + margin
    if first <= line:  # what is not a number is another rule's
        return
    is_graver = first > gross * chance + margin or (window.step >= after_steps and now > chance)
    yield Symptom(
        rule="initial_loss_off",
        severity="warning" if is_graver else "info",
        summary=f"The first loss is {first:.4g}; knowing nothing would cost {chance:.3g}: the network begins with "
        "confident wrong answers",
        first_step=0,
        last_step=window.step,
        evidence=Evidence(
            metric=window.loss_name,
            value=word(first),
            threshold=line,
            first_step=0,
            last_step=window.step,
            numbers={"first loss": word(first), "chance, ln C": chance, "loss now": word(now)},
        ),
        causes=(
            "inputs that are not normalised",
            "initial weights that are too large, in the last layer first of all",
            "no normalisation between many layers",
        ),
        advice=(
            "Standardise the inputs: (x - mean) / std; pictures / 255.",
            "Begin flat: torch.nn.init.normal_(head.weight, std=0.01); torch.nn.init.zeros_(head.bias).",
        ),
    )
