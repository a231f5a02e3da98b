"""Whether batch norm has enough values to take a mean and a variance of."""

from __future__ import annotations

from typing import Any, Final

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainvitals.preflight.case import Case
from trainvitals.preflight.verdict import Verdict, failed, passed
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "check the inside"
TOO_FEW: Final = 8  # values per channel: the variance of fewer is off by half of itself


def batch_norm_size(case: Case) -> Verdict:
    """Every batch norm that trains sees at least eight values per channel: batch × height × width, not the batch alone.

    Source: Wu & He 2018 (group normalisation): error rises steeply below 8 samples.
    Cries wolf: a batch that is smaller than the training's: give one of the real size. Frozen norms are left out, and
    synchronised ones, which add the values of other processes.
    """
    counted = {
        name: part
        for name, part in case.model.named_modules()
        if isinstance(part, _BatchNorm) and not isinstance(part, nn.SyncBatchNorm)
    }
    if not counted:
        return passed("there is no batch norm to starve")
    values: dict[str, int] = {}
    with case.trial() as trial:
        norms = [(name, trial.model.get_submodule(name)) for name in counted]
        handles = [part.register_forward_pre_hook(_counting(values, name)) for name, part in norms if part.training]
        try:
            trial.run(case.batch)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            return failed("batch norm cannot work on a single value per channel: training would stop", advice=_advice())
        finally:
            for handle in handles:
                handle.remove()
    if not values:
        return passed("no batch norm of this model takes its mean and variance from the batch")
    name, fewest = min(values.items(), key=lambda item: item[1])
    numbers = {"fewest values per channel": fewest, "batch norm layers": len(values)}
    if fewest < TOO_FEW:
        return failed(f"layer {name} takes mean and variance of {fewest} values per channel", numbers, advice=_advice())
    return passed(f"every batch norm has at least {fewest:,} values per channel", numbers)


def _counting(values: dict[str, int], name: str) -> Any:  # Any: a hook
    def count(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen = inputs[0].numel() // max(1, inputs[0].shape[1])
        values[name] = min(seen, values.get(name, seen))

    return count


def _advice() -> list[str]:
    return [
        "If the training's batches are larger than this one, give one of those.",
        "Else use nn.GroupNorm or nn.LayerNorm, or a larger batch; drop_last=True spares the last, smaller one.",
    ]
