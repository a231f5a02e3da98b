"""The same training in one process and in several that share its batches, which train without being watched before.

Run as: python -m tests.sdk.distributed_training HOW FOLDER, which gets folders "one" and "several", and "unwatched"
with the losses of each rank. HOW: ddp, fsdp, fsdp1 (its first version), fsdp1-original (which shows the parameters
that it has flattened), hybrid, tensor, accumulating (ddp, each step's gradient from two passes), clipping (fsdp),
sparse (ddp, an embedding whose gradients are), or large and late (fsdp, with a norm, two passes a step, and parameters
of which a rank holds more values than are looked at; late reduces gradients after the last pass alone), unsynced (ddp,
which does so, too), recomputed (fsdp, whose passes are checkpoints, computed again in the backward pass), scaled (fsdp,
with a GradScaler that skips a step), mixed (fsdp, which computes in bfloat16), compiled (fsdp, as a whole).
Where a norm is, all ranks have the same batch: of parts each would norm by its own.
"""

from __future__ import annotations

import functools
import json
import math
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

import trainvitals as tv
from tests.sdk.forked_ranks import fork_ranks

STEPS = 6
BATCH = 8
MORE_OF_EACH = 100_000_000  # bytes that a rank holds beyond the one before it


def sharded(model: nn.Module, **how: Any) -> nn.Module:
    for layer in model:  # type: ignore[attr-defined]  # it is a Sequential
        if isinstance(layer, nn.Linear):
            fully_shard(layer, **how)
    return fully_shard(model, **how)


def in_two_precisions(model: nn.Module) -> nn.Module:
    return sharded(model, mp_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32))


def compiled(model: nn.Module) -> nn.Module:
    return torch.compile(sharded(model), backend="aot_eager")  # type: ignore[return-value]  # it is a module


def flattened(model: nn.Module, *, shows_original: bool = False) -> nn.Module:
    cpu = torch.device("cpu")  # else it wants a GPU
    model.add_module("0", FullyShardedDataParallel(model[0], use_orig_params=shows_original, device_id=cpu))  # type: ignore[index]  # it is a Sequential
    return FullyShardedDataParallel(model, use_orig_params=shows_original, device_id=cpu)


def hybrid(model: nn.Module) -> nn.Module:
    return fully_shard(model, mesh=init_device_mesh("cpu", (2, 2), mesh_dim_names=("copies", "shards")))


def tensor_parallel(model: nn.Module) -> nn.Module:
    mesh = init_device_mesh("cpu", (2,))
    return parallelize_module(model, mesh, {"0": ColwiseParallel(), "2": RowwiseParallel()})


WAYS: dict[str, tuple[int, Callable[[nn.Module], nn.Module]]] = {
    "ddp": (2, DistributedDataParallel),
    "accumulating": (2, DistributedDataParallel),
    "fsdp": (2, sharded),
    "clipping": (2, sharded),
    "sparse": (2, DistributedDataParallel),
    "fsdp1": (2, flattened),
    "fsdp1-original": (2, functools.partial(flattened, shows_original=True)),
    "hybrid": (4, hybrid),
    "tensor": (2, tensor_parallel),
    "large": (2, sharded),
    "late": (2, sharded),
    "unsynced": (2, DistributedDataParallel),
    "recomputed": (2, sharded),
    "scaled": (2, sharded),
    "mixed": (2, in_two_precisions),
    "compiled": (2, compiled),
}
SKIPPED: Final = 2  # the step of the scaled way whose loss is no number
UNSHARED: Final = ("tensor", "large", "late")  # batches
WIDTH: Final = 257  # its square halved, unevenly, is more than the 16,384 values that are looked at
LARGE: Final = "3"  # the layer of so many
DEAD: Final = 10  # of its units, rectified


class Words(nn.Module):
    """Numbers of words, of which few come up in a batch."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return batch.mul(3).long().add(10).clamp(0, 19)


def loop(how: str) -> dict[str, Any]:
    return {
        "passes": 2 if how in ("accumulating", "large", "late", "unsynced") else 1,
        "clips": how == "clipping",
        "syncs_late": how in ("late", "unsynced"),
        "recomputes": how == "recomputed",
        "scales": how == "scaled",
        "kind": torch.optim.SGD if how == "sparse" else torch.optim.Adam,
    }


def network(how: str) -> nn.Module:
    torch.manual_seed(0)
    if how in ("large", "late"):
        return normed()
    if how == "sparse":
        return nn.Sequential(Words(), nn.Embedding(20, 3, sparse=True), nn.Flatten(), nn.Linear(12, 1))
    hidden = 8 if how == "tensor" else 9  # which two ranks cannot share evenly
    return nn.Sequential(nn.Linear(4, hidden), nn.Tanh(), nn.Linear(hidden, 1))


def normed() -> nn.Module:
    model = nn.Sequential(
        nn.Linear(4, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1)
    )
    with torch.no_grad():
        model[3].bias[:: WIDTH // DEAD] = -3.0
    return model


def train(
    called: nn.Module,
    folder: Path | None,
    *,
    rank: int,
    parts: int,
    steps: int = STEPS,
    every: int | None = 1,
    passes: int = 1,
    clips: bool = False,
    syncs_late: bool = False,
    recomputes: bool = False,
    scales: bool = False,
    kind: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
) -> list[float]:
    """The losses; ``parts`` of each batch, of which this rank has its own. Without a folder, nothing is watched."""
    optimizer = kind(called.parameters(), lr=0.01)
    run = None if folder is None else tv.init(mode="offline", directory=folder, project="ranks")
    if run is not None:
        run.watch(called, optimizer, every=every)
    losses = []
    scaler = torch.amp.GradScaler("cpu", enabled=scales)
    batches = torch.Generator().manual_seed(1)
    for step in range(steps):
        batch = torch.randn(BATCH, 4, generator=batches)
        optimizer.zero_grad()
        for number, micro_batch in enumerate(batch.chunk(parts)[rank % parts].chunk(passes), start=1):
            if syncs_late and isinstance(called, FSDPModule):
                called.set_requires_gradient_sync(number == passes)
            is_alone = syncs_late and isinstance(called, DistributedDataParallel) and number < passes
            with called.no_sync() if is_alone else nullcontext():
                output = checkpoint(called, micro_batch, use_reentrant=False) if recomputes else called(micro_batch)
                loss = output.square().mean()
                if scales and step == SKIPPED:
                    loss = loss * math.inf
                scaler.scale(loss / passes).backward()
        if clips:
            nn.utils.clip_grad_norm_(called.parameters(), 1e-3)
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
        if run is not None:
            run.log({"loss": loss})
    if run is not None:
        run.finish()
    return losses


def one_of_several(rank: int, how: str, folder: Path, meeting: str) -> None:
    ranks, spread = WAYS[how]
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=ranks)
    weight = b"1" * (rank * MORE_OF_EACH)
    parts = 1 if how in UNSHARED else ranks
    unwatched = train(spread(network(how)), None, rank=rank, parts=parts, **loop(how))
    (folder / "unwatched" / str(rank)).write_text(json.dumps(unwatched))
    train(spread(network(how)), folder / "several", rank=rank, parts=parts, **loop(how))
    del weight
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    way, target = sys.argv[1], Path(sys.argv[2])
    (target / "unwatched").mkdir()
    fork_ranks(one_of_several, way, target, ranks=WAYS[way][0])
    train(network(way), target / "one", rank=0, parts=1, **loop(way))
