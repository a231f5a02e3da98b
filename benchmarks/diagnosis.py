"""What judging a run costs the server: time per frame, memory per run, and replaying a long run.

Run as ``python -m benchmarks.diagnosis [--quick]``; exits with 1 where a promise is broken. A run of 200 layers, as the
SDK sends it at its defaults: the loss of every step, a snapshot at each of the first 50 steps, at every 20th up to the
thousandth and at every 100th after it, a frame for every 50 steps. Times are those of the processor; the promises are
made for a core of a certain speed, and on a slower one allow as much more as it is slower (benchmarks/yardstick.py).
"""

from __future__ import annotations

import argparse
import pickle
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Final

import numpy as np

from benchmarks.yardstick import slowness
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame, LayerStats, MetricPoints, section
from trainvitals.wire.messages import LayerInfo, ModelInfo
from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.window import Window
from trainvitals_server.evaluator.history import History
from trainvitals_server.evaluator.judging import Judge
from trainvitals_server.evaluator.lifecycle import Life

LAYERS: Final = 200
STEPS: Final = 100_000
QUICK_STEPS: Final = 20_000
STEPS_A_FRAME: Final = 50
DENSE, THOUSAND, OFTEN, SELDOM = 50, 1000, 20, 100
DEPTH_EVERY: Final = 5
STATS: Final = (
    "activation_mean", "activation_std", "activation_max", "zero_fraction", "activation_nonfinite",
    "saturated_fraction", "grad_norm", "grad_max", "weight_norm", "update_ratio", "update_rms",
)  # fmt: skip
STATS_IN_DEPTH: Final = (
    "grad_mean", "grad_zero_fraction", "grad_nonfinite", "weight_max", "init_distance", "lost_update_fraction",
    "unmoved_fraction", "second_moment_rms", "adam_rms", "epsilon_fraction", "dead_fraction", "running_drift",
    "running_variance_drift",
)  # fmt: skip
NOUGHT: Final = frozenset({"activation_nonfinite", "grad_nonfinite"})
PROMISED_MS_PER_FRAME: Final = 5.0
PROMISED_SECONDS: Final = 10.0
PROMISED_MEGABYTES: Final = 1.0
NAMES: Final = [f"blocks.{number // 4}.{('linear', 'relu', 'norm', 'out')[number % 4]}" for number in range(LAYERS)]
KINDS: Final = ("Linear", "ReLU", "LayerNorm", "Linear")


def model() -> ModelInfo:
    """What is watched."""
    layers = [
        LayerInfo(name=name, kind=KINDS[number % 4], parameters=4096, trainable=4096)
        for number, name in enumerate(NAMES)
    ]
    return ModelInfo(layers=layers)


def frames(steps: int) -> Iterator[Frame]:
    """The frames of a healthy run; what is looked at in depth comes in frames of its own."""
    noise = np.random.default_rng(0)
    seq = 0
    for first in range(0, steps, STEPS_A_FRAME):
        at = list(range(first, first + STEPS_A_FRAME))
        taken = [step for step in at if step < DENSE or step % (OFTEN if step < THOUSAND else SELDOM) == 0]
        losses = 0.3 + 2.0 * np.exp(-np.array(at) / 2000) + 0.05 * noise.standard_normal(len(at))
        metrics = [
            MetricPoints(metric="loss", steps=at, values=Floats.of(losses.tolist())),
            MetricPoints(metric="lr", steps=at, values=Floats.of([1e-3] * len(at))),
        ]
        looks = [(STATS, taken, metrics), (STATS_IN_DEPTH, [s for s in taken if s // SELDOM % DEPTH_EVERY == 0], [])]
        for stats, steps_of, points in looks:
            if steps_of or points:
                snapshots = _snapshots(stats, steps_of, noise) if steps_of else None
                yield Frame(run_id="bench", writer=1, seq=seq, layer_stats=snapshots, metrics=points)
                seq += 1


def _snapshots(stats: tuple[str, ...], steps: list[int], noise: np.random.Generator) -> LayerStats:
    shape = (LAYERS, len(steps))
    sections = [
        section(stat, ((stat not in NOUGHT) * 1e-3 * noise.lognormal(size=shape)).astype("<f4").tobytes())
        for stat in stats
    ]
    return LayerStats(steps=steps, layers=NAMES, sections=sections)


def main() -> int:
    """Measure and print; 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    steps = QUICK_STEPS if parser.parse_args().quick else STEPS
    history, life, judge = History("bench"), Life("bench"), Judge(rules())
    history.describe(model())
    costs = []
    for frame in frames(steps):
        began = time.thread_time()
        judge.take(history, life, [frame], now=0.0, is_moment=False, is_last=False)
        costs.append(time.thread_time() - began)
    found = sorted({finding.rule for finding in life.findings.values()})
    print(f"{len(rules())} rules, {LAYERS} layers, {len(STATS)} stats and {len(STATS_IN_DEPTH)} in depth,", end=" ")
    print(f"{steps:,} steps, {len(costs):,} frames")
    slow, mean, whole = slowness(), 1e3 * statistics.mean(costs), sum(costs) * STEPS / steps
    megabytes = len(pickle.dumps((history, life))) / 1e6
    print(f"this core takes {slow:.2f} times as long as the one that the promises are made for")
    print(f"a frame: mean {mean:.2f} ms, median {1e3 * statistics.median(costs):.2f} ms,", end=" ")
    print(f"p95 {1e3 * float(np.quantile(costs, 0.95)):.2f} ms; mean there {mean / slow:.2f} ms", end=" ")
    print(f"(promised {PROMISED_MS_PER_FRAME:.0f} ms)")
    print(f"replay: {sum(costs):.1f} s; of 100,000 steps {whole:.1f} s, there {whole / slow:.1f} s", end=" ")
    print(f"(promised {PROMISED_SECONDS:.0f} s)")
    print(f"state: {megabytes:.2f} MB (promised {PROMISED_MEGABYTES:.0f} MB); found: {', '.join(found) or 'nothing'}")
    _by_rule(history.window())
    kept = (
        mean <= slow * PROMISED_MS_PER_FRAME,
        whole <= slow * PROMISED_SECONDS,
        megabytes <= PROMISED_MEGABYTES,
    )
    return 0 if all(kept) else 1


def _by_rule(window: Window) -> None:
    """The dearest rules."""
    costs = {}
    for name, rule in rules().items():
        began = time.thread_time()
        for _ in range(5):
            list(rule(window))
        costs[name] = (time.thread_time() - began) / 5
    for name, cost in sorted(costs.items(), key=lambda pair: -pair[1])[:8]:
        print(f"  {name:28} {1e3 * cost:.2f} ms")


if __name__ == "__main__":
    sys.exit(main())
