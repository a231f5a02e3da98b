"""What people say of a probe, as something that looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trainvitals.collector.options import whole
from trainvitals.inside.looking import Looking, Taken
from trainvitals.inside.pacing import Pacing
from trainvitals.inside.probe import MAX_EXAMPLES, read_probe


def looking(  # Any: whatever people give
    batch: Any,
    *,
    every: Any,
    examples: Any,
    target: Any,
    budget: float,
    hand_over: Callable[[Taken], None] | None,
    tell: Callable[[str], None],
) -> Looking | None:
    """See Run.probe; None where there is nobody to hand a look to. Raises TypeError, ValueError."""
    interval = whole("every", every, least=1, means="look after every step (1) or fewer")
    few = whole("examples", examples, least=1, means="it is how many examples are kept") or 1
    probe = read_probe(batch, examples=min(few, MAX_EXAMPLES), target=target)
    if hand_over is None:
        return None
    return Looking(probe, Pacing(every=interval, budget=budget), hand_over=hand_over, tell=tell)
