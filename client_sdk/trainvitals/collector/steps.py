"""Which step the training is on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Values = Mapping[str, Any]  # Any: numbers, or tensors that are read later

MOST_REPEATS: Final = 64  # of one metric before the first step: more than gradients are accumulated over


class StepCounter:
    """Counts optimizer steps from 0. The current step goes on after ``optimizer.step()`` until the next one begins.

    It begins with the next training forward of the watched model, or the next ``optimizer.step()``, so that what is
    logged before or after ``optimizer.step()`` of one iteration lands on one step. Where no optimizer is watched, a
    metric that is logged a second time begins the next step.
    """

    def __init__(self) -> None:
        self.current = 0
        self.calls = 0  # of watched models, in training or not
        self.driven = False  # by an optimizer
        self.is_taken = False  # the optimizer has stepped in the current step
        self._ever_taken = False
        self._early: list[dict[str, Any]] = []  # what was logged before the first step, by repeats
        self._logged: set[str] = set()
        self._by_log = False  # the current step was begun by a metric

    def drive(self) -> None:
        """An optimizer counts from now on; a step that only metrics have told of is over."""
        self.driven = True
        self.is_taken = self.is_taken or self._by_log

    def release(self) -> None:
        """No optimizer counts any more."""
        self.driven = False

    def begin(self) -> None:
        """Something that belongs to the next step happens."""
        if self.is_taken:
            self.advance()

    def advance(self) -> None:
        """The next step begins."""
        self.current += 1
        self.is_taken = self._by_log = False
        self._logged.clear()

    def take(self) -> None:
        """The optimizer has stepped."""
        self.is_taken = self._ever_taken = True
        if self._early:
            self._early.clear()

    @property
    def upcoming(self) -> int:
        """The step that the next forward belongs to."""
        return self.current + 1 if self.is_taken else self.current

    def for_log(self, metrics: Values, *, tell: Callable[[str], None], replay: Callable[[int, Values], object]) -> int:
        """The step that metrics logged now belong to. An optimizer that never steps, because a compiler or a CUDA graph
        steps in its place, is given up in time: ``tell`` is told, and ``replay`` called with the steps to which what
        was logged until then belonged."""
        if self.driven and self._ever_taken:
            self._logged.update(metrics)
            return self.current
        if self.driven:
            if not self._early or not self._early[-1].keys().isdisjoint(metrics):
                self._early.append({})
            self._early[-1].update(metrics)
            if len(self._early) <= MOST_REPEATS:
                self._logged.update(metrics)
                return self.current
            self._give_up(tell, replay)
        elif not self._logged.isdisjoint(metrics):
            self.advance()
            self._by_log = True
        self._logged.update(metrics)
        return self.current

    def _give_up(self, tell: Callable[[str], None], replay: Callable[[int, Values], object]) -> None:
        self.driven = False
        tell(
            "the watched optimizer's steps are not seen (is its step compiled, or another model trained?): log() "
            "counts the steps"
        )
        for values in self._early[:-1]:
            replay(self.current, values)
            self.advance()
        self._early.clear()
        self._by_log = True
