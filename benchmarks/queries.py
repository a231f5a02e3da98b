"""How long the store takes to answer, and how many bytes a value costs: one big run, and ten thousand small ones.

    python benchmarks/queries.py [--quick] [--database URL]

The data are synthetic but not noise: log-normal walks per layer with a batch factor that all layers share, quantised
fractions, weights that drift slowly, spikes, and a few NaN and infinities.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, LayerStats, MetricPoints, encode_frame, sealed, section
from trainvitals.wire.messages import RunStart
from trainvitals_server.store.interface import ReceivedFrame, RunQuery, Span, Store
from trainvitals_server.store.opening import open_store

LAYERS = 200
STATS = (
    "activation_mean",
    "activation_std",
    "activation_max",
    "zero_fraction",
    "activation_nonfinite",
    "grad_norm",
    "grad_max",
    "grad_mean",
    "weight_norm",
    "weight_max",
    "update_ratio",
    "saturated_fraction",
)
STRIDE = 10  # steps between snapshots
STEPS_PER_FRAME = 16
FRAMES_PER_COMMIT = 16
RUN = "big"

Block = NDArray[np.float32]


def training(count: int, *, seed: int = 0, block: int = 512) -> Iterator[Block]:
    """Blocks of float32 [stats, layers, steps], ``count`` steps in all."""
    rng = np.random.default_rng(seed)
    base = rng.normal(0, 0.7, (4, LAYERS, 1)).astype(np.float32)
    walks = np.zeros((3, LAYERS, 1), np.float32)
    weights = np.log(10 + 30 * rng.random((2, LAYERS, 1), np.float32))
    depth = np.linspace(0, 2, LAYERS, dtype=np.float32)[:, None]
    is_relu, saturates = rng.random((LAYERS, 1)) < 0.4, rng.random((LAYERS, 1)) < 0.2
    for start in range(0, count, block):
        n = min(block, count - start)
        moves = (
            rng.standard_normal((3, LAYERS, n), np.float32) * np.array([0.004, 0.01, 0.01], np.float32)[:, None, None]
        )
        walk = walks + np.cumsum(moves, axis=2)
        walks = walk[:, :, -1:] * np.float32(0.8)
        noise = rng.standard_normal((8, LAYERS, n), np.float32)
        shared = rng.standard_normal((1, n), np.float32)
        age = np.log1p(np.arange(start, start + n, dtype=np.float32) / 500)
        rate = 1e-3 * (0.5 + 0.5 * np.cos(np.pi * np.arange(start, start + n) / count)) + 1e-6
        deviation = np.exp(base[0] + 0.1 * age + walk[0] + 0.02 * noise[0] + 0.01 * shared)
        zeros = np.rint((1 << 20) / (1 + np.exp(-(walk[2] + 0.01 * noise[1])))) / (1 << 20)
        gradient = np.exp(-4 + base[1] - depth - 0.3 * age + walk[1] + 0.3 * shared + 0.2 * noise[2])
        update = rate * np.exp(0.1 * noise[3] + 0.3 * base[2])
        drift = np.cumsum(update * 0.01 * (1 + 0.2 * noise[4]), axis=1)
        jumps = np.cumsum(np.where(noise[5] > 1, update * 0.05, 0), axis=1)
        parts = [
            deviation * (0.1 * base[3] + 0.03 * noise[6]),
            deviation,
            deviation * np.exp(1.6 + 0.12 * np.abs(noise[7])),
            np.where(is_relu, zeros, 0),
            np.zeros((LAYERS, n)),
            gradient,
            gradient * np.exp(-2.5 + 0.25 * np.abs(noise[0])),
            gradient * 1e-3 * noise[1],
            np.exp(weights[0] + drift),
            np.exp(weights[1] + jumps),
            update,
            np.where(saturates, np.rint(3000 * zeros * np.exp(0.3 * noise[2])) / (1 << 20), 0),
        ]
        weights = weights + np.stack([drift[:, -1:], jumps[:, -1:]]).astype(np.float32)
        values = np.stack(parts).astype(np.float32)
        values[5:7, rng.integers(LAYERS), rng.integers(n)] *= 50
        values[5, LAYERS // 3, rng.integers(n)] = np.nan
        values[6, LAYERS // 3, rng.integers(n)] = np.inf
        yield values


def frames(count: int) -> Iterator[ReceivedFrame]:
    """The run as the SDK would send it."""
    names = [f"blocks.{number // 4}.{number % 4}" for number in range(LAYERS)]
    seq = 0
    for values in training(count):
        for place in range(0, values.shape[2], STEPS_PER_FRAME):
            part = np.ascontiguousarray(values[:, :, place : place + STEPS_PER_FRAME])
            steps = [(seq * STEPS_PER_FRAME + number) * STRIDE for number in range(part.shape[2])]
            sections = [section(stat, part[number].tobytes()) for number, stat in enumerate(STATS)]
            loss = MetricPoints(metric="loss", steps=steps, values=Floats(part[5, 0].tobytes()))
            stats = LayerStats(steps=steps, layers=names, sections=sections)
            frame = sealed(Frame(run_id=RUN, writer=1, seq=seq, layer_stats=stats, metrics=[loss]))
            yield ReceivedFrame(frame=frame, payload=encode_frame(frame), received_at=time.time())
            seq += 1


def fill(store: Store, count: int) -> tuple[float, float]:
    """Append and merge the big run; seconds of appending, of merging."""
    store.start_run(RUN, RunStart(project="bench", name="big", started_at=0.0), now=time.time())
    appending, merging, sent = 0.0, 0.0, frames(count)
    while group := list(islice(sent, FRAMES_PER_COMMIT)):
        appending += _seconds(partial(store.append, group))
        merging += _seconds(store.merge)
    return appending, merging


def fill_runs(store: Store, count: int) -> None:
    """Small runs, four metrics each, for the runs table."""
    rng = np.random.default_rng(1)
    for start in range(0, count, 250):
        sent = []
        for number in range(start, min(start + 250, count)):
            run_id = f"run-{number}"
            opening = RunStart(project=f"p{number % 7}", name=f"sweep {number}", started_at=float(number), tags=["a"])
            store.start_run(run_id, opening, now=float(number))
            points = [
                MetricPoints(metric=name, steps=[1, 2], values=Floats.of(rng.random(2)))
                for name in ("loss", "accuracy", "lr", "grad_norm")
            ]
            frame = sealed(Frame(run_id=run_id, writer=1, seq=0, metrics=points))
            sent.append(ReceivedFrame(frame=frame, payload=encode_frame(frame), received_at=float(number)))
        store.append(sent)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def questions(store: Store, count: int) -> dict[str, Callable[[], object]]:
    """What is asked of the store; the layer or stat changes from one time to the next."""
    rng = np.random.default_rng(2)
    last = count * STRIDE

    def curve(first: int | None, until: int | None) -> object:
        layer, stat = int(rng.integers(LAYERS)), STATS[rng.integers(len(STATS))]
        span = Span(first=first, last=until)
        return store.stat_curve(RUN, stat, f"blocks.{layer // 4}.{layer % 4}", span=span, points=1000)

    return {
        "curve, whole run, 1000 points": lambda: curve(None, None),
        "curve, a tenth of it": lambda: curve(last // 2, last // 2 + last // 10),
        "curve, a hundredth": lambda: curve(last // 2, last // 2 + last // 100),
        "metric, whole run, 1000 points": lambda: store.metric_curve(RUN, "loss", span=Span(), points=1000),
        "heatmap, whole run, 500 columns": lambda: store.heatmap(
            RUN, STATS[rng.integers(len(STATS))], span=Span(), buckets=500
        ),
        "newest snapshot": lambda: store.snapshot(RUN),
        "runs, newest 50": lambda: store.runs(RunQuery()),
        "runs, by a metric, filtered": lambda: store.runs(
            RunQuery(project="p3", text="sweep", sort_by="metric:loss", descending=False)
        ),
        "runs, all by a metric": lambda: store.runs(RunQuery(sort_by="metric:accuracy")),
    }


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the data")
    parser.add_argument("--database", help="an empty database (default: a temporary SQLite file)")
    options = parser.parse_args()
    count, runs, repeats = (1000, 1000, 20) if options.quick else (10_000, 10_000, 40)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(options.database or f"sqlite:///{folder}/bench.sqlite3")
        appending, merging = fill(store, count)
        values = count * LAYERS * len(STATS)
        print(f"{values / 1e6:.1f} million values; append {values / appending / 1e6:.1f} million values/s,", end=" ")
        print(f"merge {values / merging / 1e6:.1f}, both {values / (appending + merging) / 1e6:.1f}")
        while store.merge(force=True):
            pass
        size = sum(file.stat().st_size for file in Path(folder).glob("*.sqlite3"))
        if size:
            print(f"{size / values:.2f} bytes/value on disk")
        fill_runs(store, runs)
        print(f"{'milliseconds':34}{'p50':>8}{'p95':>8}")
        for name, ask in questions(store, count).items():
            ask()
            took = [1000 * _seconds(ask) for _ in range(repeats)]
            print(f"{name:34}{np.percentile(took, 50):8.1f}{np.percentile(took, 95):8.1f}")
        store.close()


if __name__ == "__main__":
    main()
