"""The checklist of a run, stage by stage, and what changed since another run; both answered by the server."""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

from trainvitals.wire.answers import RunSummary
from trainvitals.wire.preflight import CheckStatus

StageName = Literal[
    "start simple", "confirm the loss", "check the inside", "diagnose the settings", "track the work"
]  # the first three are those of a preflight
LineSource = Literal["preflight", "rule", "record"]

STAGE_NAMES: Final[tuple[StageName, ...]] = get_args(StageName)


class ChecklistLine(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule, a check of the preflight, or the record of the run has to say. ``unknown``: it is not known yet, or
    only worth knowing, and ``advice`` says how to find out. ``finding_id``: the finding that says it. ``lacking``: a
    rule cannot look, however long the training goes on, unless it is given what ``summary`` says is missing."""

    name: str
    source: LineSource
    status: CheckStatus
    summary: str
    advice: list[str] = []  # sentences, or code
    finding_id: str | None = None
    lacking: bool = False


class StageOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A stage: failed if one of its lines is, else unknown if one is, else passed. ``lines``: what failed first."""

    stage: StageName
    status: CheckStatus
    lines: list[ChecklistLine] = []


class Checklist(msgspec.Struct, frozen=True, kw_only=True):
    """The five stages of a run, in their order."""

    run_id: str
    stages: list[StageOutcome]

    def blind(self) -> list[list[ChecklistLine]]:
        """The lines of rules that cannot look, those together that lack the same; most first."""
        by_want: dict[str, list[ChecklistLine]] = {}
        for line in (line for stage in self.stages for line in stage.lines if line.lacking):
            by_want.setdefault(line.summary, []).append(line)
        return sorted(by_want.values(), key=len, reverse=True)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that differs, in words. None: it was not there."""

    name: str
    before: str | None = None
    now: str | None = None


class Parting(msgspec.Struct, frozen=True, kw_only=True):
    """Where the losses of two runs part. ``same_until``: the last step up to which they are equal to the last bit;
    ``apart_from``: the step from which they stay apart, beyond their noise. ``before`` and ``now``: what they are at
    ``step``, the last that both have; "NaN", "Infinity" and "-Infinity" as words."""

    metric: str
    step: int
    before: float | str
    now: float | str
    same_until: int | None = None
    apart_from: int | None = None


class LayerDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of two runs that differs in a stat from a step on: its values at that step, where numbers differ at
    all; their medians from there on, where they go another way. "Infinity" stands for all that is not finite.
    ``layers``: how many differ with it, itself among them."""

    layer: str
    stat: str
    step: int
    before: float | str
    now: float | str
    layers: int = 1


class LayerParting(msgspec.Struct, frozen=True, kw_only=True):
    """Where the layers of two runs part. ``first``: the first whose numbers differ at all, of those that both told up
    to step ``same_steps`` at the most; ``apart``: the first that is twice as large, or half, beyond the noise, and
    stays so up to step ``compared_until``, None where there is too little to tell. None: none does."""

    first: LayerDifference | None = None
    apart: LayerDifference | None = None
    same_steps: int | None = None
    compared_until: int | None = None


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between a run and the one that it is held ``against``: None, and all empty, where there is none.
    ``unknown``: of "code" and "data" those that were recorded of neither, so that no difference says nothing."""

    run_id: str
    against: RunSummary | None = None
    settings: list[Change] = []
    optimizers: list[Change] = []
    code: list[Change] = []
    data: list[Change] = []
    environment: list[Change] = []
    layers: list[Change] = []
    parting: Parting | None = None
    layer_parting: LayerParting | None = None
    unknown: list[str] = []
