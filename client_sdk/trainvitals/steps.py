"""Which step the training is on, and which steps are sampled."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """The first ``dense`` steps, then every ``every``-th."""

    every: int
    dense: int

    def wants(self, step: int) -> bool:
        """Whether a step is sampled."""
        return step < self.dense or step % self.every == 0


class StepCounter:
    """Counts optimizer steps from 0. The current step goes on after ``optimizer.step()`` until the next one begins.

    It begins with the next training forward of the watched model, or the next ``optimizer.step()``, so that what is
    logged before or after ``optimizer.step()`` of one iteration lands on one step. Where no optimizer is watched, a
    metric that is logged a second time begins the next step.
    """

    def __init__(self) -> None:
        self.current = 0
        self.driven = False  # by an optimizer
        self._taken = False
        self._logged: set[str] = set()

    def begin(self) -> None:
        """Something that belongs to the next step happens."""
        if self._taken:
            self.advance()

    def advance(self) -> None:
        """The next step begins."""
        self.current += 1
        self._taken = False
        self._logged.clear()

    def take(self) -> None:
        """The optimizer has stepped."""
        self._taken = True

    @property
    def upcoming(self) -> int:
        """The step that the next forward belongs to."""
        return self.current + 1 if self._taken else self.current

    def for_log(self, metrics: list[str]) -> int:
        """The step that metrics logged now belong to."""
        if self.driven:
            return self.current
        if not self._logged.isdisjoint(metrics):
            self.advance()
        self._logged.update(metrics)
        return self.current
