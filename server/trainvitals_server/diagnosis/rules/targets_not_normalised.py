"""Targets of a regression that are far from what a fresh network answers."""

from __future__ import annotations

import math
from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import fact, loss_function, middle
from trainvitals_server.diagnosis.reading import word
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

REGRESSIONS = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"})


def targets_not_normalised(
    window: Window, *, large: float = 10.0, small: float = 0.01, learnt: float = 0.3, after_steps: int = 100
) -> Iterator[Symptom]:
    """The root mean square of the first targets lies above ``large`` or their spread below ``small``. A warning only
    with a consequence: after ``after_steps`` steps the predictions have not come within half a spread of the targets'
    mean, or do not spread by ``learnt`` of the targets' spread, or the loss is not finite; else worth knowing.

    Source: LeCun et al., "Efficient BackProp", 1998; TheDeepChecker (Ben Braiek & Khomh, 2022), output ranges.
    """
    means, stds = fact(window, "target_mean"), fact(window, "target_std")
    if means is None or stds is None or loss_function(window) not in REGRESSIONS:
        return
    size, spread = math.hypot(float(means.values[0]), float(stds.values[0])), float(stds.values[0])
    if not math.isfinite(size) or not (size > large or 0 < spread < small):
        return
    ours, ours_spread, loss = (middle(window, name) for name in ("prediction_mean", "prediction_std", "loss"))
    centre, typical = middle(window, "target_mean"), middle(window, "target_std")
    is_blown = loss is not None and not math.isfinite(float(window.metrics["facts/loss"].values[-1]))
    is_far = None not in (ours, ours_spread, centre, typical) and (
        abs(ours - centre) > 0.5 * typical or not ours_spread >= learnt * typical  # type: ignore[operator]  # none is None
    )
    is_ill = is_blown or (window.step >= after_steps and is_far)
    harm = "the loss is not finite" if is_blown else "predictions are still elsewhere" if is_ill else "no harm is seen"
    yield Symptom(
        rule="targets_not_normalised",
        severity="warning" if is_ill else "info",
        summary=f"Targets are not normalised: they lie around {means.values[0]:.4g} ± {spread:.3g}, where a fresh "
        f"network answers about 0; {harm}",
        first_step=int(means.steps[0]),
        last_step=window.step,
        evidence=Evidence(
            metric="facts/target_mean",
            value=size,
            is_drawn=False,
            threshold=large if size > large else small,
            comparison=">" if size > large else "<",
            first_step=int(means.steps[0]),
            last_step=window.step,
            numbers={
                "targets": f"{means.values[0]:.4g} ± {spread:.3g}",
                "predictions now": f"{word(ours or 0.0)} ± {word(ours_spread or 0.0)}",
            },
        ),
        causes=("targets in units of the world: prices, years, pixels",),
        advice=(
            "Train on (y - mean) / std of the training set, and undo it where you predict.",
            "Or begin there: torch.nn.init.constant_(head.bias, mean), and log(y) for prices and counts.",
        ),
    )
