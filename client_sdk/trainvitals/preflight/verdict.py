"""What a check says of a case."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from trainvitals.wire.preflight import CheckStatus

UNFREEZE: Final = "If that is not meant: model.requires_grad_(True)"
Numbers = Mapping[str, float | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A status, a sentence with its numbers, and what to do about it."""

    status: CheckStatus
    summary: str
    numbers: dict[str, float | str] = field(default_factory=dict)
    advice: list[str] = field(default_factory=list)


def passed(summary: str, numbers: Numbers | None = None, *, advice: Sequence[str] = ()) -> Verdict:
    """All is well, as far as this check can see."""
    return _verdict("passed", summary, numbers, advice)


def failed(summary: str, numbers: Numbers | None = None, *, advice: Sequence[str] = ()) -> Verdict:
    """Something is wrong, beyond doubt."""
    return _verdict("failed", summary, numbers, advice)


def unknown(summary: str, numbers: Numbers | None = None, *, advice: Sequence[str] = ()) -> Verdict:
    """It could not be decided; ``advice`` says how to find out."""
    return _verdict("unknown", summary, numbers, advice)


def shown(value: float) -> str:
    """A number as people read it."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e+")


def _verdict(status: CheckStatus, summary: str, numbers: Numbers | None, advice: Sequence[str]) -> Verdict:
    return Verdict(
        status=status,
        summary=summary,
        numbers={label: _carried(value) for label, value in (numbers or {}).items()},
        advice=list(advice),
    )


def _carried(value: float | str) -> float | str:
    """JSON has no words for what is not finite."""
    if isinstance(value, str) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
