"""Memory that grows from step to step, and never comes back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

MEMORY = re.compile(r"system/(?P<device>gpu\d+_|)memory_bytes")
FULL = 95.0  # percent of a machine's or device's memory
BYTES = 1e6  # of a megabyte
ADVICE = (
    "Keep numbers, not tensors with their graph: losses.append(loss.item()), or loss.detach().",
    "Look for what grows: lists, hooks registered in the loop, caches without a bound; tracemalloc or "
    "torch.cuda.memory._snapshot() show who holds it.",
)


def memory_leaking(
    window: Window, *, points: int = 16, risen: float = 0.2, least_megabytes: float = 200.0, steady: float = 0.5
) -> Iterator[Symptom]:
    """In the newer half of the run (``points`` looks at least) the memory of the process, or what it holds of a GPU,
    rises from quarter to quarter, by ``risen`` and ``least_megabytes`` in all, and nowhere by less than ``steady`` of
    a third of that: medians, so that what comes and goes is no matter, and what fills up slows down.

    A warning if at this pace the machine's or the device's memory is full before the planned steps are done, or, where
    no plan is known, within as many steps as have been made. Source: PyTorch's FAQ, "My model reports cuda runtime
    error: out of memory" (history that is kept across the loop).
    """
    for name, series in window.metrics.items():
        found = MEMORY.fullmatch(name)
        newer = np.isfinite(series.values) & (series.steps > window.step // 2)
        if found is None or newer.sum() < points:
            continue
        quarters = [median(part) for part in np.array_split(series.values[newer].astype(np.float64), 4)]
        rises, rise = np.diff(quarters), quarters[-1] - quarters[0]
        if rise < max(risen * quarters[0], least_megabytes * BYTES) or min(rises) < steady * rise / 3:
            continue
        begun, now = int(series.steps[newer][0]), quarters[-1]
        used = window.metrics.get(f"system/{found['device'] or 'machine_'}memory_percent")
        fills = _full_at(window, used, begun)
        place = f"GPU {found['device'][3:-1]}" if found["device"] else "the process"
        yield Symptom(
            rule="memory_leaking",
            key=name,
            severity="warning" if fills <= (window.planned_steps or 2 * window.step) else "info",
            summary=f"Memory of {place} rises steadily: {quarters[0] / BYTES:,.0f} MB at step {begun:,}, "
            f"{now / BYTES:,.0f} MB now" + (f", full at about step {fills:,.0f}" if np.isfinite(fills) else ""),
            first_step=begun,
            last_step=window.step,
            evidence=Evidence(
                metric=name, value=now, threshold=quarters[0] * (1 + risen), first_step=begun, last_step=window.step,
                numbers={"megabytes a step": rise / BYTES / max(1, 0.75 * (window.step - begun))},
            ),
            causes=("losses or outputs kept with their graph", "a list, cache or hook that grows with every step"),
            advice=ADVICE,
        )  # fmt: skip


def _full_at(window: Window, used: Series | None, begun: int) -> float:
    """The step at which what is in use, in percent, will be all; infinity where it does not rise, or is not told."""
    if used is None or (used.steps >= begun).sum() < 4:
        return float("inf")
    first, *_, last = (median(part) for part in np.array_split(used.values[used.steps >= begun], 4))
    pace = (last - first) / max(1, 0.75 * (window.step - begun))
    return window.step + max(0.0, FULL - last) / pace if pace > 0 else float("inf")
