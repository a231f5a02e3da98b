"""What the page of one run asks for, gathered at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from trainvitals.wire.answers import Curve, Heatmap, RunDetail, Snapshot
from trainvitals.wire.definitions import Definitions
from trainvitals.wire.facts import is_fact
from trainvitals.wire.floats import Floats
from trainvitals.wire.messages import Finding
from trainvitals.wire.rules import ProjectRules
from trainvitals_dashboard import words
from trainvitals_dashboard.api import Api, ApiError

DECAY: Final = "weight_decay_penalty"
OWN_METRICS: Final = ("lr", "grad_norm", "elapsed_seconds", "overhead_fraction", "dropped_snapshots", DECAY)
LOOP_METRICS: Final = (
    "seconds/step",
    "seconds/data",
    "seconds/forward",
    "seconds/backward",
    "seconds/optimizer",
    "examples_per_second",
    "gradient_noise_scale",
    "clipped_fraction",
    "grad_norm_before_clipping",
    "loss_scale",
    "skipped_steps",
    "momentum",
    "beta1",
    "weight_decay",
    "decoupled_decay_penalty",
    "system/cpu_percent",
    "system/memory_bytes",
    "system/machine_cpu_percent",
    "system/machine_memory_percent",
    "system/cpu_temperature_celsius",
)
MOST_PARTS: Final = 4  # of the loss: with weight decay as many as there are colours
MOST_OTHERS: Final = 24
OTHER_POINTS: Final = 300
_GROUP_RATE: Final = re.compile(r"(lr|momentum|beta1|weight_decay)/\d+")  # of the optimizer's other parameter groups
_MOST_OF_GPUS: Final = 40  # metrics: of eight GPUs


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run with the series that its page draws. ``others``: metrics beside those that have a place of their own;
    ``more``: those that are too many to be drawn; ``loop``: what the SDK logs of the training's loop; ``parts``: what
    the loss is made of, and what weight decay adds to it."""

    detail: RunDetail
    curves: dict[str, Curve] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    more: list[str] = field(default_factory=list)
    loop: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    muted: dict[str, str] = field(default_factory=dict)  # rule → by whom
    stat: str = "update_ratio"  # the heatmap's
    heatmap: Heatmap | None = None
    snapshot: Snapshot | None = None

    @property
    def loss(self) -> str:
        """The metric that the big chart shows."""
        return loss_metric(self.detail)

    def curve(self, metric: str) -> Curve:
        """The metric's curve; an empty one if nothing was logged yet."""
        return self.curves.get(metric) or empty_curve(self.detail.summary.run_id, metric)


async def gather_run(api: Api, run_id: str, *, stat: str, follow: bool = False) -> RunView:
    """Everything at once; ``follow``: the page will follow what comes after. Raises ApiError if there is no such run;
    what has no values yet is left out."""
    detail = await api.run(run_id, follow=follow)
    wanted = [
        name for name in (loss_metric(detail), validation_loss_metric(detail), *OWN_METRICS) if name in detail.metrics
    ]
    parts = parts_of_loss(detail)
    wanted += [name for name in parts if name not in wanted]
    rest = [name for name in detail.metrics if name not in wanted and not is_own(name)]
    others, more = rest[:MOST_OTHERS], rest[MOST_OTHERS:]
    loop = [name for name in LOOP_METRICS if name in detail.metrics] + _of_gpus(detail.metrics)
    found = await asyncio.gather(
        api.findings(run_id),
        heatmap_or_none(api, run_id, stat),
        _or_none(api.snapshot(run_id)),
        _or_none(api.rules(detail.summary.project, versions=1)),
        *(_or_none(api.metric_curve(run_id, name)) for name in wanted),
        *(_or_none(api.metric_curve(run_id, name, points=OTHER_POINTS)) for name in (*others, *loop)),
    )
    curves = {
        name: curve for name, curve in zip([*wanted, *others, *loop], found[4:], strict=True) if curve is not None
    }
    return RunView(
        detail=detail,
        curves=curves,
        others=others,
        more=more,
        loop=loop,
        parts=parts,
        findings=found[0].findings,
        stat=stat,
        heatmap=found[1],
        snapshot=found[2],
        muted=_muted(detail, found[3]),
    )


def _muted(detail: RunDetail, rules: ProjectRules | None) -> dict[str, str]:
    in_project = dict.fromkeys(rules.settings.muted, f"in the project by {rules.settings.by}") if rules else {}
    return {**in_project, **dict.fromkeys(detail.muted, "by the script")}


async def heatmap_or_none(
    api: Api, run_id: str, stat: str, *, first: int | None = None, last: int | None = None
) -> Heatmap | None:
    """A stat of all layers between two steps; None where it has no values."""
    found: Heatmap | None = await _or_none(api.heatmap(run_id, stat, first=first, last=last))
    return found


async def _or_none(question: Any) -> Any:  # Any: an awaitable of any answer
    try:
        return await question
    except ApiError as error:
        if error.status >= 500:
            raise
        return None


def _of_gpus(metrics: Iterable[str]) -> list[str]:
    """In the order of GPUs, and of the words for what they tell."""
    told = [(gpu, name) for name in metrics if (gpu := words.gpu_metric(name)) is not None]
    order = list(words.GPU_WORDS)
    told.sort(key=lambda one: (one[0][0], order.index(one[0][1])))
    return [name for _, name in told][:_MOST_OF_GPUS]


def loss_metric(detail: RunDetail) -> str:
    """The training loss, else the first metric of the user's own."""
    known = Definitions(detail.notes.metrics).metric("loss", detail.metrics)
    return known or next((name for name in detail.metrics if not is_own(name)), "loss")


def validation_loss_metric(detail: RunDetail) -> str | None:
    """The loss of a validation, if one was logged."""
    return Definitions(detail.notes.metrics).metric("validation_loss", detail.metrics)


def parts_of_loss(detail: RunDetail) -> list[str]:
    """What is logged under the loss's name, as "loss/data", but for other losses ("loss/val"), and weight decay; with
    the whole where only that is known. Empty where neither is."""
    whole, role = loss_metric(detail), Definitions(detail.notes.metrics).role
    named = [name for name in detail.metrics if name.startswith(f"{whole}/") and role(name) is None][:MOST_PARTS]
    decay = [DECAY] if DECAY in detail.metrics else []
    if not named and whole not in detail.metrics:
        return []
    return [*(named or [whole]), *decay] if named or decay else []


def is_own(metric: str) -> bool:
    """Whether the SDK logs it by itself; a user's "lr/head" is the user's."""
    listed = metric in OWN_METRICS or metric in LOOP_METRICS or is_fact(metric)
    return listed or _GROUP_RATE.fullmatch(metric) is not None or words.gpu_metric(metric) is not None


def empty_curve(run_id: str, metric: str) -> Curve:
    """A curve before its first point."""
    none = Floats()
    return Curve(run_id=run_id, metric=metric, steps=[], last_steps=[], low=none, mean=none, high=none, nonfinite=[])
