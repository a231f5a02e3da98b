"""Ranks as forks of a script that has imported PyTorch once for all of them, which takes each of them seconds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import torch._dynamo  # noqa: F401  # else the first optimizer's step of each rank imports it
import torch.multiprocessing as mp


def fork_ranks(train: Callable[..., None], *arguments: Any, ranks: int) -> None:
    """``train(rank, *arguments, meeting)`` in each, to their end; ``meeting``: a file for their process group."""
    with tempfile.TemporaryDirectory() as shared:
        given = (*arguments, f"{shared}/meeting")
        mp.start_processes(train, args=given, nprocs=ranks, start_method="fork")
