"""Rectifiers that give nothing but zeros."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.called import NAMED, called_behind
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import shut_since, since
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Floats32, Window

RECTIFIERS = frozenset({"ReLU", "ReLU6", "Threshold"})
KILLED = (
    "an update so large that it pushed the biases far below zero",
    "a learning rate too high",
    "inputs far from zero mean",
)
BORN = ("weights or biases with which no unit fires from the start", "inputs far from zero mean")
LOOK_AT_BIASES = (
    "Look at the weights and biases that the layers before them begin with; if biases are far below zero: "
    "torch.nn.init.zeros_(layer.bias)."
)
LOWER_THE_RATE = "Lower the learning rate (÷ 10) and start again: dead units do not come back by themselves."
REVIVE = (
    "Use torch.nn.LeakyReLU(0.01) or GELU; put a normalisation before the activation.",
    "Initialise for ReLU: torch.nn.init.kaiming_normal_(layer.weight, nonlinearity='relu').",
)
OF_MODULES, OF_FUNCTIONS = "zero_fraction", "relu_zero_fraction"


def dead_activations(
    window: Window, *, zeros: float = 0.995, samples: int = 5, revived: float = 0.98
) -> Iterator[Symptom]:
    """A rectifier, a layer or a function that is called behind one, whose outputs are zero in more than ``zeros`` of
    all places in ``samples`` snapshots on end, and have not fallen under ``revived`` since. 50 to 90 % of zeros are
    healthy, and only rectifiers are judged: dropout and pooling have zeros by design.

    Source: Lu et al., "Dying ReLU and Initialization", 2019; Glorot, Bordes & Bengio, AISTATS 2011 (healthy sparsity).
    """
    known = [window.stats[stat][-samples:] for stat in (OF_MODULES, OF_FUNCTIONS) if stat in window.stats]
    if OF_MODULES not in window.stats or len(window.steps) < samples or not _any_dead(known, revived):
        return
    kinds = [window.info[name].kind if name in window.info else "" for name in window.layers]
    called = called_behind(window, OF_FUNCTIONS)
    judged = np.union1d(np.flatnonzero([kind in RECTIFIERS for kind in kinds]), called)
    fractions = window.stats[OF_MODULES].copy()
    fractions[:, called] = window.stats[OF_FUNCTIONS][:, called] if len(called) else 0
    dead = judged[shut_since(fractions[:, judged], zeros, samples, revived)]
    if not len(dead):
        return
    shut, worst = np.intersect1d(dead, called), median(fractions[-samples:, dead])
    stat, shown = (OF_FUNCTIONS, shut) if len(shut) == len(dead) else (OF_MODULES, np.setdiff1d(dead, shut))
    begun = since(window, (fractions[:, dead] > revived).all(axis=1))
    before_all_steps = begun == int(window.steps[0]) == 0
    yield Symptom(
        rule="dead_activations",
        severity="critical" if 2 * len(dead) >= len(judged) or worst == 1.0 else "warning",
        summary=f"{len(dead)} of {len(judged)} rectifier layers{NAMED if len(shut) else ''} give {worst:.1%} zeros: "
        "nothing passes, nothing learns behind them",
        first_step=begun, last_step=window.step, layers=tuple(window.layers[column] for column in dead),
        evidence=Evidence(
            stat=stat,
            layers=[window.layers[column] for column in shown],
            value=worst,
            threshold=zeros,
            comparison=">",
            first_step=begun, last_step=window.step,
            numbers={"zeros": f"{worst:.1%}", "dead layers": len(dead), "rectifier layers": len(judged)},
        ),
        causes=BORN if before_all_steps else KILLED,
        advice=((LOOK_AT_BIASES, *REVIVE[::-1]) if before_all_steps else (LOWER_THE_RATE, *REVIVE)),
    )  # fmt: skip


def _any_dead(known: list[Floats32], revived: float) -> bool:
    return any((newest > revived).all(axis=0).any() for newest in known)
