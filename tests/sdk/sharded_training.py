"""400 steps of a model sharded over two processes, at the default budget.

Run as: python -m tests.sdk.sharded_training FOLDER WHO, where "rank 0 alone" or "every rank" watches.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import distributed, nn
from torch.distributed.fsdp import fully_shard

import trainvitals as tv
from tests.sdk.forked_ranks import fork_ranks

RANKS = 2
STEPS = 400


def train(rank: int, folder: Path, who: str, meeting: str) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=RANKS)
    torch.manual_seed(0)
    model = fully_shard(nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 1)))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    run = tv.init(mode="offline", directory=folder) if rank == 0 or who == "every rank" else None
    if run is not None:
        run.watch(model, optimizer)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = model(torch.randn(8, 4)).square().mean()
        loss.backward()
        optimizer.step()
        if run is not None:
            run.log({"loss": loss})
    if run is not None:
        run.finish()
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    fork_ranks(train, Path(sys.argv[1]), sys.argv[2], ranks=RANKS)
