"""What the training takes of its GPUs: memory as PyTorch counts it, the rest from NVIDIA's management library."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

MOST: Final = 16  # GPUs of one process


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One on which this process holds memory: PyTorch's index ("cuda:0"), which CUDA_VISIBLE_DEVICES decides, the
    identifier by which the management library knows it, and the bytes that PyTorch holds there."""

    index: int
    uuid: str
    memory_bytes: int


def gpus_in_use() -> list[Gpu]:
    """None where CUDA has not been used; neither starts it nor waits for it."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return []
    found = []
    for index in range(min(torch.cuda.device_count(), MOST)):
        if held := torch.cuda.memory_reserved(index):
            uuid = getattr(torch.cuda.get_device_properties(index), "uuid", "")
            found.append(Gpu(index=index, uuid=str(uuid), memory_bytes=held))
    return found


class GpuMeter:
    """For one thread; the library is loaded at the first look at which a GPU is in use."""

    def __init__(self, in_use: Callable[[], Sequence[Gpu]] = gpus_in_use) -> None:
        self._in_use = in_use
        self._library: Any = None  # has no types
        self._is_absent = False

    def look(self) -> dict[str, float]:
        """Of each GPU in use ``system/gpu<index>_memory_bytes`` (held by this process) and, of the whole device,
        ``…_utilization_percent`` (of the time in which it did something), ``…_memory_percent``,
        ``…_temperature_celsius``, ``…_power_watts``; what a device does not tell is left out."""
        found: dict[str, float] = {}
        for gpu in self._in_use():
            own = {"memory_bytes": float(gpu.memory_bytes), **self._of_device(gpu)}
            found |= {f"system/gpu{gpu.index}_{name}": value for name, value in own.items()}
        return found

    def _of_device(self, gpu: Gpu) -> dict[str, float]:
        if self._library is None and not self._is_absent:
            self._library = _loaded()
            self._is_absent = self._library is None
        nvml = self._library
        if nvml is None:
            return {}
        found: dict[str, float] = {}
        try:
            device = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{gpu.uuid.removeprefix('GPU-')}")
        except nvml.NVMLError:
            return {}  # part of a device, or one that has gone
        for name, read in _READINGS.items():
            try:
                found[name] = read(nvml, device)
            except nvml.NVMLError:
                continue  # not every device has every sensor
        return found


def _loaded() -> Any:  # Any: pynvml has no types
    """The library, ready; None where it is not installed, or there is no driver."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _memory_percent(nvml: Any, device: Any) -> float:  # Any: pynvml has no types
    memory = nvml.nvmlDeviceGetMemoryInfo(device)
    return 100 * float(memory.used) / float(memory.total)


_READINGS: Final[dict[str, Callable[[Any, Any], float]]] = {
    "utilization_percent": lambda nvml, device: float(nvml.nvmlDeviceGetUtilizationRates(device).gpu),
    "memory_percent": _memory_percent,
    "temperature_celsius": lambda nvml, device: float(nvml.nvmlDeviceGetTemperature(device, nvml.NVML_TEMPERATURE_GPU)),
    "power_watts": lambda nvml, device: nvml.nvmlDeviceGetPowerUsage(device) / 1000,
}
