"""Whether the loss hangs together with the parameters."""

from __future__ import annotations

from typing import Final

from trainvitals.preflight.case import Case
from trainvitals.preflight.fitting import squared_norm
from trainvitals.preflight.verdict import UNFREEZE, Verdict, failed, passed, shown, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "check the inside"
ADVICE: Final = (
    "Look between model and loss for detach(), .data, .item(), .numpy(), argmax(), torch.no_grad() and "
    "torch.tensor(output): each of them cuts the graph."
)


def detached_graph(case: Case) -> Verdict:
    """The loss has a graph, and its gradient reaches at least one parameter, as a number.

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
    norm = squared_norm(gradients) ** 0.5
    numbers = {"gradient norm": norm, "tensors reached": reached}
    return passed(f"the gradient reaches {reached} of {len(gradients)} tensors, its norm is {shown(norm)}", numbers)
