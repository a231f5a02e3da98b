"""What the page that compares runs asks for, gathered at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from trainvitals.wire.answers import Curve, RunDetail
from trainvitals_dashboard import words
from trainvitals_dashboard.figures.compare import FEW
from trainvitals_dashboard.gathering import loss_metric
from trainvitals_dashboard.kept_runs import KeptRuns

MOST_RUNS: Final = 40
POINTS: Final = (1000, 400)  # of a curve among few runs, and among many
SHORT_ID: Final = 8  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Runs side by side. ``places``: where each stands in the choice, which gives it its colour, whatever is missing;
    ``gone``: chosen runs that are no more; ``metrics``: which metric of each run is drawn; ``curves``: those that were
    logged. ``baseline``: the id of the run that all others are held against; empty where there is none. ``beyond``: how
    many chosen runs are too many."""

    details: list[RunDetail] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    metrics: dict[str, str] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    baseline: str = ""
    beyond: int = 0

    @property
    def names(self) -> dict[str, str]:
        """Run id → name; runs of the same name are told apart by the beginnings of their ids."""
        return names_of([(detail.summary.run_id, detail.summary.name) for detail in self.details])

    @property
    def title(self) -> str:
        """What is drawn: the metric where all runs have the same, else the loss of each."""
        different = sorted(set(self.metrics.values()))
        return words.metric(different[0]) if len(different) == 1 else "Loss"

    @property
    def without(self) -> list[RunDetail]:
        """The runs that did not log it."""
        return [detail for detail in self.details if detail.summary.run_id not in self.curves]

    @property
    def others(self) -> list[RunDetail]:
        """All runs but the baseline."""
        return [detail for detail in self.details if detail.summary.run_id != self.baseline]


def names_of(runs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """(id, name) each: id → name, with the id's beginning where another run has the same name."""
    often = Counter(name for _, name in runs)
    return {run_id: name if often[name] == 1 else f"{name} · {run_id[:SHORT_ID]}" for run_id, name in runs}


async def gather_comparison(runs: KeptRuns, chosen: Sequence[str], *, metric: str = "", baseline: str = "") -> Compared:
    """``metric``: of all runs; none is the loss of each, as its own page finds it. A ``baseline`` that is not among the
    runs is the first of them. Raises ApiError where the server cannot answer; a run that is no more is told as such."""
    every = list(dict.fromkeys(chosen))
    kept = every[:MOST_RUNS]
    found = await runs.details(kept)
    details = [detail for detail in found if detail is not None]
    metrics = {detail.summary.run_id: metric or loss_metric(detail) for detail in details}
    logged = [detail.summary.run_id for detail in details if metrics[detail.summary.run_id] in detail.metrics]
    points = POINTS[len(logged) > FEW]
    by_id = {detail.summary.run_id: detail for detail in details}
    curves = await asyncio.gather(*(runs.curve(by_id[name], metrics[name], points=points) for name in logged))
    known = [detail.summary.run_id for detail in details]
    return Compared(
        details=details,
        places={run_id: place for place, run_id in enumerate(kept)},
        gone=[run_id for run_id, detail in zip(kept, found, strict=True) if detail is None],
        metrics=metrics,
        curves=dict(zip(logged, curves, strict=True)),
        baseline=baseline if baseline in known else next(iter(known), ""),
        beyond=len(every) - len(kept),
    )
