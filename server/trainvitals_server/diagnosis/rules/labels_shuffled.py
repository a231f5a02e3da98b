"""Labels that seem to have nothing to do with the inputs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.by_heart import learnt_by_heart
from trainvitals_server.diagnosis.facts import classifies, fact, is_stuck, middle, newest, nothing_learnt
from trainvitals_server.diagnosis.reading import recent, typical, weighted
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.usual_rates import FAR, far_beyond
from trainvitals_server.diagnosis.window import Window

CAUSES = (
    "inputs and labels shuffled apart, or joined in different orders",
    "a target that the inputs do not tell",
    "a plateau that ends later",
)
ADVICE = (
    "Print ten inputs with their labels just before they enter the network, and look whether they fit.",
    "Overfit one batch: if that works, network and loss are sound, and the data are not.",
)


def labels_shuffled(
    window: Window,
    *,
    samples: int = 8,
    after_steps: int = 120,
    gained: float = 0.05,
    least_update: float = 1e-4,
    most_update: float = 0.03,
    dead: float = 0.99,
    evaluations: int = 4,
    learnt: float = 0.95,
) -> Iterator[Symptom]:
    """The training loss is under ``learnt`` of chance, and that of the validation never was in ``evaluations``. Or weak
    evidence, what is left when nothing else is wrong: after ``after_steps`` steps a classifier's loss is at chance and
    falls no more, and over ``samples`` looks it is right hardly more often than who always says the commonest label
    (``gained``), although updates are neither tiny nor huge (``least_update``, ``most_update``) and no layer ``dead``.

    Source: Zhang et al., "Understanding deep learning requires rethinking generalization", 2017; Karpathy's recipe.
    """
    if (by_heart := learnt_by_heart(window, evaluations=evaluations, learnt=learnt, gained=gained)) is not None:
        yield by_heart
        return
    accuracy, majority = newest(window, "accuracy", samples), newest(window, "label_majority", samples)
    first, ratios = fact(window, "loss"), recent(window, "update_ratio")
    if accuracy is None or majority is None or first is None or ratios is None or not classifies(window):
        return
    if not (nothing_learnt(window, after_steps=after_steps) and is_stuck(window, after_steps=after_steps)):
        return
    shares = [recent(window, stat) for stat in ("zero_fraction", "relu_zero_fraction")]
    if any(zeros is not None and np.nanmax(typical(zeros), initial=0.0) > dead for zeros in shares):
        return
    update = float(np.nanmedian(typical(ratios)[columns])) if len(columns := weighted(window)) else np.nan
    are_sound = least_update < update < most_update and not far_beyond(window, times=FAR)
    if not are_sound or accuracy.mean() > majority.mean() + gained or majority.mean() > 0.9:
        return
    loss, chance = middle(window, "loss", samples), middle(window, "chance")
    yield Symptom(
        rule="labels_shuffled",
        severity="info",
        summary=f"Nothing is learnt after {window.step:,} steps (accuracy {accuracy.mean():.0%}, loss {loss:.3g} where "
        f"chance has {chance:.3g}) although gradients and updates are sound: perhaps labels do not belong to inputs",
        first_step=int(first.steps[0]),
        last_step=window.step,
        evidence=Evidence(
            metric=window.loss_name, value=loss, first_step=int(first.steps[0]), last_step=window.step,
            numbers={"chance": f"{chance:.3g}", "accuracy": f"{accuracy.mean():.1%}",
                     "of the commonest label": f"{majority.mean():.1%}", "typical update ratio": update},
        ),
        causes=CAUSES, advice=ADVICE,
    )  # fmt: skip
