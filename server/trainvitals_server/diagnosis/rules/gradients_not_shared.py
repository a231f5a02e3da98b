"""Ranks that train together and do not share their gradients: each trains a model of its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.ranks import common
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

CAUSES = (
    "the model is not wrapped in DistributedDataParallel, or the module within is called rather than the wrapper",
    "no_sync() is not left before the last backward pass of a step",
    "parameters were replaced or unfrozen after the wrapper was made",
)
ADVICE = (
    "Wrap the model (DistributedDataParallel(model)) and call the wrapper: model(batch), never model.module(batch).",
    "Under gradient accumulation, have no_sync() around all backward passes but the last.",
    "Where ranks are meant to train apart for a while (local SGD), mute this rule.",
)


SHARDED = "FullyShardedDataParallel"
WRAPPED = "_fsdp_wrapped_module"


def gradients_not_shared(
    window: Window, *, points: int = 8, tolerance: float = 0.01, steadily: float = 0.8
) -> Iterator[Symptom]:
    """The gradient's norm, as the optimizer sees it, differs between ranks by more than ``tolerance``, in ``steadily``
    of the samples, ``points`` or more, while their losses differ, too: each has data of its own, as in data parallel
    training, where gradients are averaged over ranks before the step and hence equal in all of them. Models wrapped in
    FullyShardedDataParallel are left out.

    Source: Li et al., "PyTorch Distributed", VLDB 2020 (section 2.2: replicas stay equal by equal gradients).
    """
    norms, losses = common(window.ranks.get("grad_norm")), common(window.loss_of_ranks)
    if norms is None or losses is None or len(norms.steps) < points or not len(losses.steps):
        return
    if any(layer.kind == SHARDED or WRAPPED in layer.name for layer in window.info.values()):
        return  # each rank has the norm of its own shard
    if norms.ranks != losses.ranks or np.mean(_spread(losses.values) > 1e-6) < steadily:
        return
    spread = _spread(norms.values)
    if np.mean(spread > tolerance) < steadily:
        return
    first, last = int(norms.steps[0]), int(norms.steps[-1])
    yield Symptom(
        rule="gradients_not_shared",
        severity="critical",
        summary=f"The gradient's norm differs between the {len(norms.ranks)} ranks, by {median(spread):.0%}: "
        "gradients are not averaged, and each rank trains a model of its own",
        first_step=first,
        last_step=last,
        evidence=Evidence(
            metric="grad_norm",
            value=median(spread),
            is_drawn=False,
            threshold=tolerance,
            first_step=first,
            last_step=last,
            numbers={
                f"rank {rank}": float(value) for rank, value in zip(norms.ranks, norms.values[:, -1], strict=True)
            },
        ),
        causes=CAUSES,
        advice=ADVICE,
    )


def _spread(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Largest less smallest over ranks, relative to the largest: [ranks, n] to [n]."""
    wide = values.astype(np.float64)
    apart: NDArray[np.float64] = (wide.max(axis=0) - wide.min(axis=0)) / np.maximum(np.abs(wide).max(axis=0), 1e-30)
    return apart
