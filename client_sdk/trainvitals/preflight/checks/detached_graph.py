"""Whether the loss hangs together with the parameters."""

from __future__ import annotations

from typing import Final

import torch

from trainvitals.plain import text
from trainvitals.preflight.case import Case
from trainvitals.preflight.fitting import squared_norm
from trainvitals.preflight.verdict import UNFREEZE, Verdict, failed, passed, shown, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "check the inside"
SAMPLES: Final = 8
STEPS: Final = 4  # for weights of the first to be asked for again
TINY_RATE: Final = 1e-6
TANGLED: Final = ("modified by an inplace operation", "backward through the graph a second time")
ADVICE: Final = (
    "Look between model and loss for detach(), .data, .item(), .numpy(), argmax(), torch.no_grad() and "
    "torch.tensor(output): each of them cuts the graph."
)


def detached_graph(case: Case) -> Verdict:
    """The loss has a graph of its own at every step, and its gradient reaches at least one parameter.

    Source: exact, from autograd; a frequent fault in collections of PyTorch bugs.
    Cries wolf: where all is frozen on purpose; then it is unknown.
    """
    if not case.trainable:
        return unknown("all parameters are frozen: there is nothing to train", advice=[UNFREEZE])
    with case.trial() as trial:
        seen = trial.run(case.batch)
        if not seen.loss.requires_grad:
            return failed("the loss has no graph: backward() would fail, and nothing would be learnt", advice=[ADVICE])
        gradients = trial.gradients(seen.loss, trial.trainable())
    reached = sum(gradient is not None for gradient in gradients)
    if not reached:
        return failed("the loss's gradient reaches no parameter of the model", advice=[ADVICE])
    if error := _later_steps(case):
        said = f"a later step would raise: {error}"
        return failed(said, advice=["Detach what the model keeps from one step to the next: state = state.detach()."])
    norm = squared_norm(gradients) ** 0.5
    numbers = {"gradient norm": norm, "tensors reached": reached}
    return passed(f"the gradient reaches {reached} of {len(gradients)} tensors, its norm is {shown(norm)}", numbers)


def _later_steps(case: Case) -> str:
    """What autograd says when the graph of a step hangs on to that of the one before; "" if it does not."""
    with case.trial() as trial:
        try:
            for _ in range(STEPS):
                trial.step(case.few(SAMPLES), [torch.optim.SGD(trial.trainable(), lr=TINY_RATE)])
        except RuntimeError as error:
            if any(word in str(error) for word in TANGLED):
                return text(error, longest=160)
    return ""
