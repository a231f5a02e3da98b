"""What the SDK says in the terminal: one line each, on stderr, nothing twice."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainvitals.run import EndStatus
    from trainvitals.wire.messages import Finding, RunEnded
    from trainvitals.wire.notes import Alert

SEVERITIES: Final = ("critical", "warning", "info")
LOSS_UNKNOWN: Final = 'no metric is known as the loss: log it as "loss", or run.define_metric("…", role="loss")'


class Console:
    """Says every line once, however often it is asked to. ``name``: of the run, for several may share a terminal. Of
    a run's ranks the first tells what becomes of it, the others what goes wrong with them."""

    def __init__(self, name: str | None = None, *, rank: int = 0) -> None:
        self._name = f"{name}: " if name else ""
        self._rank = rank
        self._speaker = f"trainvitals, rank {rank}" if rank else "trainvitals"
        self._said: set[str] = set()

    def named(self, name: str) -> Console:
        """The same, for another run."""
        other = Console(name)
        other._said = self._said
        return other

    def say(self, line: str, *, once: str | None = None) -> None:
        """Print a line, unless one with the same ``once`` key was said before."""
        key = once or line
        if key in self._said:
            return
        self._said.add(key)
        with contextlib.suppress(OSError, ValueError):  # a closed stderr must not stop a training
            print(f"{self._speaker}: {line}", file=sys.stderr, flush=True)

    def forget(self, once: str) -> bool:
        """Let a line be said again, for what it tells of is over; False if it was not said."""
        said = once in self._said
        self._said.discard(once)
        return said

    def finding(self, finding: Finding, *, url: str) -> None:
        """Print a finding as it opens, or as it resolves where it was told of, with the address that shows it."""
        if self._rank:
            return
        id_, rule = finding.finding_id, finding.rule
        where = f" in {finding.where}" if finding.where else ""
        link = f"{url}?finding={id_}"
        if finding.state == "resolved":
            told = [self.forget(f"{id_} {severity}") for severity in SEVERITIES]
            if any(told):
                self.say(f"{self._name}resolved: {rule}{where} {link}", once=f"{id_} resolved")
            return
        self.forget(f"{id_} resolved")
        is_known = any(f"{id_} {severity}" in self._said for severity in SEVERITIES)
        now = "now " if is_known else ""  # the same finding, grown graver
        self.say(f"{self._name}{now}{in_words(finding)} {link}", once=f"{id_} {finding.severity}")

    def findings(self, findings: Sequence[Finding], *, url: str) -> None:
        """Print those that came at once, in the order in which findings are told; one that changed twice since, as it
        is now."""
        from trainvitals.wire.ordering import in_order

        for finding, _ in in_order(findings):
            self.finding(finding, url=url)

    def remark(self, remark: str) -> None:
        """Print what the server has to say of how a run began."""
        if not self._rank:
            self.say(f"{self._name}{remark}")

    def alert(self, alert: Alert) -> None:
        """Print what the script itself tells; the same words again at another step."""
        text = f": {alert.text}" if alert.text else ""
        self.say(f"{self._name}{alert.level} at step {alert.step or 0:,}: {alert.title}{text}")

    def ending(self, ending: RunEnded, *, status: EndStatus, url: str) -> None:
        """Print what a run came to, and what was found in it."""
        if self._rank:
            return
        self.findings(ending.findings, url=url)
        if ending.health is None:
            return
        counts = Counter(finding.severity for finding in ending.findings)
        found = ", ".join(
            f"{counts[severity]} {severity}{'s' if severity == 'warning' and counts[severity] > 1 else ''}"
            for severity in SEVERITIES
            if counts[severity]
        )
        ended = "ended" if status == "finished" else f"{status},"
        doubt = ""
        if not ending.has_loss:
            doubt = f", but {LOSS_UNKNOWN}"
        elif 2 * ending.in_the_dark > ending.rules:
            doubt = f", but {ending.in_the_dark} of {ending.rules} rules had too little to go by"
        if not found and (doubt or status == "failed"):  # a full health would say too much
            self.say(f"{self._name}{ended.rstrip(',')}, nothing found{doubt}: {url}")
            return
        self.say(f"{self._name}{ended} with health {ending.health} of 100, {found or 'nothing found'}: {url}")


def in_words(finding: Finding) -> str:
    """A finding in one line: how grave, since when, what, where."""
    where = f" in {finding.where}" if finding.where else ""
    return f"{finding.severity} since step {finding.first_step:,}: {finding.summary} ({finding.rule}{where})"
