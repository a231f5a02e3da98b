"""Whether the first loss is what a model that knows nothing should have."""

from __future__ import annotations

import math
from typing import Final

from trainvitals.preflight.case import Case
from trainvitals.preflight.losses import BINARY, OF_CLASSES, Understood, chance_level, prior_entropy, understand
from trainvitals.preflight.verdict import Verdict, failed, passed, shown, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "confirm the loss"
TOO_HIGH: Final = 3.0  # times the loss of chance: inputs that are counts from 0 to 16 lead to twice that, and train
HIGH: Final = 1.5  # times the loss of chance, and …
MARGIN: Final = 0.5  # … nats on top: default initialisation stays well below that
LOW: Final = 0.5  # times the loss of chance
SKEWED: Final = 0.5  # the prior's entropy in parts of chance
FAR: Final = 10.0  # times the loss of the best constant


def initial_loss(case: Case) -> Verdict:
    """A classifier's first loss is near that of chance, -ln(1/C), and not far above the entropy of the class prior.

    Chance is what the loss itself says of equal logits, so that weights, label smoothing and sums are accounted for.
    Source: CS231n, "look for correct loss at chance performance"; Karpathy, "verify loss @ init".
    Cries wolf: inputs of another scale (somewhat above: unknown), pre-trained models (below: unknown), regression with
    large targets and losses without a chance level, as contrastive ones (unknown).
    """
    loss = case.probe.loss
    if not math.isfinite(loss):
        return failed(f"the first loss is {shown(loss)}", {"loss": loss}, advice=[_finite()])
    known = understand(case)
    if known is None:
        return unknown(
            f"the first loss is {shown(loss)}; what chance would have is not known for this loss",
            {"loss": loss},
            advice=["Work out by hand what a constant answer would cost, and compare."],
        )
    if known.kind not in (*OF_CLASSES, *BINARY):
        return _of_regression(loss, known)
    chance = chance_level(case, known)
    if chance is None or not chance > 0:
        said = f"the first loss is {shown(loss)}; chance could not be worked out"
        return unknown(said, {"loss": loss}, advice=["Compare with the loss of equal logits."])
    factor = chance / math.log(known.classes)
    prior = factor * prior_entropy(known)
    numbers = {"loss": loss, "chance": chance, "class prior": prior, "classes": known.classes}
    said = f"the first loss is {shown(loss)}, chance is {shown(chance)} and the class prior {shown(prior)}"
    if loss > TOO_HIGH * chance + MARGIN * factor:
        return failed(said, numbers, advice=[_start_flat()])
    if loss > HIGH * chance + MARGIN * factor:
        return unknown(f"{said}: rather high", numbers, advice=[_start_flat()])
    if loss < LOW * min(chance, max(prior, LOW * chance)):
        return unknown(
            f"{said}: it knows already",
            numbers,
            advice=["Fine for a pre-trained model; else look for the target among the inputs."],
        )
    advice = [_prior()] if prior < SKEWED * chance and loss > 0.5 * (prior + chance) else []
    return passed(said, numbers, advice=advice)


def _of_regression(loss: float, known: Understood) -> Verdict:
    labels = known.labels.double()
    centre = labels.mean() if known.kind == "mse" else labels.median()
    errors = (labels - centre).abs()
    constant = float(errors.square().mean() if known.kind == "mse" else errors.mean()) * (known.factor or 1.0)
    numbers = {"loss": loss, "best constant": constant}
    said = f"the first loss is {shown(loss)}, that of the best constant answer {shown(constant)}"
    if loss > FAR * constant:
        return unknown(
            f"{said}: far away", numbers, advice=["Standardise the targets, or set the last bias to their mean."]
        )
    return passed(said, numbers)


def _start_flat() -> str:
    return (
        "The model begins with confident wrong answers. Look at the scale of the inputs, the initialisation of the "
        "last layer (small weights, zero bias) and the order of the classes."
    )


def _prior() -> str:
    return (
        "The classes are unequal: with the last bias set to the log of their frequencies the first steps are not spent "
        "on learning them."
    )


def _finite() -> str:
    return "Look for NaN in the batch, log or division of zero in the loss, and far too large initial weights."
