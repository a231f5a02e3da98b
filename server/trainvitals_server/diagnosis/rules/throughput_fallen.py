"""A training that has become much slower than it was."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median, medians
from trainvitals_server.diagnosis.pace import PHASES, seconds_of_phases, trained_alone
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

METRIC = "examples_per_second"
FIRST = 5  # samples, in which memory is found and a device gets ahead of its host
WORDS = dict(zip(PHASES, ("waiting for data", "the forward pass", "the backward pass", "the optimizer"), strict=True))
ADVICE = {
    PHASES[0]: "Look at the loader, the disk and the network, and at what the script does between its steps.",
    PHASES[1]: "Look for what grows from step to step: hooks, lists, a cache that is searched, longer inputs.",
    PHASES[2]: "Look for a graph that grows: detach() what is kept from earlier steps.",
    PHASES[3]: "Look for parameters that were added, and for what is done in hooks of the optimizer.",
}


def throughput_fallen(
    window: Window, *, share: float = 0.5, points: int = 10, lasting: float = 0.9, least_seconds: float = 0.005
) -> Iterator[Symptom]:
    """In the newest ``points`` samples between which nothing was validated, nearly all (``lasting``) of them, fewer
    examples a second were learnt than ``share`` of what a quarter of the samples before exceeded, and a step has become
    ``least_seconds`` longer. A warning if it is the data that are waited for; what else grows may be meant, as longer
    sequences are.

    Source: He et al., "Unicron", 2024, and Jiang et al., "MegaScale", NSDI 2024, on performance that decays silently.
    """
    speed = window.metrics.get(METRIC)
    if speed is None:
        return
    alone = trained_alone(window, speed.steps) & np.isfinite(speed.values)
    steps, rates = speed.steps[alone][FIRST:], speed.values[alone][FIRST:].astype(np.float64)
    if len(rates) < 2 * points:
        return
    usual, now = float(np.quantile(rates[:-points], 0.75)), median(rates[-points:])
    if np.mean(rates[-points:] < share * usual) < lasting:
        return
    begun = int(steps[np.flatnonzero(rates[:-points] >= share * usual)[-1] + 1])
    told, seconds = seconds_of_phases(window)
    then, lately = seconds[(told < begun)][FIRST:], seconds[told >= int(steps[-points])]
    if not len(then) or not len(lately):
        return
    grown = dict(zip(PHASES, (medians(lately, axis=0) - medians(then, axis=0)).tolist(), strict=True))
    most = max(grown, key=grown.__getitem__)
    if sum(grown.values()) < least_seconds:
        return
    yield Symptom(
        rule="throughput_fallen",
        severity="warning" if most == PHASES[0] else "info",
        summary=f"{now:,.3g} examples a second, where {usual:,.3g} were usual: what has grown is {WORDS[most]}, by "
        f"{grown[most] * 1000:,.3g} ms a step",
        first_step=begun,
        last_step=window.step,
        evidence=Evidence(
            metric=METRIC, value=now, threshold=share * usual, comparison="<", first_step=begun, last_step=window.step,
            numbers={"usual": usual, "now": now}
            | {f"more seconds: {WORDS[phase]}": more for phase, more in grown.items()},
        ),
        causes=("something that grows from step to step", "a machine that is shared, or hot", "larger examples"),
        advice=(ADVICE[most],),
    )  # fmt: skip
