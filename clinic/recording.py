"""Recorded trainings: what the SDK would have sent, in one small file a case and seed."""

from __future__ import annotations

import contextlib
import heapq
import io
import math
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import torch
from torch import distributed
from torch import multiprocessing as mp

import trainvitals as tv
from clinic.bench import Bench
from clinic.case import Case
from clinic.catalogue import catalogue
from trainvitals.spool import Record, Spool
from trainvitals.wire import coding
from trainvitals.wire.frame import decode_frame, encode_frame
from trainvitals.wire.messages import ModelInfo, RunStart
from trainvitals.wire.recording import SUFFIX, Recording, pack, unpack

RECORDED: Final = Path(__file__).parent / "recorded"


def path_of(case: Case, seed: int) -> Path:
    """Where its recording lies."""
    return RECORDED / f"{case.name}-{seed}{SUFFIX}"


def train(case: Case, seed: int, folder: Path) -> list[Path]:
    """Train a case under the SDK, offline; the spools that it leaves, one of each rank."""
    if case.ranks == 1:
        _train(case, seed, folder)
    else:
        mp.spawn(_rank, args=(case.name, case.ranks, seed, folder), nprocs=case.ranks)  # type: ignore[attr-defined, no-untyped-call]  # torch types it not
    spools = list(folder.rglob("*.spool"))
    assert len(spools) == case.ranks
    return spools


def _rank(rank: int, name: str, ranks: int, seed: int, folder: Path) -> None:
    """One of several processes; functions of cases do not travel, their names do."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=ranks)
    (case,) = catalogue([name])
    with contextlib.redirect_stderr(io.StringIO()):
        _train(case, seed, folder, rank=rank)
    distributed.barrier()
    distributed.destroy_process_group()


def _train(case: Case, seed: int, folder: Path, *, rank: int = 0) -> None:
    torch.manual_seed(seed)
    run = tv.init(mode="offline", directory=folder, project="clinic", name=f"{case.name}-{seed}")
    with run:
        case.train(Bench(run=run, seed=seed, rank=rank))


def recording(case: Case, seed: int) -> bytes:
    """Train a case, and pack what was recorded of it."""
    with (
        tempfile.TemporaryDirectory(prefix="trainvitals-clinic-") as folder,
        contextlib.redirect_stderr(io.StringIO()),  # where runs lie for a moment helps nobody
    ):
        spools = [_read(path) for path in train(case, seed, Path(folder))]
    return pack(path_of(case, seed).name.removesuffix(SUFFIX), _kept(spools))


def record(case: Case, seed: int) -> None:
    """Train a case, and keep what was recorded of it."""
    packed = recording(case, seed)
    RECORDED.mkdir(exist_ok=True)
    path_of(case, seed).write_bytes(packed)


def load(path: Path) -> Recording:
    """A recorded run. Raises FileNotFoundError: record it first."""
    return unpack(path.read_bytes())


def _read(path: Path) -> list[Record]:
    spool = Spool(path)
    assert spool.open(), "nobody else has this folder"
    try:
        return list(spool.records())
    finally:
        spool.close()


def _together(spools: Sequence[list[Record]]) -> Iterator[Record]:
    """Of several ranks as a server receives them, by their steps; all but frames is rank 0's."""
    first, *others = sorted(spools, key=lambda records: coding.decode(records[0].payload, RunStart).rank)
    frames = ([one for one in records if one.kind == "frame"] for records in others)
    for _, _, record in heapq.merge(*map(_by_step, [first, *frames], range(len(spools))), key=lambda one: one[:2]):
        yield record


def _by_step(records: Sequence[Record], rank: int) -> Iterator[tuple[float, int, Record]]:
    """Each with the newest step that was told of so far; the end comes after all."""
    newest = -1.0
    for record in records:
        if record.kind == "frame":
            frame = decode_frame(record.payload)
            steps = [points.steps[-1] for points in frame.metrics if points.steps]
            newest = max([newest, *steps, *(frame.layer_stats.steps if frame.layer_stats else [])])
        yield math.inf if record.kind == "end" else newest, rank, record


def _kept(spools: Sequence[list[Record]]) -> Iterator[tuple[str, bytes]]:
    """All that rules read: no histograms, and nothing of the machine on which it was recorded."""
    for found in _together(spools):
        payload = found.payload
        if found.kind == "start":
            payload = coding.encode(msgspec.structs.replace(coding.decode(payload, RunStart), environment={}))
        elif found.kind == "model":
            payload = coding.encode(_anonymous(coding.decode(payload, ModelInfo)))
        elif found.kind == "frame":
            payload = encode_frame(msgspec.structs.replace(decode_frame(payload), histograms=None, checksum=-1))
        yield found.kind, payload


def _anonymous(model: ModelInfo) -> ModelInfo:
    layers = [msgspec.structs.replace(layer, source=None) for layer in model.layers]
    optimizers = [msgspec.structs.replace(optimizer, source=None) for optimizer in model.optimizers]
    return msgspec.structs.replace(model, layers=layers, optimizers=optimizers)
