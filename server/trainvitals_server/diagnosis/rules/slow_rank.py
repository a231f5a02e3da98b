"""A rank whose own work takes longer than that of the others, who wait for it at every step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median, medians
from trainvitals_server.diagnosis.ranks import common
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

PHASES: Final = {"seconds/data": "waits for data", "seconds/forward": "computes its forward pass"}
CAUSES = {
    "seconds/data": ("fewer or slower data loader workers there, or a slower disk or network", "larger samples"),
    "seconds/forward": ("a slower, hotter or shared device", "longer sequences or larger batches", "a busy processor"),
}
ADVICE = (
    "Look at that rank's machine: other processes, the device's clock and temperature, the disk that it reads from.",
    "Balance what ranks are given: sort or bucket samples by length, shard files evenly.",
    "Raise num_workers and prefetch_factor of the DataLoader where the time goes into waiting for data.",
)


def slow_rank(window: Window, *, share: float = 0.2, points: int = 8, steadily: float = 0.8) -> Iterator[Symptom]:
    """A rank that in the newer half of the run, ``points`` of its samples or more, waits for data or computes forward
    longer than the median of the others by ``share`` of a whole step, in ``steadily`` of the samples; of rank 0 the
    forward pass alone is judged.

    In synchronous training all ranks wait for the slowest, inside their backward pass, so that what is over is lost by
    all. Source: Jiang et al., "MegaScale", NSDI 2024 (section 5: stragglers told from their computation times).
    """
    total = sum(
        float(np.nanmedian(window.metrics[name].values))
        for name in ("seconds/data", "seconds/forward", "seconds/backward", "seconds/optimizer")
        if name in window.metrics and len(window.metrics[name].values)
    )
    for phase, word in PHASES.items():
        told = common(window.ranks.get(phase))
        if told is None or not total or len(told.steps) < 2 * points:
            continue
        newer = told.values[:, len(told.steps) // 2 :]
        for row, rank in enumerate(told.ranks):
            others = medians(np.delete(newer, row, axis=0), axis=0)
            beyond = newer[row] - others
            if rank == 0 and phase == "seconds/data":
                continue  # it saves, evaluates and logs there, where the script has it do so
            if np.mean(beyond > share * total) < steadily:
                continue
            lost = median(beyond)
            yield Symptom(
                rule="slow_rank",
                key=f"{phase} {rank}",
                severity="warning",
                summary=f"Rank {rank} {word} {lost:.3g} s longer than the others in each step, {lost / total:.0%} of a "
                "step that all of them wait for",
                first_step=int(told.steps[len(told.steps) // 2]),
                last_step=int(told.steps[-1]),
                evidence=Evidence(
                    metric=phase,
                    value=median(newer[row]),
                    threshold=median(others) + share * total,
                    first_step=int(told.steps[len(told.steps) // 2]),
                    last_step=int(told.steps[-1]),
                    numbers={"rank": rank, "the others' median": median(others), "whole step": total},
                ),
                causes=CAUSES[phase],
                advice=ADVICE,
            )
