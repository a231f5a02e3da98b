"""Which of the processes that train together this one is, and how all of them come to be one run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

Store = Any  # torch.distributed's: what is known of it to type checkers lacks half of its methods

WAIT_SECONDS: Final = 30.0  # for rank 0 to begin its run
KEY: Final = "trainvitals"

_met = 0  # runs that this process has begun together with others


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """This process among those that train together; ``ranks`` is 1 where it is alone."""

    rank: int = 0
    ranks: int = 1

    @property
    def leads(self) -> bool:
        """Whether it is the one that speaks for the run: describes it, and ships its layers."""
        return self.rank == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What the ranks of a run have in common. ``started_at`` in Unix seconds."""

    run_id: str
    name: str
    started_at: float


def find_place(environment: Mapping[str, str] | None = None) -> Place:
    """As torch.distributed has it where it is at work, else as the launcher's RANK and WORLD_SIZE say."""
    if (process_group := _process_group()) is not None:
        return Place(rank=process_group.get_rank(), ranks=process_group.get_world_size())
    env = os.environ if environment is None else environment
    rank, ranks = env.get("RANK", ""), env.get("WORLD_SIZE", "")
    if rank.isdecimal() and ranks.isdecimal() and int(rank) < int(ranks):
        return Place(rank=int(rank), ranks=int(ranks))
    return Place()


def agree(place: Place, own: Identity) -> Identity | None:
    """The identity of rank 0's run, which is ``own`` there: rank 0 leaves it at the store by which the processes found
    each other, and does not wait for anybody. None for another rank that cannot learn it, be it that there is no such
    store yet or that rank 0 begins no run within 30 seconds."""
    global _met
    if place.ranks == 1:
        return own
    _met += 1
    try:
        store = meeting_place() or _agents_store()
        if store is None:
            return own if place.leads else None
        key = f"{KEY}/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/{_met}"
        if place.leads:
            store.set(key, json.dumps(asdict(own)))
            return own
        store.wait([key], timedelta(seconds=WAIT_SECONDS))
        return Identity(**json.loads(store.get(key)))
    except Exception:  # noqa: BLE001  # the border: no error of ours may reach the training, whatever the network does
        return own if place.leads else None


def _process_group() -> Any:  # Any: the module torch.distributed, where it is at work
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return distributed


def meeting_place() -> Store | None:
    """The store by which the processes of the process group found each other; None without one."""
    if _process_group() is None:
        return None
    from torch.distributed.distributed_c10d import _get_default_store

    return _get_default_store()


def _agents_store() -> Store | None:
    """That of torchrun's agent, which is there before a process group is."""
    env = os.environ
    if env.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # it is there

    wait = timedelta(seconds=WAIT_SECONDS)
    return TCPStore(env["MASTER_ADDR"], int(env["MASTER_PORT"]), is_master=False, timeout=wait)
