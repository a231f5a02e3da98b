"""Whether the optimizer holds what is to be trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from torch import Tensor, nn

from trainvitals.preflight.case import Case
from trainvitals.preflight.trial import Trial
from trainvitals.preflight.verdict import Verdict, failed, passed, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "check the inside"
MOST_NAMED: Final = 5


def optimizer_parameters(case: Case) -> Verdict:
    """Every trainable parameter is in an optimizer, and the optimizer holds this model's, not an earlier one's.

    Source: exact, by identity. Layers in a plain list are found by walking the modules' attributes.
    Cries wolf: a frozen backbone that is left out instead of frozen, a subnetwork with an optimizer of its own (give
    all of them: ``optimizer=[first, second]``), a teacher held in a list: unknown, or passed.
    """
    with case.trial() as trial:
        hidden = _hidden_and_used(trial, case)
    if hidden:
        listed = ", ".join(hidden[:MOST_NAMED])
        return failed(
            f"{listed} is no part of the model for PyTorch, as it stands in a plain list or dict",
            {"hidden modules": len(hidden)},
            advice=["Use nn.ModuleList or nn.ModuleDict: else parameters(), to() and state_dict() miss it."],
        )
    if not case.optimizers:
        return unknown("no optimizer was given", advice=["Give optimizer= (or a list of them) to have it checked."])
    missing = {name: part for name, part in case.trainable.items() if not case.in_optimizer(part)}
    strange = _strange(case)
    numbers = {"not in the optimizer": len(missing), "not in the model": len(strange)}
    if not missing:
        return passed(f"all {len(case.trainable)} trainable tensors are in the optimizer", numbers)
    listed = ", ".join(list(missing)[:MOST_NAMED]) + (" …" if len(missing) > MOST_NAMED else "")
    if [part.dim() for part in missing.values()] == [part.dim() for part in strange] or len(missing) == len(
        case.trainable
    ):
        return failed(
            f"the optimizer holds {len(strange)} tensors that are not this model's, and not {listed}",
            numbers,
            advice=["Make the optimizer after the last layer is replaced, copied or loaded, from this very model."],
        )
    if _is_left_out_as_a_whole(case, missing):
        return unknown(
            f"{listed} is left out of the optimizer as a whole: on purpose?",
            numbers,
            advice=["If so, freeze it (requires_grad_(False)), or give all optimizers: optimizer=[first, second]."],
        )
    return failed(f"{listed} is in no optimizer and will never move", numbers, advice=[_add(next(iter(missing)))])


def _strange(case: Case) -> list[Tensor]:
    known = {id(parameter) for parameter in case.model.parameters()}
    groups = [group for optimizer in case.optimizers for group in optimizer.param_groups]
    return [part for group in groups for part in group["params"] if id(part) not in known]


def _is_left_out_as_a_whole(case: Case, missing: Mapping[str, nn.Parameter]) -> bool:
    """The first layers, as those of a backbone are, or subnetworks of several layers, as those of a GAN are."""
    names = list(case.trainable)
    if list(missing) == names[: len(missing)]:
        return True
    children = {name.partition(".")[0] for name in missing}
    whole = all(name in missing for name in names if name.partition(".")[0] in children)
    return whole and all(_layers(case.model, child) > 1 for child in children)


def _layers(model: nn.Module, child: str) -> int:
    part = getattr(model, child, None)
    if not isinstance(part, nn.Module):
        return 0
    return sum(bool(list(module.parameters(recurse=False))) for module in part.modules())


def _hidden_and_used(trial: Trial, case: Case) -> list[str]:
    """Modules in plain containers that the loss depends on, and that no optimizer moves."""
    found = {
        name: [parameter for parameter in module.parameters() if parameter.requires_grad]
        for owner, holder in trial.model.named_modules()
        for key, value in vars(holder).items()
        if not key.startswith("_")
        for name, module in _modules_in(value, f"{owner}.{key}".strip("."))
    }
    known = {id(part) for part in trial.model.parameters()}
    known |= {id(p) for optimizer in trial.optimizers for group in optimizer.param_groups for p in group["params"]}
    hidden = {name: parts for name, parts in found.items() if parts and not any(id(part) in known for part in parts)}
    if not hidden:
        return []
    loss = trial.run(case.batch).loss
    if not loss.requires_grad:
        return []
    return [
        name for name, parts in hidden.items() if any(gradient is not None for gradient in trial.gradients(loss, parts))
    ]


def _modules_in(value: Any, path: str) -> Iterator[tuple[str, nn.Module]]:  # Any: whatever stands in an attribute
    parts = enumerate(value) if isinstance(value, (list, tuple)) else value.items() if isinstance(value, dict) else ()
    for key, part in parts:
        if isinstance(part, nn.Module):
            yield f"{path}[{key!r}]", part


def _add(name: str) -> str:
    holder = name.rpartition(".")[0] or "the model"
    return f"Was {holder} added after the optimizer was made? Make the optimizer later, or call add_param_group()."
