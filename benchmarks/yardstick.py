"""How slow this core is at small arrays, beside the core for which promises in milliseconds are made."""

from __future__ import annotations

import statistics
import time
from typing import Final

import numpy as np

PROMISED_FOR_SECONDS: Final = 0.0025  # in which the core that is meant does the work below
TRIES: Final = 15
ROUNDS: Final = 100


def slowness() -> float:
    """Seconds of this core for one of the other: the median of several tries, in time of the processor."""
    return statistics.median(_work() for _ in range(TRIES)) / PROMISED_FOR_SECONDS


def _work() -> float:
    """Work of the kind that rules do: arrays of some snapshots × layers, sorted and masked, and names looked up."""
    table, names = np.random.default_rng(0).random((16, 200), np.float32), [f"layer.{one}" for one in range(200)]
    began = time.thread_time()
    known = {name: len(name) for name in names}
    for _ in range(ROUNDS):
        finite = np.where(np.isfinite(table), table, np.nan).astype(np.float64)
        middle = np.sort(finite, axis=0)[8]
        np.flatnonzero(middle > 0.5)
        [column for column, name in enumerate(names) if known.get(name, 0) > 7]
    return time.thread_time() - began
