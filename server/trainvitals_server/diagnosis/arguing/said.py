"""What is said of one cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trainvitals.wire.messages import Likelihood
from trainvitals_server.diagnosis.window import Window


@dataclass(frozen=True, slots=True)
class Said:
    """How likely a cause is, and why, in words with the run's numbers."""

    likelihood: Likelihood
    because: str


Consideration = Callable[[Window], Said | None]  # None where the run tells nothing of it
RANKS: Final[dict[Likelihood, int]] = {"likely": 0, "possible": 1, "unlikely": 2}
