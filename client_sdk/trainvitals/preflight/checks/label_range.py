"""Whether targets are where outputs and loss can reach them."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from trainvitals.preflight.case import Case
from trainvitals.preflight.losses import BINARY, IGNORED, last_operation, prediction_of, understand
from trainvitals.preflight.verdict import Verdict, failed, passed, shown, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "confirm the loss"
REACH: Final = {
    "Sigmoid": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "Relu": (0.0, float("inf")),
    "Softplus": (0.0, float("inf")),
}
SLACK: Final = 0.05  # of what can be reached
OUTSIDE: Final = 0.05  # of the targets: less are outliers
BROADCAST: Final = "Using a target size"  # torch's own warning


def label_range(case: Case) -> Verdict:
    """Labels are among the classes, targets of binary losses within 0 and 1, targets of a regression of the outputs'
    shape and within the reach of the last activation.

    Source: exact; UMLAUT and TheDeepChecker have the last one.
    Cries wolf: other losses of their own kind (labels of -1 and 1 for hinge losses) are not judged; -100 is torch's
    label for "does not count".
    """
    if not isinstance(case.targets, Tensor) or not case.targets.numel():
        return unknown("the targets are no tensor: nothing can be told of them", advice=["Look at some by hand."])
    low, high = float(case.targets.min()), float(case.targets.max())
    numbers: dict[str, float | str] = {"smallest": low, "largest": high}
    if not bool(torch.isfinite(case.targets).all()):
        return _not_finite(case, numbers)
    if (verdict := _outside_the_classes(case, numbers)) or (verdict := _refused(case, numbers)):
        return verdict
    output = prediction_of(case.probe.output)
    known = understand(case)
    if any(BROADCAST in said for said in case.probe.said) or (
        known is not None and output is not None and len(known.rows) > max(output.numel(), case.targets.numel())
    ):
        made = f"{list(output.shape)}" if output is not None else "another shape"
        return failed(
            f"outputs of shape {made} meet targets of shape {list(case.targets.shape)}: all are compared with all",
            numbers,
            advice=["Give both one shape: loss_fn(output.squeeze(-1), targets), or targets.unsqueeze(-1)."],
        )
    if known is not None and known.kind in BINARY and not 0 <= low <= high <= 1:
        said = f"targets of binary cross entropy go from {shown(low)} to {shown(high)}: they are probabilities, 0 to 1"
        return failed(said, numbers, advice=["Map the labels to 0 and 1."])
    if known is not None and known.kind in ("mse", "mae") and (verdict := _out_of_reach(case, numbers)):
        return verdict
    said = f"targets go from {shown(low)} to {shown(high)}"
    if known is None and (case.num_classes is None or case.targets.is_floating_point()):
        return unknown(
            f"{said}; which loss it is could not be told, nor what it can reach",
            numbers,
            advice=["Give num_classes= where they are classes; else hold them against what the model can give."],
        )
    return passed(f"{said}, within reach", numbers)


def _not_finite(case: Case, numbers: dict[str, float | str]) -> Verdict:
    missing = int((~torch.isfinite(case.targets)).sum())
    said = f"{missing} targets are NaN or infinite"
    if math.isfinite(case.probe.loss):
        return unknown(f"{said}, and the loss is finite all the same", numbers, advice=["Masked on purpose?"])
    return failed(said, numbers, advice=["Leave them out, or mask them in the loss."])


def _outside_the_classes(case: Case, numbers: dict[str, float | str]) -> Verdict | None:
    """Without running the loss: on a GPU a wrong label ends the process."""
    targets = case.targets
    if targets.is_floating_point() or targets.dtype == torch.bool:
        return None
    counted = targets[targets != IGNORED]
    if not counted.numel() or case.num_classes is None:
        return None
    if int(counted.max()) < case.num_classes and int(counted.min()) >= 0:
        return None
    return failed(
        f"labels go from {int(counted.min())} to {int(counted.max())}, but there are {case.num_classes} classes",
        numbers,
        advice=["Classes count from 0 to num_classes - 1; what does not count is -100."],
    )


def _refused(case: Case, numbers: dict[str, float | str]) -> Verdict | None:
    try:
        case.probe  # noqa: B018  # for what it raises
    except IndexError as error:
        if "out of bounds" in str(error):
            return failed(
                f"the loss has no class for some labels, which go up to {int(numbers['largest'])}: {error}",
                numbers,
                advice=["Classes count from 0, and the model needs an output for each; what does not count is -100."],
            )
        raise
    return None


def _out_of_reach(case: Case, numbers: dict[str, float | str]) -> Verdict | None:
    with case.trial() as trial:
        output = prediction_of(trial.run(case.batch).output)
        last = last_operation(output) if output is not None else ""
    name = next((name for name in REACH if last.startswith(name)), None)
    if name is None:
        return None
    low, high = REACH[name]
    slack = SLACK * (high - low) if high < float("inf") else SLACK * float(case.targets.float().std())
    outside = float(((case.targets < low - slack) | (case.targets > high + slack)).float().mean())
    if outside <= OUTSIDE:
        return None
    return failed(
        f"{outside:.0%} of the targets lie outside of what the last {name.lower()} can give",
        {**numbers, "out of reach": outside},
        advice=["Let the model end in a linear layer, or scale the targets into the activation's range."],
    )
