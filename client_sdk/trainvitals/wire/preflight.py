"""What a preflight came to, as the SDK tells it and as pages show it."""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

Stage = Literal["start simple", "confirm the loss", "check the inside"]
CheckStatus = Literal["passed", "failed", "unknown"]

STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
MAX_CHECKS: Final = 200
MAX_TEXT: Final = 4_000  # of a summary, a label or one line of advice
MAX_LINES: Final = 50  # of numbers or advice in one check


class PreflightCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the checklist. ``unknown``: it could not be decided, and ``advice`` says how to find out."""

    name: str
    stage: Stage
    status: CheckStatus
    summary: str
    numbers: dict[str, float | str] = {}  # label for people → value; "NaN", "Infinity" and "-Infinity" as words
    advice: list[str] = []  # sentences, or code


class PreflightReport(msgspec.Struct, frozen=True, kw_only=True):
    """The newest preflight of a run. ``PUT /api/v1/runs/{run_id}/preflight``; it replaces the one before."""

    checks: list[PreflightCheck]
