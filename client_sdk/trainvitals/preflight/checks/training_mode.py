"""Whether the model is set to train."""

from __future__ import annotations

from typing import Final

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from trainvitals.preflight.case import Case
from trainvitals.preflight.verdict import Verdict, failed, passed, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "check the inside"
HANDED_OUT_IN_EVAL: Final = ("transformers", "diffusers", "sentence_transformers", "peft", "timm", "open_clip")


def training_mode(case: Case) -> Verdict:
    """The model is in training mode where that makes a difference: where it has dropout or batch norm.

    Source: exact. Forgetting train() after eval() is the first of Karpathy's "most common neural net mistakes".
    Cries wolf: a loop that calls train() itself; libraries that hand out pre-trained models in eval mode (unknown);
    batch norm that is frozen on purpose while the model as a whole trains (passed).
    """
    moody = {name: part for name, part in case.model.named_modules() if _cares(part)}
    resting = [name for name, part in moody.items() if not part.training]
    numbers = {"dropout and batch norm layers": len(moody), "of them in eval mode": len(resting)}
    if not moody:
        return passed("no layer of this model behaves differently in training", numbers)
    if not resting:
        return passed(f"the model is in training mode, and so are its {len(moody)} layers that care", numbers)
    if case.model.training:
        said = f"the model trains, and {len(resting)} of {len(moody)} dropout and batch norm layers are set to evaluate"
        return passed(said, numbers)
    advice = ["Call model.train() at the beginning of every epoch, and after every evaluation."]
    said = f"the model is in eval mode: {len(resting)} dropout and batch norm layers would not work as in training"
    if any(_comes_from_a_library(part) for part in (case.model, *case.model.children())):
        return unknown(f"{said}; its library hands it out like that", numbers, advice=advice)
    return failed(said, numbers, advice=advice)


def _cares(module: nn.Module) -> bool:
    if isinstance(module, nn.RNNBase):
        return bool(module.dropout > 0 and module.num_layers > 1)  # it lies between layers
    if isinstance(module, nn.MultiheadAttention):
        return bool(module.dropout > 0)
    return isinstance(module, (_BatchNorm, _DropoutNd))


def _comes_from_a_library(module: nn.Module) -> bool:
    return any(kind.__module__.partition(".")[0] in HANDED_OUT_IN_EVAL for kind in type(module).__mro__)
