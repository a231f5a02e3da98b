"""A sudden jump of the loss that goes back, or does not."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.spikes import find_spike
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

CAUSES = ("a batch with broken or unusual data", "an update too large just before")
SLOW = "second moments too slow (β₂)"
ADVICE = (
    "Look at the batches of the steps named here.",
    "Clip gradients: torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).",
)
FASTER = "Lower β₂: betas=(0.9, 0.95)."


def loss_spike(
    window: Window,
    *,
    past: int = 64,
    sigmas: float = 8.0,
    outliers: float = 2.5,
    share_of_start: float = 0.1,
    recent: int = 128,
) -> Iterator[Symptom]:
    """A point among the newest ``recent`` that lies ``sigmas`` robust deviations and ``share_of_start`` of the starting
    loss above the median of the ``past`` points before it, and ``outliers`` times as far above it as the highest of
    them, with at most ten such points in a row; or more, if all have come back and at most ten were above a tenth of
    the highest.

    The newest point is never part of its own past. Source: Wortsman et al., 2023 ("stable and low-precision training")
    for spikes as deviations from a running mean; median and MAD in place of mean and deviation.
    """
    spike = find_spike(
        window.loss, past=past, sigmas=sigmas, outliers=outliers, share_of_start=share_of_start, recent=recent
    )
    if spike is None:
        return
    has_second_moments = any("Adam" in optimizer.kind for optimizer in window.optimizers)
    back = "one point" if spike.length == 1 else f"{spike.length} points"
    yield Symptom(
        rule="loss_spike",
        severity="info" if spike.recovered or spike.length == 1 else "warning",
        summary=f"The loss jumped from {spike.before:.4g} to {spike.peak:.4g}"
        + (f" and came back after {back}" if spike.recovered else " and has not come back yet"),
        first_step=spike.first_step,
        last_step=spike.last_step,
        evidence=Evidence(
            metric=window.loss_name,
            value=spike.peak,
            threshold=spike.line,
            comparison=">",
            first_step=spike.first_step,
            last_step=spike.last_step,
            numbers={"before": spike.before, "peak": spike.peak, "usual noise": spike.noise},
        ),
        causes=(*CAUSES, SLOW) if has_second_moments else CAUSES,
        advice=(*ADVICE, FASTER) if has_second_moments else ADVICE,
        is_event=True,
    )
