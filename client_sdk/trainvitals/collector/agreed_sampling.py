"""Which steps are sampled where ranks have to sample the same ones, each holding a part of what is measured."""

from __future__ import annotations

from trainvitals.collector.plan import Plan
from trainvitals.collector.sampling import (
    CAPTURE_PAUSE,
    FIRST_DENSE,
    LOOK_IN_DEPTH,
    TAKE_HISTOGRAMS,
    TOGETHER,
    Sampling,
)
from trainvitals.wire.capture import CAPTURE_STEPS, CaptureOutcome


class AgreedSampling(Sampling):
    """As ``Sampling``, by a plan. The rank that ``leads`` changes it, by what snapshots cost there."""

    def __init__(self, plan: Plan, *, leads: bool, every: int | None, budget: float, dense: int | None) -> None:
        least, most = FIRST_DENSE  # steps cannot be agreed upon one by one
        if dense is None:
            dense = least if every is None else most
        super().__init__(every=every, budget=budget, dense=dense)
        self._plan = plan
        self._leads = leads
        self._in_depth = self._with_histograms = False
        self._step_seconds = 0.0

    def take(self, step: int) -> bool:
        """Whether a step is sampled; to be asked once for each."""
        interval = 1 if step < self._dense_until else self._plan.interval_at(step)
        self._in_depth = step // interval % LOOK_IN_DEPTH == 0
        self._with_histograms = step // interval % TAKE_HISTOGRAMS == 0
        return step % interval == 0

    def looks_in_depth(self) -> bool:
        """Whether the snapshot that begins is one that looks in depth."""
        return self._in_depth

    def takes_histograms(self) -> bool:
        """Whether the snapshot that begins is one with histograms."""
        return self._with_histograms

    def note(self, step: int, *, cost_seconds: float, step_seconds: float, always_seconds: float = 0.0) -> None:
        """A snapshot was taken at ``step``; it cost so much, where a step without takes ``step_seconds``."""
        super().note(step, cost_seconds=cost_seconds, step_seconds=step_seconds, always_seconds=always_seconds)
        self._step_seconds = step_seconds
        if self._leads and self.interval != self._plan.usual:
            self._plan.change(step=step, interval=self.interval, step_seconds=step_seconds)

    def _longest(self, step: int) -> int:
        return min(super()._longest(step), TOGETHER)  # a change takes effect some snapshots later

    def capture(self, step: int) -> tuple[CaptureOutcome, int]:
        """Sample twenty steps, each, some seconds from now. On any thread."""
        if not self._leads:
            return "not watched", 0
        if step < self._capture_from:
            return "too soon", self._capture_from
        self._capture_from = step + CAPTURE_PAUSE
        first = self._plan.change(step=step, interval=1, step_seconds=self._step_seconds, for_steps=CAPTURE_STEPS)
        return "begun", first
