"""What a run tells of its machine."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from trainvitals.gpus import Gpu, GpuMeter, gpus_in_use
from trainvitals.system import CPU_SENSORS, SystemMeter

TEMPERATURE = "system/cpu_temperature_celsius"


def its_own_sensors() -> list[float]:
    """What this machine's processor tells, if anything."""
    found = getattr(psutil, "sensors_temperatures", dict)()
    return [one.current for chip in CPU_SENSORS for one in found.get(chip, ())]


def sensors(**celsius: list[float]) -> dict[str, list[SimpleNamespace]]:
    """By chip, as psutil gives them."""
    return {chip: [SimpleNamespace(label="", current=one) for one in found] for chip, found in celsius.items()}


def test_looks_as_often_as_it_should() -> None:
    ticks = itertools.count(start=1)
    meter = SystemMeter(seconds=4, clock=lambda: float(next(ticks)))
    looks = [{name for name in meter.look() if "gpu" not in name} for _ in range(20)]
    assert 2 < sum(map(bool, looks)) < 8
    always = {"system/memory_bytes", "system/machine_memory_percent", *(TEMPERATURE for _ in its_own_sensors())}
    assert looks[0] == always  # a share is of the time between two looks
    assert all(seen == always | {"system/cpu_percent", "system/machine_cpu_percent"} for seen in looks[1:] if seen)


def test_tells_of_work_and_memory() -> None:
    meter = SystemMeter(seconds=0.0)
    meter.look()
    started, worked = time.perf_counter(), time.process_time()
    waste = bytearray(50_000_000)
    while time.process_time() < worked + 0.3:
        waste[0] += 1
        waste[0] %= 200
    found = meter.look()
    share = (time.process_time() - worked) / (time.perf_counter() - started)  # less than all, where others work, too
    assert found["system/cpu_percent"] == pytest.approx(100 * share, rel=0.2)
    assert found["system/memory_bytes"] > len(waste)
    assert 0 < found["system/machine_memory_percent"] < 100
    assert found["system/machine_cpu_percent"] == pytest.approx(50, abs=50)


def test_tells_the_temperature_where_the_machine_has_a_sensor_for_it() -> None:
    found = SystemMeter().look()
    assert (TEMPERATURE in found) == bool(its_own_sensors())


def test_the_hottest_of_the_processor_s_sensors_counts_and_no_disk_s() -> None:
    readings = sensors(nvme=[91.0], coretemp=[61.0, 72.5, 0.0], acpitz=[16.8])
    assert SystemMeter(temperatures=lambda: readings).look()[TEMPERATURE] == 72.5
    assert TEMPERATURE not in SystemMeter(temperatures=lambda: sensors(nvme=[91.0], coretemp=[])).look()


def test_a_sensor_that_cannot_be_read_leaves_out_the_temperature_alone() -> None:
    def gone() -> dict[str, list[SimpleNamespace]]:
        raise OSError("no such device")

    found = SystemMeter(temperatures=gone).look()
    assert TEMPERATURE not in found
    assert found["system/memory_bytes"] > 0


MANAGEMENT_LIBRARY = """
from types import SimpleNamespace
NVML_TEMPERATURE_GPU = 0
class NVMLError(Exception): pass
def nvmlInit():
    if BROKEN: raise NVMLError("driver not loaded")
def nvmlDeviceGetHandleByUUID(uuid):
    if uuid not in ("GPU-aa", "GPU-bb"): raise NVMLError("not found")
    return uuid
def nvmlDeviceGetUtilizationRates(device): return SimpleNamespace(gpu=93, memory=40)
def nvmlDeviceGetMemoryInfo(device): return SimpleNamespace(total=80e9, used=20e9, free=60e9)
def nvmlDeviceGetTemperature(device, sensor): return 64
def nvmlDeviceGetPowerUsage(device):
    if device == "GPU-bb": raise NVMLError("not supported")
    return 412_500
"""
LOOK = """
import json
from trainvitals.gpus import Gpu, GpuMeter
gpus = [Gpu(index=index, uuid=uuid, memory_bytes=10**9) for index, uuid in enumerate(["bb", "aa", "a part"])]
meter = GpuMeter(in_use=lambda: gpus)
meter.look()
print(json.dumps(meter.look()))
"""


def looked(folder: Path, *, broken: bool) -> dict[str, float]:
    """In a process whose management library is a stand-in, as there is no driver here."""
    (folder / "pynvml.py").write_text(f"BROKEN = {broken}{MANAGEMENT_LIBRARY}")
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    answer = subprocess.run(
        [sys.executable, "-c", LOOK], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def test_gpus_are_called_as_pytorch_calls_them_and_tell_what_they_can(tmp_path: Path) -> None:
    found = looked(tmp_path, broken=False)
    assert {name: value for name, value in found.items() if "gpu1" in name} == {
        "system/gpu1_memory_bytes": 10**9,
        "system/gpu1_utilization_percent": 93,
        "system/gpu1_memory_percent": 25,
        "system/gpu1_temperature_celsius": 64,
        "system/gpu1_power_watts": 412.5,
    }
    assert "system/gpu0_power_watts" not in found
    assert found["system/gpu0_temperature_celsius"] == 64
    assert [name for name in found if "gpu2" in name] == ["system/gpu2_memory_bytes"]


def test_a_driver_that_is_not_there_leaves_pytorch_s_own_count(tmp_path: Path) -> None:
    assert list(looked(tmp_path, broken=True)) == [f"system/gpu{index}_memory_bytes" for index in range(3)]


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without CUDA")
def test_without_cuda_nothing_is_told_and_nothing_raised() -> None:
    assert gpus_in_use() == []
    meter = GpuMeter(in_use=lambda: [Gpu(index=0, uuid="aa", memory_bytes=1)])  # with the real library, if there is one
    assert meter.look() == {"system/gpu0_memory_bytes": 1}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_gpu_tells_of_its_work() -> None:
    held = torch.ones(1_000_000, device="cuda")
    found = GpuMeter().look()
    assert found["system/gpu0_memory_bytes"] >= held.nbytes
    assert 0 <= found["system/gpu0_utilization_percent"] <= 100
    assert 0 < found["system/gpu0_memory_percent"] <= 100
