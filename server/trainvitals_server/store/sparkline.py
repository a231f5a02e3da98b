"""The loss as a handful of means, kept on the run's row so that the runs table reads no chunk."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from trainvitals.wire.answers import Curve
from trainvitals.wire.definitions import Definitions
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import MetricPoints
from trainvitals.wire.notes import MetricDefinition

SHOWN: Final = 40
KEPT: Final = 2 * SHOWN


class Spark(msgspec.Struct, frozen=True, kw_only=True):
    """Means of ``every`` finite points each; ``waiting`` points of sum ``total`` do not fill a mean yet. ``defined``:
    what the script says of metrics; empty where it says of none which role it has."""

    metric: str = ""
    every: int = 1
    waiting: int = 0
    total: float = 0.0
    means: list[float] = []
    defined: dict[str, MetricDefinition] = {}


def extended(spark: Spark, metrics: Iterable[MetricPoints]) -> Spark:
    """The sparkline with more points; a better name for the loss starts it anew, a worse one is ignored."""
    definitions = Definitions(spark.defined)
    for points in metrics:
        metric = points.metric
        if definitions.role(metric) == "loss" and definitions.metric("loss", (spark.metric, metric)) == metric:
            begun = spark if spark.metric == metric else Spark(metric=metric, defined=spark.defined)
            spark = _longer(begun, points.values.tolist())
    return spark


def redefined(
    spark: Spark, metrics: Mapping[str, MetricDefinition], *, logged: Iterable[str], curve: Callable[[str], Curve]
) -> Spark:
    """The sparkline of a run of which the script says ``metrics``: of those ``logged`` another may be the loss now, of
    which there is a ``curve``."""
    defined = dict(metrics) if any(one.role for one in metrics.values()) else {}
    loss = Definitions(defined).metric("loss", logged) or ""
    if loss == spark.metric:
        return msgspec.structs.replace(spark, defined=defined)
    if not loss:
        return Spark(defined=defined)
    past = curve(loss)
    means = [value for value in past.mean.tolist() if math.isfinite(value)]
    return Spark(metric=loss, every=past.bucket, means=means, defined=defined)


def _longer(spark: Spark, values: Iterable[float]) -> Spark:
    every, waiting, total, means = spark.every, spark.waiting, spark.total, list(spark.means)
    for value in values:
        if not math.isfinite(value):
            continue
        waiting, total = waiting + 1, total + value
        if waiting == every:
            means.append(total / every)
            waiting, total = 0, 0.0
        if len(means) == KEPT:
            means = _halved(means)
            every *= 2
    return msgspec.structs.replace(spark, every=every, waiting=waiting, total=total, means=means)


def _halved(means: list[float]) -> list[float]:
    pairs = zip(means[::2], means[1::2], strict=False)
    return [(left + right) / 2 for left, right in pairs] + ([means[-1]] if len(means) % 2 else [])


def shown(spark: Spark) -> Floats:
    """At most 40 points."""
    means = spark.means
    return Floats.of(_halved(means) if len(means) > SHOWN else means)


def load(blob: bytes | None) -> Spark:
    """From the run's row."""
    return Spark() if blob is None else msgspec.msgpack.decode(blob, type=Spark)


def dump(spark: Spark) -> bytes:
    """For the run's row."""
    return msgspec.msgpack.encode(spark)
