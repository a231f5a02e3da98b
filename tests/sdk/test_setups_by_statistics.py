"""The table of set-ups and statistics in docs/setups.md: each cell is a test against plain PyTorch."""

from __future__ import annotations

import io
import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, distributed
from torch import multiprocessing as mp
from torch.nn.parallel import DataParallel
from torch.optim import Optimizer

import trainvitals as tv
from tests.sdk import setups_of_loops as loops
from tests.sdk.conftest import frames_of, histograms_at, metric_points, stats_at
from tests.sdk.plain_histograms import same
from tests.sdk.plain_reference import Histograms, Models, Observer, Plain, Stats
from tests.sdk.setups import (
    ACTIVATIONS,
    GROUPS,
    HISTOGRAMS,
    METRICS,
    OF_LAYERS,
    OPTIMIZER_ALONE,
    SETUPS,
    TIMES,
    Setup,
    groups,
    table,
)
from trainvitals.wire.frame import Frame
from trainvitals.wire.histograms import CELLS

DOCUMENT = Path(__file__).parents[2] / "docs/setups.md"
NONE = np.zeros(CELLS, np.uint16)
SETUP_BY_NAME = {setup.name: setup for setup in SETUPS}
ROWS = [pytest.param(name, marks=pytest.mark.slow if setup.slow else ()) for name, setup in SETUP_BY_NAME.items()]

pytestmark = [
    pytest.mark.filterwarnings("ignore:The .grad attribute"),  # of the compiler's own making
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated"),
]


class Watched(Observer):
    """Takes part, watched at every step."""

    def __init__(self, run: tv.Run) -> None:
        super().__init__()
        self._run = run

    def watch(self, models: Models, *optimizers: Optimizer) -> None:
        self._run.watch(models, list(optimizers), every=1)

    def unwatch(self) -> None:
        self._run.unwatch()

    def ended(self, loss: Tensor) -> None:
        super().ended(loss)
        self._run.log({"loss": loss})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The same training three times: as nobody sees it, as plain PyTorch does, as trainvitals does."""

    bare_losses: list[float]
    watched_losses: list[float]
    plain_stats: dict[int, Stats]
    plain_metrics: dict[str, list[tuple[int, float]]]
    frames: list[Frame]
    told: str
    plain_histograms: dict[int, Histograms]
    seconds: float  # of the watched training


def train(setup: Setup, observer: Observer) -> None:
    torch._dynamo.reset()
    torch.manual_seed(0)
    setup.train(observer)


def run_of(setup: Setup, folder: Path) -> Outcome:
    bare, plain, told = Observer(), Plain(), io.StringIO()
    train(setup, bare)
    train(setup, plain)
    with redirect_stderr(told):
        run = tv.init(mode="offline", directory=folder, project="tests", name="set-up")
        watched = Watched(run)
        started = time.perf_counter()
        train(setup, watched)
        seconds = time.perf_counter() - started
        run.finish()
    return Outcome(
        bare_losses=bare.losses,
        watched_losses=watched.losses,
        plain_stats=plain.stats,
        plain_metrics=plain.metrics,
        frames=frames_of(folder),
        told=told.getvalue(),
        plain_histograms=plain.histograms,
        seconds=seconds,
    )


def as_a_rank(rank: int, name: str, folder: Path) -> None:
    """One of several processes; the first keeps the outcome."""
    setup = SETUP_BY_NAME[name]
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=setup.processes
    )
    outcome = run_of(setup, folder / f"rank{rank}")
    if rank == 0:
        torch.save(outcome, folder / "outcome")
    distributed.destroy_process_group()


@cache
def outcome_of(name: str) -> Outcome:
    """Once for all cells of a row."""
    setup = SETUP_BY_NAME[name]
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        if setup.processes == 1:
            return run_of(setup, folder)
        mp.spawn(as_a_rank, args=(name, folder), nprocs=setup.processes)
        outcome: Outcome = torch.load(folder / "outcome", weights_only=False)
        return outcome


def alike(ours: float, theirs: float) -> bool:
    both_nan = math.isnan(ours) and math.isnan(theirs)
    return both_nan or ours == theirs or math.isclose(ours, theirs, rel_tol=1e-3, abs_tol=1e-6)


def values(outcome: Outcome, stats: tuple[str, ...]) -> Iterator[tuple[int, str, str, float, float]]:
    """Step, stat, layer, our value, and that of plain PyTorch."""
    for step, of_step in outcome.plain_stats.items():
        ours = stats_at(outcome.frames, step)
        for stat in of_step.keys() & set(stats):
            layers = of_step[stat]
            assert ours.get(stat, layers).keys() == layers.keys()
            for layer, theirs in layers.items():
                yield step, stat, layer, ours.get(stat, {}).get(layer, math.nan), theirs


def points(outcome: Outcome, metric: str) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    return metric_points(outcome.frames, metric), outcome.plain_metrics.get(metric, [])


@pytest.mark.parametrize("group", OF_LAYERS)
@pytest.mark.parametrize("name", ROWS)
def test_stats_are_those_of_plain_pytorch_or_said_to_be_missing(name: str, group: str) -> None:
    setup, outcome = SETUP_BY_NAME[name], outcome_of(name)
    if group in setup.unseen:
        assert f"trainvitals: {setup.told}" in outcome.told
    compared = 0
    for step, stat, layer, ours, theirs in values(outcome, GROUPS[group]):
        is_unseen = group in setup.unseen and layer.startswith(setup.unseen_layers)
        if is_unseen or (stat, layer) in setup.undefined:
            assert math.isnan(ours), (step, stat, layer)
            continue
        assert alike(ours, theirs), (step, stat, layer, ours, theirs)
        compared += not math.isnan(theirs)
    assert bool(compared) == (group not in setup.absent) or group in setup.unseen


def told_of(outcome: Outcome) -> dict[str, set[str]]:
    """What there is a number of, by group."""
    seen: set[str] = set()
    for step in {step for frame in outcome.frames if frame.layer_stats for step in frame.layer_stats.steps}:
        of_step = stats_at(outcome.frames, step)
        seen |= {stat for stat, layers in of_step.items() if not all(map(math.isnan, layers.values()))}
    kinds = {part.kind for frame in outcome.frames if frame.histograms for part in frame.histograms.parts}
    metrics = {points.metric for frame in outcome.frames for points in frame.metrics}
    told = {HISTOGRAMS: kinds, METRICS: metrics, TIMES: metrics}
    return {group: told.get(group, seen) & set(names) for group, names in GROUPS.items()}


@pytest.mark.parametrize("name", ROWS)
def test_nothing_is_told_of_what_is_not_seen_and_something_of_all_else(name: str) -> None:
    setup, told = SETUP_BY_NAME[name], told_of(outcome_of(name))
    if OPTIMIZER_ALONE in setup.notes.get(TIMES, ""):
        assert told.pop(TIMES) == {"seconds/step", "seconds/optimizer"}
    if METRICS in setup.unseen:
        assert told.pop(METRICS) == {"loss"}  # which the script logs
    nowhere = () if setup.unseen_layers else setup.unseen
    assert {group for group, names in told.items() if not names} == {*nowhere, *setup.absent} & told.keys()


@pytest.mark.parametrize("name", ROWS)
def test_metrics_are_those_of_plain_pytorch_or_said_to_be_missing(name: str) -> None:
    setup, outcome = SETUP_BY_NAME[name], outcome_of(name)
    if METRICS in setup.unseen:
        ours, theirs = points(outcome, "loss")
        assert dict(ours) == pytest.approx(dict(theirs))  # the later of a step counts
        assert f"trainvitals: {setup.told}" in outcome.told
        return
    for metric in GROUPS[METRICS]:
        ours, theirs = points(outcome, metric)
        assert [step for step, _ in ours] == [step for step, _ in theirs], metric
        for (step, one), (_, other) in zip(ours, theirs, strict=True):
            assert alike(one, other), (metric, step, one, other)


@pytest.mark.parametrize("name", ROWS)
def test_histograms_are_those_of_plain_pytorch_or_said_to_be_missing(name: str) -> None:
    setup, outcome = SETUP_BY_NAME[name], outcome_of(name)
    compared = 0
    for step, kinds in outcome.plain_histograms.items():
        ours = histograms_at(outcome.frames, step)
        for kind, layer in product(GROUPS[HISTOGRAMS], kinds["weights"]):
            cells = kinds[kind][layer]
            taken = ours.get(kind, {}).get(layer, NONE)
            if kind == "activations" and ACTIVATIONS in setup.unseen and layer.startswith(setup.unseen_layers):
                assert not taken.any(), layer
                continue
            assert same(taken, cells), (step, kind, layer)
            compared += any(cells)
    assert compared or HISTOGRAMS in setup.unseen


@pytest.mark.parametrize("name", ROWS)
def test_times_are_told_of_every_step_and_of_all_its_examples_or_not_at_all(name: str) -> None:
    setup, outcome = SETUP_BY_NAME[name], outcome_of(name)
    (whole, *phases), rate = GROUPS[TIMES][:-1], GROUPS[TIMES][-1]
    told = {metric: dict(points(outcome, metric)[0]) for metric in GROUPS[TIMES]}
    if METRICS in setup.unseen:
        assert not any(told.values())
        return
    steps = [step for step, _ in outcome.plain_metrics["examples"]]
    assert sorted(told[whole]) == sorted(told["seconds/optimizer"]) == steps
    assert sum(told[whole].values()) <= outcome.seconds
    if TIMES in setup.unseen:
        assert all(0 < told["seconds/optimizer"][step] < told[whole][step] for step in steps)
        return
    for step, examples in outcome.plain_metrics["examples"]:
        seconds = [told[phase][step] for phase in phases]
        assert min(seconds) > 0
        assert told[whole][step] == pytest.approx(sum(seconds), rel=1e-5)
        assert told[rate][step] * told[whole][step] == pytest.approx(examples, rel=1e-3)


@pytest.mark.parametrize("name", ROWS)
def test_losses_are_the_same_bit_for_bit_and_nothing_goes_wrong(name: str) -> None:
    setup, outcome = SETUP_BY_NAME[name], outcome_of(name)
    assert outcome.bare_losses == outcome.watched_losses
    assert "watching met" not in outcome.told
    assert ("left out" in outcome.told or "not seen" in outcome.told) == bool(setup.unseen)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="replicas take two GPUs")
def test_replicas_of_data_parallel_train_as_without_and_their_gradients_are_those_of_the_whole(tmp_path: Path) -> None:
    def two_gpus(observer: Observer) -> None:
        model = loops.layered().cuda()
        optimizer = loops.adam(model)
        called = DataParallel(model, device_ids=[0, 1])
        observer.watch(called, optimizer)
        loops.an_epoch(observer, model, optimizer, (batch.cuda() for batch in loops.batches()), called=called)

    told, bare = io.StringIO(), Observer()
    setup = Setup(name="`DataParallel` on two GPUs", train=two_gpus)
    train(setup, bare)
    with redirect_stderr(told), tv.init(mode="offline", directory=tmp_path) as run:
        watched = Watched(run)
        train(setup, watched)
    assert bare.losses == watched.losses
    assert "watching met" not in told.getvalue()
    frames = frames_of(tmp_path)
    for step, norm in metric_points(frames, "grad_norm"):
        of_layers = [one for one in stats_at(frames, step)["grad_norm"].values() if not math.isnan(one)]
        assert math.hypot(*of_layers) == pytest.approx(norm, rel=1e-3)
        assert norm > 0


@pytest.mark.parametrize(
    ("first", "expected"),
    [("| set-up | activations", table()), ("| activations | ", groups())],
    ids=["table", "groups"],
)
def test_the_tables_in_the_documents_are_those_of_the_tests(first: str, expected: list[str]) -> None:
    lines = DOCUMENT.read_text().splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(first))
    assert lines[start : start + len(expected) + 1] == [*expected, ""], "\n".join(["the table is:", *expected])
