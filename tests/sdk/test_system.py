"""What a run tells of its machine."""

from __future__ import annotations

import itertools
import time

import pytest

from trainvitals.system import SystemMeter


def test_looks_as_often_as_it_should() -> None:
    ticks = itertools.count(start=1)
    meter = SystemMeter(seconds=4, clock=lambda: float(next(ticks)))
    looks = [bool(meter.look()) for _ in range(20)]
    assert not looks[0]  # a share is of the time between two looks
    assert 2 < sum(looks) < 8


def test_tells_of_work_and_memory() -> None:
    meter = SystemMeter(seconds=0.0)
    meter.look()
    waste, until = bytearray(50_000_000), time.process_time() + 0.3
    while time.process_time() < until:
        waste[0] += 1
        waste[0] %= 200
    found = meter.look()
    assert found["system/cpu_percent"] > 30
    assert found["system/memory_bytes"] > len(waste)
    assert 0 < found["system/machine_memory_percent"] < 100
    assert found["system/machine_cpu_percent"] == pytest.approx(50, abs=50)
