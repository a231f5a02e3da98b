"""Which steps are sampled: densely at first, then as often as the budget allows."""

from __future__ import annotations

from collections import deque
from typing import Final

from trainvitals.wire.capture import CAPTURE_STEPS, CaptureOutcome

FIRST_DENSE: Final = (10, 50)  # steps from the start, each sampled: at least, and at most
FOR_SNAPSHOTS: Final = (0.25, 0.75)  # of the budget: at least, and at most, as not all that they cost is seen
DENSE_SHARE: Final = 0.5  # of what the budget allows for the first thousand steps
INTERVALS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
FIRST_INTERVAL: Final = 10  # until it is known what snapshots cost
FIRST_STEPS: Final = 1000  # of which …
FIRST_SNAPSHOTS: Final = 50  # … so many are sampled, whatever it costs: a short run is to tell something
MAX_FIRST_INTERVAL: Final = 50
EVEN: Final = 4  # such intervals are multiples of: what ranks agreed upon is not changed for a step more or less
LOOK_IN_DEPTH: Final = 5  # every so many snapshots, with the stats that are looked at less often
TAKE_HISTOGRAMS: Final = 2 * LOOK_IN_DEPTH  # every so many snapshots, which then look in depth as well
COSTS: Final = TAKE_HISTOGRAMS  # snapshots to judge by, so that all sorts count as often as they come
WARM_UP: Final = 3  # snapshots that pay for memory and kernels that later ones find there
MOST_TIMES: Final = 3  # the second dearest, as which the dearest counts at the most: the machine was busy elsewhere
TOGETHER: Final = 100  # the longest interval of ranks, which are to have sampled steps in common
CALM: Final = 1.3  # how far under the budget a denser interval has to be, lest it goes back and forth
CAPTURE_PAUSE: Final = 500  # steps from one capture to the next: findings come in swarms


class Sampling:
    """Says of each step whether it is sampled. ``every``: a fixed interval, which costs what it costs; None: the
    shortest of ``INTERVALS`` whose cost stays within ``budget``, a share of the training's time. ``dense``: steps from
    the start of which each is sampled; None: 10 to 50, by what they cost, or 50 where ``every`` is fixed. Ranks choose
    each by its own costs; one that is not ``is_alone`` keeps to ``INTERVALS`` throughout, so that many of their sampled
    steps are the same, and can be held against each other."""

    def __init__(self, *, every: int | None, budget: float, dense: int | None = None, is_alone: bool = True) -> None:
        self.interval = every or FIRST_INTERVAL
        self._fixed = every is not None
        self._is_alone = is_alone
        self._budget = budget
        least, most = FIRST_DENSE if dense is None else (dense, dense)
        self._dense_until = most if self._fixed else least
        self._most_dense = most
        self._spent = 0.0
        self._capture_from = 0
        self._captures_left = 0
        self._snapshots = 0
        self._costs: deque[float] = deque(maxlen=COSTS)

    def take(self, step: int) -> bool:
        """Whether a step is sampled; to be asked once for each."""
        if self._captures_left:
            self._captures_left -= 1
            return True
        return step < self._dense_until or step % self.interval == 0

    def looks_in_depth(self) -> bool:
        """Whether the snapshot that begins is one that looks in depth."""
        return self._snapshots % LOOK_IN_DEPTH == 0

    def takes_histograms(self) -> bool:
        """Whether the snapshot that begins is one with histograms."""
        return self._snapshots % TAKE_HISTOGRAMS == 0

    def note(self, step: int, *, cost_seconds: float, step_seconds: float, always_seconds: float = 0.0) -> None:
        """A snapshot was taken at ``step``; it cost so much, where a step without takes ``step_seconds``, of which
        hooks that stay, and ``log()``, take ``always_seconds``."""
        self._snapshots += 1
        self._spent += cost_seconds
        if self._dense_until < self._most_dense and step + 2 > self._dense_until:
            allowed = DENSE_SHARE * self._budget * FIRST_STEPS * step_seconds
            self._dense_until += 1 if self._spent < allowed else 0
        if self._snapshots > WARM_UP:
            self._costs.append(cost_seconds)
        if self._fixed or len(self._costs) < LOOK_IN_DEPTH or step_seconds <= 0:
            return
        *others, dearest = sorted(self._costs)
        mean = (sum(others) + min(dearest, MOST_TIMES * others[-1])) / len(self._costs)
        lower, upper = (share * self._budget for share in FOR_SNAPSHOTS)
        left = min(max(lower, self._budget - always_seconds / step_seconds), upper)
        needed = mean / (left * step_seconds)
        longest = self._longest(step)
        interval = min(_shortest(needed), longest)
        if interval < self.interval:
            interval = min(_shortest(needed * CALM), self.interval, longest)
        self.interval = interval

    def _longest(self, step: int) -> int:
        """The longest interval that still gives the first steps their snapshots."""
        if step >= FIRST_STEPS:
            return INTERVALS[-1] if self._is_alone else TOGETHER
        missing = FIRST_SNAPSHOTS - self._snapshots
        if missing <= 0:
            return MAX_FIRST_INTERVAL
        longest = min((FIRST_STEPS - step) // (missing + 1), MAX_FIRST_INTERVAL)
        if not self._is_alone:
            return max((interval for interval in INTERVALS if interval <= longest), default=1)
        return max(1, longest if longest < EVEN else longest - longest % EVEN)

    def capture(self, step: int) -> tuple[CaptureOutcome, int]:
        """Sample the steps that come, each: something has been found, or somebody wants to see. On any thread. Whether
        it has begun, and at which step, or may begin again."""
        if step < self._capture_from:
            return "too soon", self._capture_from
        self._captures_left = CAPTURE_STEPS
        self._capture_from = step + CAPTURE_PAUSE
        return "begun", step


def _shortest(needed: float) -> int:
    return next((interval for interval in INTERVALS if interval >= needed), INTERVALS[-1])
