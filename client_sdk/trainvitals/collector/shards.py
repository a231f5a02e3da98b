"""The parts of snapshots that ranks hold where parameters are sharded, brought together at rank 0."""

from __future__ import annotations

import ctypes
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import torch
from torch import Tensor

from trainvitals.collector.plan import Plan, Turn
from trainvitals.ranks import Store

FIRST_WAIT_SECONDS: Final = 10.0  # for the parts of a snapshot: ranks train in step, all are about to come
LAST_WAIT_SECONDS: Final = 1.0  # for all that is left when the training is over
LOOK_SECONDS: Final = 0.02
NEXT_WAIT_SECONDS: Final = 2.0  # once all have come: then all watch
KEPT_PARTS: Final = 16  # of a rank at the store at most, should rank 0 not take them


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Columns of one kind on the host: float32 [rows, columns], with the layer and the number of values behind each."""

    columns: Tensor
    owners: list[int]
    sizes: list[int]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of one kind, on its way."""

    rows: int
    owners: list[int]
    sizes: list[int]
    data: bytes


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What one rank holds of a snapshot, by kind."""

    in_depth: bool
    kinds: dict[str, Part]


class Shards:
    """Brings parts to rank 0 by the store through which the processes found each other, between their background
    threads: no training step waits, and no collective is called. The plan of the steps to sample travels back.

    ``tell``: what to say at rank 0 where parts do not come.
    """

    def __init__(
        self, store: Store, *, key: str, rank: int, ranks: int, plan: Plan, tell: Callable[[str], None]
    ) -> None:
        self._held = store  # the server of a store lives as long as the object of the process that made it
        self._store: Store | None = None  # a connection of the background thread's own: waiting blocks it
        self._key = key
        self._rank = rank
        self._ranks = ranks
        self._plan = plan
        self._tell = tell
        self._given: deque[str] = deque()
        self._wait_seconds = FIRST_WAIT_SECONDS
        self._gave_up = False
        self._ended_at: float | None = None
        self._announced = plan.turns

    def exchange(self, step: int, own: dict[str, Held], *, in_depth: bool) -> dict[str, Held]:
        """This rank's part of a snapshot to what all ranks hold of it; nothing where another rank puts it together, and
        where a part does not come. On the background thread, where it may wait."""
        if self._gave_up:
            return {}
        try:
            store = self._connected()
            if self._rank:
                self._give(store, step, Parts(in_depth=in_depth, kinds={kind: _pack(one) for kind, one in own.items()}))
                return {}
            others = self._gather(store, step)
        except Exception:  # noqa: BLE001  # a rank that is gone, or the store: what then, the training decides
            self._miss()
            return {}
        self._wait_seconds = NEXT_WAIT_SECONDS
        if any(parts.in_depth != in_depth for parts in others):
            return {}
        return _side_by_side([own, *({kind: _unpack(one) for kind, one in parts.kinds.items()} for parts in others)])

    def _miss(self) -> None:
        if self._rank:
            return
        without = "gradients, weights and updates of sharded layers"
        self._gave_up = self._wait_seconds == FIRST_WAIT_SECONDS
        if self._gave_up:
            self._tell(f"not every rank watches this model: {without} stay unknown; call init() and watch() on each")
        else:
            self._tell(f"parts of snapshots did not come from every rank: {without} are unknown there")

    def end(self) -> None:
        """The training is over: what has not come comes at once, or never."""
        self._ended_at = time.monotonic()

    def _give(self, store: Store, step: int, parts: Parts) -> None:
        self._given.append(key := f"{self._key}/{step}/{self._rank}")
        store.set(key, msgspec.msgpack.encode(parts))
        if len(self._given) > KEPT_PARTS:
            store.delete_key(self._given.popleft())
        if store.check([plan := f"{self._key}/plan"]):
            turns = msgspec.json.decode(store.get(plan), type=list[tuple[int, int]])
            self._plan.turns = tuple(Turn(*turn) for turn in turns)

    def _gather(self, store: Store, step: int) -> list[Parts]:
        if self._announced is not self._plan.turns:
            self._announced = self._plan.turns
            turns = [(turn.first_step, turn.interval) for turn in self._announced]
            store.set(f"{self._key}/plan", msgspec.json.encode(turns))
        keys = [f"{self._key}/{step}/{rank}" for rank in range(1, self._ranks)]
        deadline = time.monotonic() + self._wait_seconds
        while not store.check(keys):  # not wait(), of which nothing could call it back
            if time.monotonic() > (deadline if self._ended_at is None else self._ended_at + LAST_WAIT_SECONDS):
                raise TimeoutError
            time.sleep(LOOK_SECONDS)
        found = [msgspec.msgpack.decode(store.get(key), type=Parts) for key in keys]
        for key in keys:
            store.delete_key(key)
        return found

    def _connected(self) -> Store:
        if self._store is None:
            self._store = self._held.clone()
        return self._store


def _pack(held: Held) -> Part:
    matrix = held.columns.contiguous()
    data = ctypes.string_at(matrix.data_ptr(), matrix.numel() * matrix.element_size()) if matrix.numel() else b""
    return Part(rows=len(matrix), owners=held.owners, sizes=held.sizes, data=data)


def _unpack(part: Part) -> Held:
    flat = torch.frombuffer(bytearray(part.data), dtype=torch.float32) if part.data else torch.empty(0)
    return Held(columns=flat.view(part.rows, len(part.owners)), owners=part.owners, sizes=part.sizes)


def _side_by_side(ranks: list[dict[str, Held]]) -> dict[str, Held]:
    found: dict[str, Held] = {}
    for kind in dict.fromkeys(kind for held in ranks for kind in held):
        parts = [held[kind] for held in ranks if kind in held]
        found[kind] = Held(
            columns=torch.cat([part.columns for part in parts], dim=1),
            owners=[owner for part in parts for owner in part.owners],
            sizes=[size for part in parts for size in part.sizes],
        )
    return found
