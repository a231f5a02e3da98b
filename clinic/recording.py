"""Recorded trainings: what the SDK would have sent, in one small file a case and seed."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import torch

import trainvitals as tv
from clinic.bench import Bench
from clinic.case import Case
from trainvitals.spool import Spool
from trainvitals.wire import coding
from trainvitals.wire.frame import decode_frame, encode_frame
from trainvitals.wire.messages import ModelInfo, RunStart
from trainvitals.wire.recording import SUFFIX, Recording, pack, unpack

RECORDED: Final = Path(__file__).parent / "recorded"


def path_of(case: Case, seed: int) -> Path:
    """Where its recording lies."""
    return RECORDED / f"{case.name}-{seed}{SUFFIX}"


def train(case: Case, seed: int, folder: Path) -> Path:
    """Train a case under the SDK, offline; the spool that it leaves."""
    torch.manual_seed(seed)
    run = tv.init(mode="offline", directory=folder, project="clinic", name=f"{case.name}-{seed}")
    with run:
        case.train(Bench(run=run, seed=seed))
    (spool,) = folder.rglob("*.spool")
    return spool


def record(case: Case, seed: int) -> None:
    """Train a case, and keep what was recorded of it."""
    with tempfile.TemporaryDirectory(prefix="trainvitals-clinic-") as folder:
        with contextlib.redirect_stderr(io.StringIO()):  # where runs lie for a moment helps nobody
            spool = Spool(train(case, seed, Path(folder)))
        assert spool.open(), "nobody else has this folder"
        packed = pack(path_of(case, seed).name.removesuffix(SUFFIX), _kept(spool))
        spool.close()
    RECORDED.mkdir(exist_ok=True)
    path_of(case, seed).write_bytes(packed)


def load(path: Path) -> Recording:
    """A recorded run. Raises FileNotFoundError: record it first."""
    return unpack(path.read_bytes())


def _kept(spool: Spool) -> Iterator[tuple[str, bytes]]:
    """All that rules read: no histograms, and nothing of the machine on which it was recorded."""
    for found in spool.records():
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
    return msgspec.structs.replace(model, layers=layers)
