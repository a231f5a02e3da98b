"""What the SDK says in the terminal: one line each, on stderr, nothing twice."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainvitals.wire.messages import Finding


class Console:
    """Says every line once, however often it is asked to."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, line: str, *, once: str | None = None) -> None:
        """Print a line, unless one with the same ``once`` key was said before."""
        key = once or line
        if key in self._said:
            return
        self._said.add(key)
        with contextlib.suppress(OSError, ValueError):  # a closed stderr must not stop a training
            print(f"trainvitals: {line}", file=sys.stderr, flush=True)

    def forget(self, once: str) -> bool:
        """Let a line be said again, for what it tells of is over; False if it was not said."""
        said = once in self._said
        self._said.discard(once)
        return said

    def finding(self, finding: Finding) -> None:
        """Print a finding as it opens or resolves."""
        if finding.state == "resolved":
            self.say(f"resolved: {finding.summary}", once=f"{finding.finding_id} resolved")
        else:
            self.say(
                f"{finding.severity} at step {finding.first_step}: {finding.summary}",
                once=f"{finding.finding_id} {finding.severity}",
            )
