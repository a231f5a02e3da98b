"""Contestants taking turns in one process, so that all meet the machine in the same moods."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from benchmarks.overhead.contestant import Calls, Contestant
from benchmarks.overhead.device import wait_for

TURN: Final = 10  # steps
Make = Callable[[], tuple[nn.Module, Tensor]]


class Loop:
    """The training of one contestant, on a device."""

    def __init__(self, contestant: Contestant, make: Make, stack: ExitStack, *, device: torch.device) -> None:
        torch.manual_seed(0)
        model, data = make()
        self._device, self._model, self._data = device, model.to(device), data.to(device)
        self._optimizer = torch.optim.AdamW(self._model.parameters(), lr=1e-4)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        self._calls: Calls = stack.enter_context(contestant.attach(self._model, self._optimizer, folder))
        self._step = 0
        self.steps = contestant.steps

    def run(self, steps: int) -> float:
        """Seconds that they take, until the device has done them."""
        wait_for(self._device)
        begin = time.perf_counter()
        for _ in range(steps):
            loss = torch.as_tensor(self._model(self._data)).square().mean()
            self._optimizer.zero_grad()
            loss.backward()
            self._calls.before_step(self._step, loss)
            self._optimizer.step()
            self._calls.after_step(self._step, loss)
            self._step += 1
        wait_for(self._device)
        return time.perf_counter() - begin


def race(contestants: Sequence[Contestant], make: Make, *, rounds: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of an average step by contestant and round; who fails is left out, and said."""
    seconds: dict[str, list[float]] = {}
    with ExitStack() as stack:
        loops: dict[str, Loop] = {}
        for contestant in contestants:
            try:
                loop = Loop(contestant, make, stack, device=device)
                loop.run(contestant.warm_up)
            except Exception as error:  # noqa: BLE001  # the border: one contestant's failure is not the others'
                print(f"{contestant.name} failed: {type(error).__name__}: {error}")
                continue
            loops[contestant.name], seconds[contestant.name] = loop, []
        for _ in range(rounds):
            spent = _round(loops)
            for name, loop in loops.items():
                seconds[name].append(spent[name] / loop.steps)
    return seconds


def _round(loops: dict[str, Loop]) -> dict[str, float]:
    """Seconds of each contestant's steps, in turns of a few: another process that wakes slows all alike. The order is
    drawn anew for each turn, since what one leaves to its threads and processes slows the next."""
    names, spent, dice = list(loops), dict.fromkeys(loops, 0.0), random.Random(0)
    for turn in range(max(loop.steps for loop in loops.values()) // TURN):
        dice.shuffle(names)
        for name in names:
            if turn * TURN < loops[name].steps:
                spent[name] += loops[name].run(TURN)
    return spent
