"""The same training in one process and in two that share its batches. Run as: distributed_training.py FOLDER"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
import torch.multiprocessing as mp
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

import trainvitals as tv

RANKS = 2


def train(folder: Path, *, rank: int, ranks: int) -> None:
    torch.manual_seed(0)
    model: nn.Module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    called = DistributedDataParallel(model) if ranks > 1 else model
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    run = tv.init(mode="offline" if rank == 0 else "disabled", directory=folder)
    run.watch(called, optimizer, every=1)
    batches = torch.randn(3, 8, 4, generator=torch.Generator().manual_seed(1))
    for batch in batches:
        optimizer.zero_grad()
        called(batch.chunk(ranks)[rank]).square().mean().backward()
        optimizer.step()
    run.finish()


def one_of_two(rank: int, folder: Path, meeting: str) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=RANKS)
    train(folder / "two", rank=rank, ranks=RANKS)
    distributed.destroy_process_group()


if __name__ == "__main__":
    train(Path(sys.argv[1]) / "one", rank=0, ranks=1)
    with tempfile.TemporaryDirectory() as meeting:
        mp.spawn(one_of_two, args=(Path(sys.argv[1]), f"{meeting}/meeting"), nprocs=RANKS)
