"""The loss as a handful of means, kept on the run's row so that the runs table reads no chunk."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import msgspec

from trainvitals.wire.floats import Floats

SHOWN: Final = 40
KEPT: Final = 2 * SHOWN
LOSS_NAMES: Final = ("loss", "train_loss", "train/loss")


class Spark(msgspec.Struct, frozen=True, kw_only=True):
    """Means of ``every`` finite points each; ``waiting`` points of sum ``total`` do not fill a mean yet."""

    metric: str = ""
    every: int = 1
    waiting: int = 0
    total: float = 0.0
    means: list[float] = []


def extended(spark: Spark, metric: str, values: Iterable[float]) -> Spark:
    """The sparkline with more points of a metric; a better name for the loss starts it anew, a worse one is ignored."""
    if metric not in LOSS_NAMES:
        return spark
    if spark.metric and LOSS_NAMES.index(metric) > LOSS_NAMES.index(spark.metric):
        return spark
    if metric != spark.metric:
        spark = Spark(metric=metric)
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
    return Spark(metric=metric, every=every, waiting=waiting, total=total, means=means)


def _halved(means: list[float]) -> list[float]:
    pairs = zip(means[::2], means[1::2], strict=False)
    return [(left + right) / 2 for left, right in pairs] + ([means[-1]] if len(means) % 2 else [])


def shown(blob: bytes | None) -> Floats:
    """At most 40 points, from the run's row."""
    means = load(blob).means
    return Floats.of(_halved(means) if len(means) > SHOWN else means)


def load(blob: bytes | None) -> Spark:
    """From the run's row."""
    return Spark() if blob is None else msgspec.msgpack.decode(blob, type=Spark)


def dump(spark: Spark) -> bytes:
    """For the run's row."""
    return msgspec.msgpack.encode(spark)
