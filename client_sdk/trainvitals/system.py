"""What the training takes of its machine: processor, memory, GPUs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from trainvitals.gpus import GpuMeter

SECONDS: Final = 5.0  # between two looks
# By Linux's names, of Intel, AMD, and boards with ARM; others are of disks, network cards and the like.
CPU_SENSORS: Final = ("coretemp", "k10temp", "zenpower", "x86_pkg_temp", "cpu_thermal", "cpu-thermal")
Readings = Mapping[str, Sequence[Any]]  # Any: psutil's, which has no types


class SystemMeter:
    """Looks every five seconds, whenever it is asked in between. For one thread; psutil is loaded at the first look.
    ``temperatures``: what sensors read, by chip; psutil's, where the system has any."""

    def __init__(
        self,
        *,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
        temperatures: Callable[[], Readings] | None = None,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._temperatures = temperatures
        self._next_at = 0.0
        self._process: Any = None  # psutil's, which has no types
        self._gpus = GpuMeter()

    def look(self) -> dict[str, float]:
        """Empty until it is time; else of this process ``system/memory_bytes`` (resident) and ``system/cpu_percent``
        (100 is one core), of the machine ``system/machine_memory_percent`` and ``system/machine_cpu_percent`` (100 is
        all cores) and, where it has a sensor for it, ``system/cpu_temperature_celsius``, of the hottest; of GPUs what
        ``GpuMeter`` tells. Shares of processors are of the time since the look before, and so not told by the first."""
        if self._clock() < self._next_at:
            return {}
        self._next_at = self._clock() + self._seconds
        import psutil

        is_first = self._process is None
        if is_first:
            self._process = psutil.Process()
            self._temperatures = self._temperatures or getattr(psutil, "sensors_temperatures", dict)
        with self._process.oneshot():
            busy = {
                "system/cpu_percent": self._process.cpu_percent(interval=None),
                "system/machine_cpu_percent": psutil.cpu_percent(interval=None),
            }
            return {
                **({} if is_first else busy),
                "system/memory_bytes": float(self._process.memory_info().rss),
                "system/machine_memory_percent": psutil.virtual_memory().percent,
                **self._heat(),
                **self._gpus.look(),
            }

    def _heat(self) -> dict[str, float]:
        try:
            readings = self._temperatures() if self._temperatures is not None else {}
        except OSError:  # a sensor that is gone
            return {}
        celsius = [float(one.current) for chip in CPU_SENSORS for one in readings.get(chip, ()) if one.current]
        return {"system/cpu_temperature_celsius": max(celsius)} if celsius else {}
