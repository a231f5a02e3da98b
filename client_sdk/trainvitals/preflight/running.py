"""Runs the checks within their time, and makes the report; what a check raises is told, not raised."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import nn
from torch.optim import Optimizer

from trainvitals.plain import text
from trainvitals.preflight.case import Case
from trainvitals.preflight.catalogue import Check, all_checks
from trainvitals.preflight.report import Preflight
from trainvitals.preflight.trial import can_be_copied, inner
from trainvitals.preflight.untouched import same_random_numbers, untouched
from trainvitals.preflight.verdict import Verdict, unknown
from trainvitals.wire.preflight import MAX_TEXT, PreflightCheck

FAILED: Final = "it could not be looked at:"


def run_preflight(
    model: nn.Module,
    loss_fn: Callable[..., Any] | None,
    batch: Any,
    optimizer: Optimizer | Sequence[Optimizer] | None = None,
    num_classes: int | None = None,
    *,
    forward: Callable[[nn.Module, Any], Any] | None = None,
    seconds: float = 20.0,
    clock: Callable[[], float] = time.perf_counter,
    checks: Sequence[Check] | None = None,
) -> Preflight:
    """See ``trainvitals.preflight``. ``checks``: None, all there are. Raises ValueError."""
    _check_arguments(model, loss_fn, batch, forward, num_classes=num_classes, seconds=seconds)
    begun = clock()
    modules = [part for part in (inner(model), loss_fn, forward) if isinstance(part, nn.Module)]
    optimizers = _listed(optimizer)
    with same_random_numbers(), untouched(modules, optimizers), torch.inference_mode(False), torch.enable_grad():
        case = Case(
            model, loss_fn, batch,
            optimizers=optimizers, num_classes=num_classes, forward=forward, clock=clock,
        )  # fmt: skip
        checks = all_checks() if checks is None else checks
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = _look(case, checks, until=begun + seconds)
            copied = can_be_copied(case.model)
    results = tuple(_told(check, found[check.name]) for check in checks)
    note = "" if copied else "this model cannot be copied: checks ran on itself, and restored it"
    return Preflight(model=type(case.model).__name__, seconds=clock() - begun, note=note, checks=results)


def _look(case: Case, checks: Sequence[Check], *, until: float) -> dict[str, Verdict]:
    """The quick ones first; the others share what is left of the time, and what those before them did not use."""
    found: dict[str, Verdict] = {}
    quick = [check for check in checks if not check.share]
    slow = [check for check in checks if check.share]
    for check in quick:
        case.deadline = until
        found[check.name] = _guarded(case, check)
    for place, check in enumerate(slow):
        now = case.clock()
        case.deadline = now + (until - now) * check.share / sum(other.share for other in slow[place:])
        found[check.name] = _guarded(case, check)
    return _each_error_once({check.name: found[check.name] for check in checks})


def _each_error_once(found: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """One error in the model or the loss stops most checks: only the first tells it."""
    first: dict[str, str] = {}
    for name, verdict in found.items():
        if verdict.summary.startswith(FAILED):
            first.setdefault(verdict.summary, name)
    return {
        name: verdict
        if (teller := first.get(verdict.summary, name)) == name
        else unknown(f"it could not be looked at, as {teller.replace('_', ' ')}: the error is the same")
        for name, verdict in found.items()
    }


def _guarded(case: Case, check: Check) -> Verdict:
    if case.late:
        return unknown("there was no time left", advice=["Give more of it: seconds=60."])
    try:
        return check.look(case)
    except Exception as error:  # noqa: BLE001  # the border: a check may fail, the others go on
        said = f"{FAILED} {type(error).__name__}: {text(error, longest=300)}"
        return unknown(
            said,
            advice=[
                "If the training raises that, too, mend it first; if it calls the model in another way, give forward=."
            ],
        )


def _told(check: Check, verdict: Verdict) -> PreflightCheck:
    return PreflightCheck(
        name=check.name,
        stage=check.stage,
        status=verdict.status,
        summary=text(verdict.summary, longest=MAX_TEXT),
        numbers={label: value if isinstance(value, str) else float(value) for label, value in verdict.numbers.items()},
        advice=[text(line, longest=MAX_TEXT) for line in verdict.advice],
    )


def _listed(optimizer: Optimizer | Sequence[Optimizer] | None) -> list[Optimizer]:
    if optimizer is None:
        return []
    return list(optimizer) if isinstance(optimizer, Sequence) else [optimizer]


def _check_arguments(
    model: Any, loss_fn: Any, batch: Any, forward: Any, *, num_classes: int | None, seconds: float
) -> None:
    if not isinstance(model, nn.Module):
        raise ValueError(f"model is a {type(model).__name__}: a torch.nn.Module is needed")
    if forward is None and not callable(loss_fn):
        raise ValueError("loss_fn is not callable: give loss_fn(output, targets), or forward=, (model, batch) → loss")
    if forward is not None and not callable(forward):
        raise ValueError("forward is not callable: it takes model and batch, and returns the loss")
    is_pair = isinstance(batch, (list, tuple)) and len(batch) == 2
    if forward is None and not is_pair and not isinstance(batch, Mapping):
        raise ValueError(
            "batch is no pair: give (inputs, targets), a mapping for model(**batch), or forward=, (model, batch) → loss"
        )
    if num_classes is not None and num_classes < 2:
        raise ValueError(f"num_classes={num_classes}: there are at least two, or it is no classification")
    if not seconds > 0:
        raise ValueError(f"seconds={seconds}: the checks need some time")
