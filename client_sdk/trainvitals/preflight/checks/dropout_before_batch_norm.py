"""Whether dropout spoils the variance that batch norm keeps for evaluation."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from trainvitals.preflight.case import Case
from trainvitals.preflight.trial import Trial
from trainvitals.preflight.untouched import seed
from trainvitals.preflight.verdict import Verdict, failed, passed, shown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "check the inside"
SHIFTED: Final = 1.5  # times the variance: outputs in evaluation are a fifth smaller than those trained for
DRAWS: Final = 4  # of dropout's mask
FEWEST: Final = 16  # values per channel, below which a variance says little


def dropout_before_batch_norm(case: Case) -> Verdict:
    """What enters batch norm varies as much with dropout (training) as without it (evaluation).

    Measured, not guessed from the order: the same batch with dropout on and off, all else in training mode; the median
    over channels of the ratio of variances, at the batch norm where it is largest.
    Source: Li et al. 2019, "Understanding the disharmony between dropout and batch normalization by variance shift".
    Cries wolf: small dropout and wide layers shift little, and pass; functional dropout is not seen.
    """
    dropouts = [part for part in case.model.modules() if isinstance(part, _DropoutNd) and part.p > 0]
    norms = [name for name, part in case.model.named_modules() if isinstance(part, _BatchNorm)]
    if not dropouts or not norms:
        return passed("dropout and batch norm do not meet in this model")
    with case.trial() as trial, torch.no_grad():
        trained = _variances(trial, case, dropping=True)
        evaluated = _variances(trial, case, dropping=False)
    shifts = {
        name: float((trained[name] / evaluated[name].clamp_min(1e-12)).median())
        for name in trained
        if name in evaluated and float(evaluated[name].max()) > 0
    }
    if not shifts:
        return passed("no batch norm of this model takes its mean and variance from the batch")
    name, shift = max(shifts.items(), key=lambda item: item[1])
    numbers = {"variance in training / in evaluation": shift}
    if shift > SHIFTED:
        return failed(
            f"dropout before layer {name}: its input varies {shown(shift)} times as much in training as in evaluation",
            numbers,
            advice=["Put dropout behind the last batch norm, lower p, or leave it out: batch norm regularises, too."],
        )
    return passed(f"dropout moves no batch norm's variance by more than {shown(shift)} times", numbers)


def _variances(trial: Trial, case: Case, *, dropping: bool) -> dict[str, Tensor]:
    """Batch norm → float32 [channels], the variance of its input, the mean over several draws."""
    for part in trial.model.modules():
        if isinstance(part, _DropoutNd):
            part.train(dropping)
    found: dict[str, list[Tensor]] = {}
    handles = [
        part.register_forward_pre_hook(_measuring(found, name))
        for name, part in trial.model.named_modules()
        if isinstance(part, _BatchNorm) and part.training
    ]
    for draw in range(DRAWS if dropping else 1):
        _run(trial, case, draw)
    for handle in handles:
        handle.remove()
    return {name: torch.stack(variances).mean(0) for name, variances in found.items()}


def _run(trial: Trial, case: Case, draw: int) -> None:
    """A pass with other masks than the pass before: ``Trial.run`` draws the same ones every time."""
    handle = trial.model.register_forward_pre_hook(lambda module, inputs: seed(draw))
    trial.run(case.batch)
    handle.remove()


def _measuring(found: dict[str, list[Tensor]], name: str) -> Any:  # Any: a hook
    def measure(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].detach().float().transpose(0, 1).flatten(1)
        if values.shape[1] >= FEWEST:
            found.setdefault(name, []).append(values.var(1))

    return measure
