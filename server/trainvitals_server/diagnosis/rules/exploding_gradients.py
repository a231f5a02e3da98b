"""Gradients that grow far beyond their own past."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import MAD_TO_SIGMA, before_clipping, suffers, weighted
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

MOST_LINE = 2.5  # decades: beyond them it is an explosion, however restless the norm was
CAUSES = (
    "a learning rate too high for this phase",
    "no gradient clipping in a deep or recurrent network",
    "a batch with broken data",
)
ADVICE = (
    "Clip: torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0), at about the 90th percentile of "
    "the healthy norm.",
    "Divide the learning rate by 3, and warm it up over the first steps.",
    "Look at the batch of the first step named here.",
)


def exploding_gradients(
    window: Window, *, growth: float = 100.0, sigmas: float = 6.0, samples: int = 2, past: int = 16
) -> Iterator[Symptom]:
    """The gradient norm over all layers, before clipping, above ``growth`` times its median and ``sigmas`` robust
    deviations (log scale) for the newest ``samples`` snapshots, while the loss is worse than it was at its best.

    Source: Pascanu, Mikolov & Bengio, ICML 2013; robust deviations on the log scale because norms are log-normal.
    """
    norms = window.stats.get("grad_norm")
    columns = weighted(window, least=1)
    if norms is None or len(norms) < samples + past or not len(columns):
        return
    squares = np.square(norms[:, columns].astype(np.float64))
    squares[~np.isfinite(squares)] = 0.0
    total = before_clipping(window, np.sqrt(squares.sum(axis=1)))
    finite = total > 0
    if finite.sum() < samples + past:
        return
    steps, total, squares = window.steps[finite], total[finite], squares[finite]
    logs = np.log10(total)
    before, newest = logs[:-samples], logs[-samples:]
    middle = median(before)
    spread = max(MAD_TO_SIGMA * median(np.abs(before - middle)), 0.05)
    line = max(np.log10(growth), min(sigmas * spread, MOST_LINE))
    if float(newest.min()) - middle < line or not suffers(window):
        return
    share = squares[-1] / max(float(squares[-1].sum()), 1e-30)
    leading = [window.layers[column] for column in columns[np.argsort(share)[::-1]][:5]]
    times = 10 ** (float(newest[-1]) - middle)
    yield Symptom(
        rule="exploding_gradients",
        severity="critical",
        summary=f"The gradient norm is {times:,.0f} times its usual size for {samples} snapshots, led by {leading[0]}",
        first_step=int(steps[-samples]),
        last_step=window.step,
        layers=tuple(leading),
        evidence=Evidence(
            stat="grad_norm",
            layers=leading,
            value=float(total[-1]),
            is_drawn=False,
            threshold=float(10 ** (middle + line)),
            comparison=">",
            first_step=int(steps[-samples]),
            last_step=window.step,
            numbers={"gradient norm": float(total[-1]), "usual": float(10**middle)},
        ),
        causes=CAUSES,
        advice=ADVICE,
    )
