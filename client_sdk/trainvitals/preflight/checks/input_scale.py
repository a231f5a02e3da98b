"""Whether inputs have a scale that a fresh network can work with."""

from __future__ import annotations

import contextlib
import math
from typing import Any, Final

import torch
from torch import Tensor, nn

from trainvitals.preflight.batches import tensors, with_inputs
from trainvitals.preflight.case import Case
from trainvitals.preflight.trial import Trial
from trainvitals.preflight.verdict import Verdict, failed, passed, shown, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "start simple"
LARGE: Final = 10.0  # root mean square of what the first layer gets; standardised inputs have 1
UNEVEN: Final = 100.0  # times the smallest spread of a column
WORSE: Final = 2.0  # times the loss that the same network has on inputs of scale 1
SATURATED: Final = 0.9  # of the outputs of tanh or sigmoid are at an end
FIRST: Final = (nn.Linear, nn.modules.conv._ConvNd, nn.RNNBase)


def input_scale(case: Case) -> Verdict:
    """The first linear, convolutional or recurrent layer gets numbers around 1; what is judged is the consequence.

    Large inputs fail only if the very same network has at most half the first loss on the same inputs scaled to 1, or
    if they saturate its tanh and sigmoid units, which those scaled to 1 do not.
    Source: LeCun et al. 1998, "Efficient backprop"; UMLAUT and TheDeepChecker check input ranges.
    Cries wolf: counts from 0 to 16, one-hot columns, embeddings, models that normalise inside, pre-trained models that
    expect 0 to 255: without the consequence all of these are unknown or passed.
    """
    floats = [tensor for tensor in tensors(case.inputs) if tensor.is_floating_point() and tensor.numel()]
    if not floats:
        return passed("the inputs are no real numbers: nothing to scale")
    if any(bool(tensor.isnan().any()) for tensor in floats):
        return _with_nan(case)
    same = case.size is not None and case.size > 1 and all(_all_rows_alike(tensor) for tensor in floats)
    if same and isinstance(case.targets, Tensor) and not _all_rows_alike(case.targets):
        return failed("all samples of the batch have the same input", advice=["Look at the data set and its loader."])
    entering = _entering(case)
    if entering is None:
        return passed("no linear, convolutional or recurrent layer gets the inputs")
    scale = float(entering.square().mean().sqrt())
    spreads = entering.flatten(0, -2).std(0) if entering.dim() > 1 and len(entering) > 1 else entering.new_ones(1)
    spreads = spreads[spreads > 0]
    uneven = float(spreads.max() / spreads.min()) if len(spreads) else 1.0
    numbers = {"root mean square": scale, "largest / smallest spread": uneven}
    if scale <= LARGE:
        if uneven > UNEVEN:
            said = f"columns differ in spread by a factor of {shown(uneven)}"
            return unknown(said, numbers, advice=["Standardise columns of different units: (x - x.mean(0)) / x.std(0)"])
        return passed(f"the first layer gets numbers of size {shown(scale)}", numbers)
    said = f"the first layer gets numbers of size {shown(scale)}"
    if consequence := _consequence(case, scale):
        return failed(
            f"{said}, and {consequence}", numbers, advice=["Standardise: (inputs - mean) / std, image / 255."]
        )
    return unknown(f"{said}; no harm is seen yet", numbers, advice=["Compare with standardised inputs."])


def _with_nan(case: Case) -> Verdict:
    if math.isfinite(case.probe.loss):
        return unknown("inputs hold NaN, and the loss is finite all the same", advice=["Masked on purpose?"])
    return failed("inputs hold NaN", advice=["Find them: torch.isnan(inputs).nonzero(); drop or fill them."])


def _all_rows_alike(tensor: Tensor) -> bool:
    return tensor.dim() > 0 and len(tensor) > 1 and bool((tensor == tensor[:1]).all())


class _Reached(Exception):
    """The first layer was reached; the rest of the pass is of no interest."""


def _entering(case: Case) -> Tensor | None:
    """What the first layer gets, float32, whatever was done to the inputs before; None if a norm or an embedding is
    first."""
    found: list[Tensor] = []

    def take(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if isinstance(module, FIRST) and inputs and isinstance(inputs[0], Tensor) and inputs[0].is_floating_point():
            found.append(inputs[0].detach().float())
        raise _Reached

    with case.trial() as trial, torch.no_grad(), contextlib.suppress(_Reached):
        for part in trial.model.modules():
            if any(True for _ in part.parameters(recurse=False)) and not any(True for _ in part.children()):
                part.register_forward_pre_hook(take)
        trial.run(case.batch)
    return found[0] if found else None


def _consequence(case: Case, scale: float) -> str:
    """What large inputs do to this network; "" if nothing."""
    scaled = with_inputs(case.batch, lambda tensor: tensor / scale if tensor.is_floating_point() else tensor)
    with case.trial() as trial, torch.no_grad():
        ends, at_one = _saturated(trial, case.batch), _saturated(trial, scaled)
        loss, better = case.probe.loss, trial.run(scaled).loss.item()
    if ends > SATURATED > 2 * at_one:
        return f"{ends:.0%} of its tanh and sigmoid outputs are at an end ({at_one:.0%} if they were of size 1)"
    if better > 0 and (loss > WORSE * better or not math.isfinite(loss)):
        return f"its first loss is {shown(loss)}, which would be {shown(better)} if they were of size 1"
    return ""


def _saturated(trial: Trial, batch: Any) -> float:
    """The share of outputs of hidden tanh and sigmoid modules that are within 3 % of an end."""
    shares: list[float] = []

    def measure(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        low = -1.0 if isinstance(module, nn.Tanh) else 0.0
        margin = 0.03 * (1.0 - low)
        shares.append(float(((output > 1 - margin) | (output < low + margin)).float().mean()))

    parts = [part for part in trial.model.modules() if isinstance(part, (nn.Tanh, nn.Sigmoid))]
    handles = [part.register_forward_hook(measure) for part in parts]
    trial.run(batch)
    for handle in handles:
        handle.remove()
    return max(shares, default=0.0)
