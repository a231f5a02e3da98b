"""Outputs that grow with depth until they leave the range that can be learnt in."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.depth import ADVICE, steepest_stretch
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

NORMALISED = 1.0  # the standard deviation that normalisation gives


def activations_growing(
    window: Window, *, ratio: float = 1e3, loss_fallen: float = 0.3, samples: int = 5
) -> Iterator[Symptom]:
    """Over a stretch of layers (the very last left out) outputs have a larger standard deviation than those of the
    layer before, and the last of them above ``ratio`` times the first, in the median of the newest ``samples``
    snapshots; and it ends above 1: what comes back to that had vanished, which is another ill.
    A warning while less than ``loss_fallen`` of the loss is gone, else worth knowing.

    Source: He et al., ICCV 2015 (variance over depth); TheDeepChecker (Ben Braiek & Khomh, TOSEM 2022).
    """
    stretch = steepest_stretch(window, grows=True, loss_fallen=loss_fallen, samples=samples)
    if stretch is None or stretch.ratio <= ratio or stretch.sizes[1] <= NORMALISED:
        return
    ends = [stretch.layers[0], stretch.layers[-1]]
    yield Symptom(
        rule="activations_growing",
        severity=stretch.severity,
        summary=f"Outputs grow by a factor of {stretch.ratio:.0e} from {ends[0]} to {ends[1]}",
        first_step=stretch.first_step,
        last_step=window.step,
        layers=stretch.layers,
        evidence=Evidence(
            stat="activation_std",
            layers=ends,
            value=stretch.ratio,
            is_drawn=False,
            threshold=ratio,
            comparison=">",
            first_step=stretch.first_step,
            last_step=window.step,
            numbers={"from": stretch.sizes[0], "to": stretch.sizes[1]},
        ),
        causes=(
            "weights drawn too large for the activation",
            "depth without normalisation",
            "residual branches that add up",
        ),
        advice=ADVICE,
    )
