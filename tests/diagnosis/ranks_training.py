"""Two processes that train one network, or three, so that one can be apart from the others.

Run as: python -m tests.diagnosis.ranks_training HOW FOLDER. HOW: healthy, gone round (of the wrapper), held up (rank 1,
by its data), mislabelled (rank 1), evaluating (rank 0, now and then).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

import trainvitals as tv
from tests.sdk.forked_ranks import fork_ranks

STEPS, BATCH = 400, 32
RANKS = {"mislabelled": 3}
LOAD_SECONDS = 0.02


def load(how: str, rank: int, dice: torch.Generator) -> tuple[Tensor, Tensor]:
    if how == "held up" and rank == 1:
        time.sleep(LOAD_SECONDS)
    inputs = torch.randn(BATCH, 32, generator=dice)
    labels = (inputs[:, :8].sum(1) > 0).long() + 2 * (inputs[:, 8:16].sum(1) > 0).long()
    return inputs, torch.randint(0, 4, (BATCH,), generator=dice) if how == "mislabelled" and rank == 1 else labels


def train(rank: int, how: str, folder: Path, meeting: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=RANKS.get(how, 2))
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
    model = DistributedDataParallel(plain)
    called = plain if how == "gone round" else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    dice = torch.Generator().manual_seed(rank)
    with tv.init(mode="offline", directory=folder, project="ranks") as run:
        run.watch(model, optimizer, dense=50)  # steps in common, however long each rank takes
        for step in range(STEPS):
            inputs, labels = load(how, rank, dice)
            loss = nn.functional.cross_entropy(called(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log({"loss": loss})
            if how == "evaluating" and rank == 0 and step % 50 == 49:
                time.sleep(10 * LOAD_SECONDS)
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    way, target = sys.argv[1], Path(sys.argv[2])
    fork_ranks(train, way, target, ranks=RANKS.get(way, 2))
