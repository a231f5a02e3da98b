"""Nothing waits for the device: what is measured leaves it in one copy, which no thread of the training reads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import trainvitals

OURS: Final = str(Path(trainvitals.__file__).parent)
TORCH: Final = str(Path(torch.__file__).parent)
METHODS: Final = ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__", "__array__")
READS: Final = {getattr(Tensor, name) for name in METHODS}
READING_KERNELS: Final = {torch.ops.aten._local_scalar_dense, torch.ops.aten.equal, torch.ops.aten.nonzero}
SNAPSHOTS: Final = 20


def on_whose_behalf() -> str:
    """The function that has just called PyTorch."""
    frame = sys._getframe(2)
    while frame.f_back is not None and (
        frame.f_code.co_filename == __file__ or f"{TORCH}/" in frame.f_code.co_filename
    ):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_code.co_name}"


class Methods(TorchFunctionMode):
    """Sees on whose behalf numbers are read by Python."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    def __torch_function__(self, method: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if method in READS:
            self.seen.append(on_whose_behalf())
        return method(*args, **(kwargs or {}))


class Kernels(TorchDispatchMode):
    """Sees on whose behalf they are read by PyTorch itself."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, kernel: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if kernel.overloadpacket in READING_KERNELS:
            self.seen.append(on_whose_behalf())
        return kernel(*args, **(kwargs or {}))


class Training:
    """With clipping and Adam, a rectifier, a batch norm and what saturates, large tensors and small ones."""

    def __init__(self, run: trainvitals.Run, device: str) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(
            nn.Linear(64, 1024), nn.BatchNorm1d(1024), nn.ReLU(), nn.Linear(1024, 8), nn.Tanh(), nn.Linear(8, 1)
        ).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4)
        self.inputs = torch.randn(64, 64, device=device)
        run.watch(self.model, self.optimizer, every=1)

    def go_on(self, steps: int) -> None:
        for _ in range(steps):
            self.optimizer.zero_grad()
            self.model(self.inputs).square().mean().backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()


def test_the_training_s_thread_reads_no_number_for_a_snapshot(offline: Any) -> None:
    run = offline.init()
    training = Training(run, "cpu")
    seen: list[str] = []
    with Methods(seen), Kernels(seen):
        training.go_on(SNAPSHOTS)
    run.finish()
    assert {place.removeprefix(OURS) for place in seen if place.startswith(OURS)} == {
        "/collector/stats/activations.py:_nonfinite",  # on a CPU, where it is free; on other devices it does not look
        "/collector/activations.py:_look_for_changes",  # on a CPU alone: once for each layer
        "/collector/fading.py:_together",  # of steps that the optimizer counts on the host, wherever the weights are
    }
    assert len(offline.points("clipped_fraction")) == SNAPSHOTS
    assert offline.stats(SNAPSHOTS // 2)["adam_rms"]["0"] > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_snapshot_is_one_copy_to_the_host_for_which_nothing_waits(offline: Any) -> None:
    run = offline.init()
    training = Training(run, "cuda")
    training.go_on(SNAPSHOTS)  # kernels are loaded, memory is there
    torch.cuda.synchronize()
    cuda = torch.profiler.ProfilerActivity.CUDA
    with torch.profiler.profile(activities=[cuda]) as profile:
        torch.cuda.set_sync_debug_mode("error")
        try:
            training.go_on(SNAPSHOTS)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        torch.cuda.synchronize()
    run.finish()
    copies = [event.name for event in profile.events() if "DtoH" in event.name]
    assert len(copies) == SNAPSHOTS
    assert all("Pinned" in name for name in copies)
    assert len(offline.points("grad_norm")) == len(offline.points("clipped_fraction")) == 2 * SNAPSHOTS
