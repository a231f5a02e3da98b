"""What the server answers to questions about runs."""

from __future__ import annotations

from typing import Any

import msgspec

from trainvitals.wire.capture import Capture
from trainvitals.wire.floats import Floats
from trainvitals.wire.histograms import ValueKind
from trainvitals.wire.looks import Picture, PictureKind
from trainvitals.wire.messages import Finding, LayerInfo, OptimizerInfo, RunStatus
from trainvitals.wire.notes import Notes
from trainvitals.wire.preflight import PreflightCheck


class MetricLast(msgspec.Struct, frozen=True, kw_only=True):
    """The newest point of a metric. ``value`` is a word ("NaN", "Infinity", "-Infinity") if it is not finite."""

    step: int
    value: float | str


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the runs table. ``health``: 0 to 100; None before anything was judged. ``little_known``: most rules that
    concern the run have too little to go by, so that finding nothing says little. ``heartbeat_at``: when the training
    was last heard of, ``data_at`` when its last frame came, None before the first since it was last started;
    ``data_every``: how many seconds apart frames usually come. ``loss``: the metric that is known as the training
    loss; the sparkline is of it. ``settings``: of those that were asked for the ones that it has, as they are shown.
    ``deleted``: it is in the bin, from which it can be taken back for a minute."""

    run_id: str
    project: str
    name: str
    status: RunStatus
    created_at: float
    heartbeat_at: float
    data_at: float | None = None
    data_every: float | None = None
    ended_at: float | None = None
    last_step: int | None = None
    tags: list[str] = []
    group: str | None = None
    health: int | None = None
    little_known: bool = False
    open_findings: dict[str, int] = {}  # severity → how many are open
    last: dict[str, MetricLast] = {}
    loss: str | None = None
    sparkline: Floats = msgspec.field(default_factory=Floats)
    ranks: int = 1  # processes that train together
    memo: str = ""
    archived: bool = False
    deleted: bool = False
    settings: dict[str, str] = {}


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the runs table; ``total`` counts all rows that the filter lets through."""

    runs: list[RunSummary]
    total: int


class RunDetail(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a run but its series."""

    summary: RunSummary
    config: dict[str, Any] = {}  # Any: settings are the user's own
    environment: dict[str, Any] = {}  # Any: as the SDK reported it
    attempt: int = 0
    resumed_from: int | None = None  # the step from which the newest attempt goes on
    planned_steps: int | None = None
    error: str | None = None
    layers: list[LayerInfo] = []
    optimizers: list[OptimizerInfo] = []
    since_step: int = 0  # as in ModelInfo
    metrics: list[str] = []
    stats: list[str] = []
    recorded_layers: list[str] = []  # the rows of heatmaps, in order
    notes: Notes = Notes()
    preflight: list[PreflightCheck] = []
    capture: Capture | None = None
    muted: list[str] = []  # rules that the script muted for this run
    feed: int | None = None  # where its live feed stood before this was read, for who asks to follow it


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """A series thinned to a number of buckets. ``low``, ``mean`` and ``high`` are over a bucket's finite values (NaN
    where there are none); ``nonfinite`` counts the others. Bucket i goes from ``steps[i]`` to ``last_steps[i]``. Where
    ``bucket`` is 1 the points are exact.
    """

    run_id: str
    metric: str | None = None
    stat: str | None = None
    layer: str | None = None
    steps: list[int]
    last_steps: list[int]
    low: Floats
    mean: Floats
    high: Floats
    nonfinite: list[int]
    bucket: int = 1
    rank: int = 0


class RankCurves(msgspec.Struct, frozen=True, kw_only=True):
    """A metric as each rank recorded it, ascending; a rank that did not is left out. ``metric`` is as it was asked for;
    ``metrics``: what ranks beyond the first recorded, in order of first sight."""

    run_id: str
    metric: str
    metrics: list[str] = []
    curves: list[Curve] = []


class Heatmap(msgspec.Struct, frozen=True, kw_only=True):
    """One stat of all layers over the run: ``mean`` and ``high`` are float32 [layers, buckets], layer-major; ``steps``
    are the buckets' first steps; ``nonfinite`` counts what was not finite, [layers, buckets]."""

    run_id: str
    stat: str
    layers: list[str]
    steps: list[int]
    last_step: int
    mean: Floats
    high: Floats
    nonfinite: list[int]


class LayerHistograms(msgspec.Struct, frozen=True, kw_only=True):
    """Histograms of one layer and kind of values over the run. ``shares`` is float32 [steps, bins], step-major: of all
    values those from one of ``edges`` (float32 [bins + 1], infinite at both ends) to the next; ``nonfinite`` is float32
    [steps]: of all values those that are not finite."""

    run_id: str
    layer: str
    kind: ValueKind
    edges: Floats
    steps: list[int]
    shares: Floats
    nonfinite: Floats


class LookedAt(msgspec.Struct, frozen=True, kw_only=True):
    """A layer of which there are pictures: of these kinds, at these steps (ascending). ``shape``: of what it gave out
    last, the examples first; empty where that was not seen."""

    layer: str
    kinds: list[PictureKind]
    steps: list[int]
    shape: list[int] = []


class Looks(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of looks inside a run: all of their steps (ascending), and the layers in the model's order; the
    layer "" is of the examples themselves. Empty before the first look."""

    run_id: str
    steps: list[int] = []
    layers: list[LookedAt] = []


class LookedInto(msgspec.Struct, frozen=True, kw_only=True):
    """The pictures of one layer at one step."""

    run_id: str
    layer: str
    step: int
    pictures: list[Picture]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The newest snapshot: stat → float32 [layers]."""

    run_id: str
    step: int
    layers: list[str]
    stats: dict[str, Floats]


class FindingList(msgspec.Struct, frozen=True, kw_only=True):
    """Findings, in the order of ``ordering``. ``layer_health``: 0 to 100, of layers that findings concern."""

    findings: list[Finding]
    layer_health: dict[str, int] = {}


class LiveUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What is new of a run since ``since``: points of metrics, columns of heatmaps, changed findings, its row.

    ``reset``: the gap is too long; ask again from the start. ``noted``: there are new notes; ask for the run.
    ``looked``: there is a new look inside; ask for the looks.
    """

    seq: int
    sent_at: float = 0.0
    reset: bool = False
    metrics: dict[str, tuple[list[int], Floats]] = {}
    layer_steps: list[int] = []
    layers: list[str] = []
    stats: dict[str, Floats] = {}  # stat → float32 [steps, layers], step-major
    findings: list[Finding] = []
    run: RunSummary | None = None
    noted: bool = False
    looked: bool = False


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """``GET /healthz``: "ok", or what is wrong in plain words."""

    status: str
    version: str
    database: str
    detail: str | None = None
