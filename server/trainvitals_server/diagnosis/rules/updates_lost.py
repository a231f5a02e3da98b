"""Steps that are lost in rounding, as the weights are kept in half precision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import ill_since
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import in_depth, is_scheduled, loss_trend, typical, weighted
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

LEAST_STEP: Final = {"bfloat16": 2**-9, "float16": 2**-12}  # half a unit in the last place, as a share of the weight
REMEDIES: Final = ("kahan", "stochastic", "master")  # in the names of an optimizer's settings


def updates_lost(
    window: Window, *, share: float = 0.75, loss_fallen: float = 0.5, converged: float = 0.9, samples: int = 2
) -> Iterator[Symptom]:
    """Of the layers whose weights are kept in half precision the median one has more than ``share`` of its weights as
    they were after the step, though they have a gradient, in the newest ``samples`` looks. Silent in warm-up, in a
    schedule's tail, once ``converged`` of the loss is gone, and with optimizers that keep what is lost. A warning while
    less than ``loss_fallen`` of the loss is gone, else worth knowing.

    Source: Zamirai et al., "Revisiting BFloat16 Training", arXiv:2010.06192 (nearest rounding cancels small updates).
    """
    found, trend = in_depth(window, "lost_update_fraction", samples=samples), loss_trend(window.loss)
    columns = np.array([c for c in weighted(window) if window.info[window.layers[c]].dtype in LEAST_STEP], np.intp)
    if found is None or trend is None or not len(columns) or is_scheduled(window) or _is_made_up_for(window):
        return
    steps, lost = found[0], found[1][:, columns]
    each = typical(lost[-samples:])
    if not np.isfinite(each).any() or trend.fallen > converged:
        return
    middle = median(each[np.isfinite(each)])
    if middle <= share:
        return
    layers = tuple(window.layers[column] for column in columns[np.nan_to_num(each) > share])
    dtype = window.info[layers[0]].dtype
    looks = np.array([median(row[np.isfinite(row)]) for row in lost], np.float32)
    begun = ill_since(Series(steps=steps, values=looks), looks > share)
    yield Symptom(
        rule="updates_lost",
        severity="warning" if trend.fallen < loss_fallen and not trend.has_two_signs else "info",
        summary=f"A step leaves {middle:.0%} of the weights as they were: kept in {dtype}, they do not feel what is "
        f"under {LEAST_STEP[dtype]:.2%} of them",
        first_step=begun,
        last_step=window.step,
        layers=layers,
        evidence=Evidence(
            stat="lost_update_fraction",
            layers=list(layers[:5]),
            value=middle,
            threshold=share,
            first_step=begun,
            last_step=window.step,
            numbers={"lost": f"{middle:.0%}", "kept in": dtype, "loss": trend.course},
        ),
        causes=(f"weights in {dtype} without a float32 copy", "a learning rate too low for that precision"),
        advice=(
            "Keep the weights in float32 and compute in autocast: torch.autocast(device, dtype=torch.bfloat16).",
            "Or take an optimizer that rounds stochastically, sums by Kahan, or keeps float32 master weights.",
        ),
    )


def _is_made_up_for(window: Window) -> bool:
    """Whether an optimizer says that it keeps what rounding loses."""
    groups = [group.settings for optimizer in window.optimizers for group in optimizer.groups]
    return any(word in name.lower() for settings in groups for name in settings if settings[name] for word in REMEDIES)
