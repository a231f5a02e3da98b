"""What the SDK tells of a run besides its frames, and what the server answers."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

RunStatus = Literal["running", "finished", "failed", "stopped", "lost"]
Severity = Literal["info", "warning", "critical"]
Likelihood = Literal["likely", "possible", "unlikely"]
FindingState = Literal["open", "acknowledged", "snoozed", "resolved"]
Act = Literal["acknowledge", "snooze", "resolve", "reopen", "comment"]


class RunStart(msgspec.Struct, frozen=True, kw_only=True):
    """A run begins. ``PUT /api/v1/runs/{run_id}``; sending it again changes nothing. Each of the ``ranks`` processes
    that train together may send it: what rank 0 says counts. ``mute``: rules that are not to judge this run."""

    project: str
    name: str
    started_at: float
    config: dict[str, Any] = {}  # Any: settings are the user's own
    tags: list[str] = []
    group: str | None = None
    environment: dict[str, Any] = {}  # Any: versions, host, command line, code revision
    planned_steps: int | None = None
    rank: int = 0
    ranks: int = 1
    mute: list[str] = []


class InitialWeights(msgspec.Struct, frozen=True, kw_only=True):
    """The first weight matrix of a layer when watching began: standard deviation and absolute maximum, how many inputs
    a unit has, and whether all of its rows, the units, were equal. Of a large one a few values stand for all."""

    std: float
    largest: float
    fan_in: int
    equal_rows: bool = False


class LayerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A layer as the model declares it. ``kind`` is the module's class name; ``parameters`` counts its own scalars.
    ``settings`` are numbers that the module was made with, by their names in PyTorch (p, eps, out_features …);
    ``dtype`` is how its largest parameter is kept, by PyTorch's name (float32, bfloat16 …), empty if not known."""

    name: str
    kind: str
    parameters: int = 0
    trainable: int = 0
    in_optimizer: bool = True
    source: str | None = None  # "file:line" where known
    settings: dict[str, float] = {}
    initial: InitialWeights | None = None
    dtype: str = ""


class ParameterGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One of the optimizer's parameter groups, with its numeric settings (lr, momentum, weight_decay …)."""

    settings: dict[str, Any] = {}  # Any: whatever the optimizer calls a setting
    layers: list[str] = []


class OptimizerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An optimizer that the run watches."""

    kind: str
    groups: list[ParameterGroup] = []
    source: str | None = None  # "file:line" where known


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched, layers in the order of ``named_modules()``. ``since_step``: at which layers were last frozen or
    thawed; snapshots before it tell nothing of them as they are now. ``PUT /api/v1/runs/{run_id}/model``."""

    layers: list[LayerInfo]
    optimizers: list[OptimizerInfo] = []
    since_step: int = 0


class RunEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended, as one of its ranks has it. ``PUT /api/v1/runs/{run_id}/end``."""

    status: Literal["finished", "failed", "stopped"]
    ended_at: float
    last_step: int | None = None
    error: str | None = None
    rank: int = 0


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers that made a rule speak: enough to redraw the chart. ``is_drawn``: the threshold is on the scale of
    the series, and may be drawn beside it."""

    stat: str | None = None
    metric: str | None = None
    layers: list[str] = []
    value: float | str | None = None  # "NaN", "Infinity" and "-Infinity" as words
    threshold: float | None = None
    comparison: Literal[">", "<", "="] = ">"
    is_drawn: bool = True
    first_step: int = 0
    last_step: int = 0
    numbers: dict[str, float | str] = {}  # label for people → value


class Argument(msgspec.Struct, frozen=True, kw_only=True):
    """What a run's own numbers say for or against one of a finding's causes, in words: ``because``."""

    cause: str
    likelihood: Likelihood
    because: str


class FindingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a finding at ``at`` (Unix seconds), and ``by`` whom; an empty name is the server itself. ``step``:
    how far the run had come then; None where an older server wrote it down."""

    at: float
    state: FindingState
    severity: Severity
    by: str = ""
    comment: str = ""
    step: int | None = None


class FindingAct(msgspec.Struct, frozen=True, kw_only=True):
    """What a person does about a finding. ``POST /api/v1/runs/{run_id}/findings/{finding_id}``. ``steps``: for how many
    it is snoozed."""

    act: Act
    by: str = "somebody"
    comment: str = ""
    steps: int = 1000


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule says is wrong, from ``first_step`` to ``last_step``; ``opened_step`` is how far the run had come when
    it was found. ``cause_id``: the finding from which this one follows, while both stand.
    ``history``: what became of it, oldest first; ``closed_by`` the person who resolved it, so that it opens again only
    if it grows graver; ``snoozed_until``: the step at which it is open again."""

    finding_id: str
    run_id: str
    rule: str
    severity: Severity
    state: FindingState = "open"
    layers: list[str] = []
    where: str = ""  # the layers grouped for people: "blocks.20–23.mlp"
    first_step: int
    last_step: int
    opened_step: int = 0
    summary: str
    evidence: Evidence = Evidence()
    causes: list[str] = []  # the likeliest first
    arguments: list[Argument] = []  # of the causes of which the run tells something
    advice: list[str] = []
    opened_at: float = 0.0
    updated_at: float = 0.0
    resolved_at: float | None = None
    cause_id: str | None = None
    history: list[FindingEvent] = []
    closed_by: str | None = None
    snoozed_until: int | None = None


class RunAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """The server knows the run; ``path`` is its page's path on the server. ``remarks``: what of the start means nothing
    to the server, in plain words."""

    run_id: str
    path: str
    remarks: list[str] = []


class RunEnded(msgspec.Struct, frozen=True, kw_only=True):
    """The server knows how the run ended. ``findings``: those still open; ``health``: 0 to 100, None if not judged.
    ``rules``: how many concern the run, ``in_the_dark`` of which had too little to say anything; ``has_loss``: whether
    a metric is known as the training loss."""

    health: int | None = None
    findings: list[Finding] = []
    rules: int = 0
    in_the_dark: int = 0
    has_loss: bool = True


class FrameAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """The frame is stored for good. ``findings``: those that opened, changed their severity or were resolved since the
    writer's last acknowledgement. ``capture``: the number of a request for a close look that waits for the training."""

    seq: int
    duplicate: bool = False
    findings: list[Finding] = []
    capture: int | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error, as RFC 9457 (problem+json) has it. ``place``: of the characters that are at fault in what was asked the
    first, and the one after the last, counted from 0."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    place: tuple[int, int] | None = None
