"""What the trainings of the benchmark run on."""

from __future__ import annotations

import platform

import torch


def chosen(asked: str | None, *, has_cuda: bool) -> torch.device:
    """The device that was asked for; else CUDA where there is one, else the processor."""
    return torch.device(asked or ("cuda" if has_cuda else "cpu"))


def wait_for(device: torch.device) -> None:
    """Return when it has done all that it was given; CUDA works behind the host."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def described(device: torch.device) -> str:
    """It, and the version of PyTorch, for whoever reads the figures later."""
    of_cpu = f"{platform.machine()}, threads: {torch.get_num_threads()}"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else of_cpu
    return f"{device} ({name}), torch {torch.__version__}"
