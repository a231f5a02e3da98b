"""Outputs that fade with depth: the last layers see next to nothing of the input."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.depth import ADVICE, steepest_stretch
from trainvitals_server.diagnosis.reading import EPS
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def activations_shrinking(
    window: Window, *, ratio: float = 1e-3, loss_fallen: float = 0.3, samples: int = 5
) -> Iterator[Symptom]:
    """Over a stretch of layers (the very last left out) outputs have a smaller standard deviation than those of the
    layer before, and the last of them under ``ratio`` of the first, in the median of the newest ``samples``
    snapshots. A warning while less than ``loss_fallen`` of the loss is gone, else worth knowing.

    Source: He et al., ICCV 2015 (variance over depth); TheDeepChecker (Ben Braiek & Khomh, TOSEM 2022).
    """
    stretch = steepest_stretch(window, grows=False, loss_fallen=loss_fallen, samples=samples)
    if stretch is None or stretch.ratio >= ratio:
        return
    ends = [stretch.layers[0], stretch.layers[-1]]
    yield Symptom(
        rule="activations_shrinking",
        severity=stretch.severity,
        summary=f"Outputs fade by a factor of {1 / max(stretch.ratio, EPS):.0e} from {ends[0]} to {ends[1]}",
        first_step=stretch.first_step,
        last_step=window.step,
        layers=stretch.layers,
        evidence=Evidence(
            stat="activation_std",
            layers=ends,
            value=stretch.ratio,
            is_drawn=False,
            threshold=ratio,
            comparison="<",
            first_step=stretch.first_step,
            last_step=window.step,
            numbers={"from": stretch.sizes[0], "to": stretch.sizes[1]},
        ),
        causes=("weights drawn too small for the activation", "depth without normalisation or residual connections"),
        advice=ADVICE,
    )
