"""A preflight's outcome as a script holds it, and as the terminal shows it."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import Final

from trainvitals.wire.preflight import STAGES, CheckStatus, PreflightCheck, PreflightReport

MARKS: Final[dict[CheckStatus, str]] = {"passed": "✓", "failed": "✗", "unknown": "?"}
WIDTH: Final = 110
NAME_WIDTH: Final = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What ``trainvitals.preflight`` found; its text is the checklist. ``model``: the class of what was checked."""

    model: str
    seconds: float
    note: str = ""
    checks: tuple[PreflightCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed; what is unknown holds nobody back."""
        return not self.failed

    @property
    def failed(self) -> tuple[PreflightCheck, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status == "failed")

    def __getitem__(self, name: str) -> PreflightCheck:
        """The check of that name. Raises KeyError."""
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(f"no check {name!r}: there are {', '.join(check.name for check in self.checks)}")

    def __str__(self) -> str:
        counts = Counter(check.status for check in self.checks)
        found = ", ".join(f"{counts[status]} {status}" for status in MARKS if counts[status])
        lines = [f"preflight of {self.model}: {found or 'nothing checked'} ({self.seconds:.1f} s)"]
        lines += [f"  {self.note}"] if self.note else []
        for stage in STAGES:
            checks = [check for check in self.checks if check.stage == stage]
            lines += [f"  {stage}"] if checks else []
            for check in checks:
                lines += _told(check)
        return "\n".join(lines)


def message(report: Preflight) -> PreflightReport:
    """The report as it travels."""
    return PreflightReport(checks=list(report.checks))


def _told(check: PreflightCheck) -> list[str]:
    title = f"    {MARKS[check.status]} {check.name.replace('_', ' '):{NAME_WIDTH}} "
    lines = textwrap.wrap(check.summary, WIDTH, initial_indent=title, subsequent_indent=" " * len(title))
    indent = " " * len(title)
    for advice in check.advice:
        lines += textwrap.wrap(advice, WIDTH, initial_indent=f"{indent}→ ", subsequent_indent=f"{indent}  ")
    return lines
