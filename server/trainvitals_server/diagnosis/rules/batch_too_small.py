"""Batches too small for what is computed over them, or for a gradient that says more than noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence, Severity
from trainvitals_server.diagnosis.facts import fact, middle, newest, validation_lags
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.pace import examples_in_a_step
from trainvitals_server.diagnosis.reading import in_depth
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

SAMPLES = 5
NOISE = "gradient_noise_scale"
NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")


def batch_too_small(
    window: Window, *, examples: int = 4, hardly_any: int = 2, noise: float = 20.0, points: int = 10
) -> Iterator[Symptom]:
    """Batch norm that learns from ``examples`` or fewer; a warning for ``hardly_any``, if a batch is rows
    of columns (into others more may be folded) or validation lags. Or a gradient noise scale of ``noise`` times the
    examples of a step (medians of ``points``): worth knowing at most, as larger batches save steps, and no examples.

    Source: Wu & He, "Group Normalization", arXiv:1803.08494, figure 1 (the error grows from 8 examples down);
    McCandlish et al., "An Empirical Model of Large-Batch Training", arXiv:1812.06162, section 2.2.
    """
    counts, labels = newest(window, "examples", SAMPLES), middle(window, "rows")
    usual = 0 if counts is None else int(max(median(counts), labels or 0.0))
    if 0 < usual <= examples and (norms := _norms_that_learn(window)):
        is_sure = fact(window, "input_column_ratio") is not None or validation_lags(window)
        summary = f"{len(norms)} batch norm layers learn mean and variance from batches of {usual}"
        summary += "" if is_sure else ", unless the network folds more into them"
        severity: Severity = "warning" if is_sure and usual <= hardly_any else "info"
        yield _symptom(window, summary, severity, "facts/examples", usual, examples + 1, norms)
    told, step = window.metrics.get(NOISE), examples_in_a_step(window)
    if told is None or step is None or len(told.values) < points or not np.isfinite(told.values[-points:]).all():
        return
    scale = median(told.values[-points:])
    if scale > noise * step:
        summary = f"The gradient's noise scale is {scale:,.0f} examples, a step has {step:,.0f}: most of it is noise"
        yield _symptom(window, summary, "info", NOISE, scale, noise * step)


def _norms_that_learn(window: Window) -> tuple[str, ...]:
    """Those whose running means move; before they are looked at, whose weights train. None that are shared."""
    looks = in_depth(window, "running_drift", samples=1)
    norms = [(column, window.info[name]) for column, name in enumerate(window.layers) if name in window.info]
    return tuple(
        layer.name
        for column, layer in norms
        if layer.kind in NORMS and (layer.trainable > 0 if looks is None else looks[1][-1, column] > 0)
    )


def _symptom(
    window: Window, said: str, severity: Severity, metric: str, value: float, line: float, layers: tuple[str, ...] = ()
) -> Symptom:  # fmt: skip
    return Symptom(
        rule="batch_too_small",
        severity=severity,
        summary=said,
        first_step=int(window.metrics[metric].steps[0]),
        last_step=window.step,
        layers=layers,
        key="" if layers else "noise",
        evidence=Evidence(
            metric=metric, layers=list(layers[:5]), value=value, threshold=line, comparison="<" if layers else ">",
            first_step=int(window.metrics[metric].steps[0]), last_step=window.step,
        ),
        causes=("memory that holds no more", "a batch_size meant for one of many processes"),
        advice=(
            "Batch norm: take GroupNorm or LayerNorm instead, or SyncBatchNorm over processes.",
            "Accumulate gradients over more passes (which does not help batch norm), or enlarge the batch.",
        ),
    )  # fmt: skip
