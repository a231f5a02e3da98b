"""Inputs of a scale that a fresh network cannot work with."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import ADAPTS, begins_far_off, fact, harm_of, middle, nothing_learnt
from trainvitals_server.diagnosis.reading import word
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def inputs_not_normalised(
    window: Window, *, large: float = 10.0, small: float = 0.01, uneven: float = 100.0, after_steps: int = 100
) -> Iterator[Symptom]:
    """The root mean square of the first batch lies above ``large`` or below ``small``, or its columns' spreads differ
    more than ``uneven`` times. A warning only with a consequence: a first loss far above chance (of a regression, first
    guesses all over the place), or nothing learnt after ``after_steps`` steps; else worth knowing.

    Source: LeCun et al., "Efficient BackProp", 1998; UMLAUT (Schoop et al., 2021) warns of the range alone.
    """
    means, stds, ratio = fact(window, "input_mean"), fact(window, "input_std"), middle(window, "input_column_ratio")
    carrying = [layer for layer in window.info.values() if layer.parameters]
    if means is None or stds is None or not carrying or any(kind in carrying[0].kind for kind in ADAPTS):
        return
    size = math.hypot(float(means.values[0]), float(stds.values[0]))
    is_uneven = ratio is not None and np.isfinite(ratio) and ratio > uneven
    if not math.isfinite(size) or (small <= size <= large and not is_uneven) or size == 0.0:
        return
    far_off, lost = begins_far_off(window), nothing_learnt(window, after_steps=after_steps)
    scale = f"the batch has numbers of size {size:.3g}" if not small <= size <= large else "columns are of unequal size"
    apart = f", spreads that differ {ratio:,.0f} times" if is_uneven else ""
    yield Symptom(
        rule="inputs_not_normalised",
        severity="warning" if far_off or lost else "info",
        summary=f"Inputs are not normalised: {scale}{apart}; {harm_of(lost=lost, far_off=far_off)}",
        first_step=int(means.steps[0]),
        last_step=window.step,
        layers=(carrying[0].name,),
        evidence=Evidence(
            metric="facts/input_std",
            value=size,
            threshold=small if size < small else large,
            comparison="<" if size < small else ">",
            first_step=int(means.steps[0]),
            last_step=window.step,
            numbers={
                "root mean square": size,
                "largest number": word(middle(window, "input_max") or 0.0),
                "largest ∕ smallest spread of a column": word(ratio) if ratio is not None else "not known",
            },
        ),
        causes=("raw pixels, counts or measures of different units",),
        advice=(
            "Standardise by the training set: x = (x - mean) / std, a column at a time.",
            "Pictures: x.float() / 255, or torchvision.transforms.Normalize.",
            "Or let the network do it: begin with torch.nn.BatchNorm1d(features, affine=False).",
        ),
    )
