"""Whether every parameter that is to be trained gets a gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from torch import nn

from trainvitals.preflight.case import Case
from trainvitals.preflight.trial import Trial
from trainvitals.preflight.verdict import UNFREEZE, Verdict, failed, passed, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "check the inside"
FEW: Final = 0.05  # of all trainable values: a head that a pre-trained model brings along is no fault
MOST_NAMED: Final = 5


def parameters_without_gradient(case: Case) -> Verdict:
    """No parameter that an optimizer holds is left without a gradient.

    Source: exact, from autograd. "Passed" says that a gradient arrives, not that it is large enough.
    Cries wolf: heads of other tasks, experts that were not chosen, parts that come with a pre-trained model (a pooler).
    Hence failed only where the layer takes part in the forward pass and the graph is cut behind it, or where a
    considerable part of what the optimizer holds is never called and has no siblings that are.
    """
    if not case.trainable:
        return unknown("all parameters are frozen: there is nothing to train", advice=[UNFREEZE])
    with case.trial() as trial:
        called = _called(trial, case)
        silent = _silent(trial, case)
        if silent is None:
            return unknown("the loss has no graph at all", advice=["See detached graph."])
        wanted = trial.trainable()
    if not silent:
        return passed(f"all {len(wanted)} tensors that are to be trained get a gradient", {"tensors": len(wanted)})
    owners = {name: name.rpartition(".")[0] for name in silent}
    cut = [name for name in silent if owners[name] in called]
    share = sum(map(_values, silent.values())) / max(1, sum(map(_values, wanted)))
    numbers = {"tensors without gradient": len(silent), "share of all values": share}
    said = f"{_some(list(silent))} {'gets' if len(silent) == 1 else 'get'} no gradient ({share:.1%} of all values)"
    if not case.optimizers:
        return unknown(said, numbers, advice=["Give optimizer=, which says what is meant to be trained."])
    if cut:
        where = f"{_some(sorted({owners[name] or 'the model' for name in cut}))} took part in the forward pass"
        return failed(f"{said}, although {where}", numbers, advice=[_look_behind()])
    if share < FEW or all(_has_called_sibling(owner, called) for owner in owners.values()):
        return unknown(f"{said}: never called", numbers, advice=[_freeze(list(silent)), "Else call it in forward()."])
    return failed(f"{said}: never called in the forward pass", numbers, advice=["Call it in forward(), or freeze it."])


def _called(trial: Trial, case: Case) -> set[str]:
    """The names of modules that took part in a pass."""
    called: set[str] = set()
    handles = [
        module.register_forward_hook(lambda module, inputs, output, name=name: called.add(name))
        for name, module in trial.model.named_modules()
    ]
    trial.run(case.batch)
    for handle in handles:
        handle.remove()
    return called


def _silent(trial: Trial, case: Case) -> dict[str, nn.Parameter] | None:
    """The parameters without a gradient, by name; None where there is no graph."""
    loss = trial.run(case.batch).loss
    if not loss.requires_grad:
        return None
    wanted = {id(parameter) for parameter in trial.trainable()}
    named = {name: part for name, part in trial.model.named_parameters() if id(part) in wanted}
    gradients = trial.gradients(loss, list(named.values()))
    return {name: part for (name, part), gradient in zip(named.items(), gradients, strict=True) if gradient is None}


def _has_called_sibling(owner: str, called: set[str]) -> bool:
    """Whether one of the list or dictionary that the module stands in was called: experts, heads of several tasks."""
    parts = owner.split(".")
    fathers = [".".join(parts[: depth + 1]) for depth in range(len(parts) - 1)]
    return any(name.startswith(f"{father}.") for father in fathers for name in called)


def _values(parameter: nn.Parameter) -> int:
    return parameter.numel()


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _look_behind() -> str:
    return (
        "Look between these layers and the loss for detach(), torch.no_grad(), argmax() or an output that is computed "
        "and not used."
    )


def _freeze(names: Sequence[str]) -> str:
    return f"If that is meant, freeze it, and leave it out of the optimizer: model.{names[0]}.requires_grad_(False)"
