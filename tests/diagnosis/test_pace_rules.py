"""Rules that read where a training's time and memory go: each speaks on its ill and on none of its traps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

STEPS = 1000
SAMPLES = 60
MEGA = 1e6
RULES = ("data_loading_starves", "throughput_fallen", "memory_leaking")


def series(values: Any) -> Series:
    found = np.asarray(values, np.float32)
    return Series(steps=np.linspace(0, STEPS - 1, len(found)).astype(np.int64), values=found)


def timed(
    *, data: Any = 0.001, forward: Any = 0.004, backward: Any = 0.008, optimizer: Any = 0.002, **more: Any
) -> Window:
    """Sixty samples of a training with 64 examples a step, on a machine that has been looked at."""
    seconds = {"data": data, "forward": forward, "backward": backward, "optimizer": optimizer}
    phases = {f"seconds/{name}": np.broadcast_to(value, SAMPLES) for name, value in seconds.items()}
    speed = {"examples_per_second": 64 / np.sum(list(phases.values()), axis=0), "system/cpu_percent": [90.0] * 9}
    told = {"loss": np.geomspace(2.3, 0.1, STEPS), **phases, **speed, **more}
    return Window(run_id="r", step=STEPS - 1, metrics={name: series(values) for name, values in told.items()})


def filled(megabytes: Any, **more: Any) -> Window:
    """The process's memory, at a hundred looks."""
    return timed(**{"system/memory_bytes": np.asarray(megabytes) * MEGA, **more})


def said(rule: str, seen: Window) -> list[Symptom]:
    return list(rules()[rule](seen))


def late(before: float, now: float) -> Any:
    return np.where(np.arange(SAMPLES) < 30, before, now)


SLOWER = late(0.001, 0.03)
LOOKS = np.arange(100)
ENDLESS = 1000 + 20 * LOOKS
IDLE = {"system/gpu0_memory_bytes": [1e9] * 9, "system/gpu0_utilization_percent": [20.0] * 9}
BUSY = IDLE | {"system/gpu0_utilization_percent": [97.0] * 9}
FILLING = np.linspace(40, 90, 100)
ILLS: dict[str, tuple[str, str, Window]] = {
    "data that are waited for": ("data_loading_starves", "warning", timed(data=0.03)),
    "an idle GPU": ("data_loading_starves", "warning", timed(data=0.03, **IDLE)),
    "data that come slower": ("throughput_fallen", "warning", timed(data=SLOWER)),
    "a last step that is fast again": (
        "throughput_fallen", "warning", timed(data=np.where(np.arange(SAMPLES) == SAMPLES - 1, 0.001, SLOWER)),
    ),
    "a graph that grows": ("throughput_fallen", "info", timed(backward=np.linspace(0.004, 0.08, SAMPLES))),
    "memory that rises": ("memory_leaking", "info", filled(ENDLESS)),
    "memory that is in danger": (
        "memory_leaking", "warning", filled(ENDLESS, **{"system/machine_memory_percent": FILLING}),
    ),
    "a GPU's memory that rises": (
        "memory_leaking", "warning",
        timed(**{"system/gpu1_memory_bytes": ENDLESS * MEGA, "system/gpu1_memory_percent": FILLING}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ILLS)
def test_a_rule_speaks_on_its_ill(name: str) -> None:
    rule, severity, sick = ILLS[name]
    (symptom,) = said(rule, sick)

    assert (symptom.rule, symptom.severity) == (rule, severity)
    assert symptom.causes
    assert symptom.advice


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_silent_on_a_healthy_run_and_on_an_empty_one(rule: str) -> None:
    assert said(rule, filled(np.full(100, 2000))) == []
    assert said(rule, Window(run_id="r", step=0)) == []


EVALUATED = {"val_loss": np.linspace(2.3, 0.2, STEPS // 5)}
SEEN = {"facts/validated_in_evaluation_mode": np.full(SAMPLES, 3.0)}
TRAPS: dict[str, tuple[str, Window]] = {
    "a few microseconds": (
        "data_loading_starves", timed(data=0.003, forward=0.0005, backward=0.0005),
    ),
    "a host that waits for its GPU": ("data_loading_starves", timed(data=0.03, **BUSY)),
    "a GPU of which nothing is known": (
        "data_loading_starves", timed(data=0.03, **{"system/gpu0_memory_bytes": [1e9] * 9}),
    ),
    "evaluations that are logged": ("data_loading_starves", timed(data=0.03, **EVALUATED)),
    "training in evaluation mode, of which no phase is told": (
        "data_loading_starves", timed(data=0.03, **{"facts/trained_in_evaluation_mode": np.ones(SAMPLES)}),
    ),
    "evaluations that are seen": ("data_loading_starves", timed(data=0.03, **SEEN)),
    "the first steps": ("data_loading_starves", timed(data=np.where(np.arange(SAMPLES) < 20, 0.5, 0.001))),
    "some slow batches": ("data_loading_starves", timed(data=np.where(np.arange(SAMPLES) % 4, 0.001, 0.2))),
    "first steps that are fast": ("throughput_fallen", timed(forward=np.where(np.arange(SAMPLES) < 4, 1e-4, 0.05))),
    "evaluations in between": ("throughput_fallen", timed(data=late(0.001, 0.05), **EVALUATED)),
    "a pause": ("throughput_fallen", timed(data=np.where(np.isin(np.arange(SAMPLES), range(30, 40)), 0.05, 0.001))),
    "some steps that are slow": ("throughput_fallen", timed(data=np.where(np.arange(SAMPLES) % 2, 0.05, 0.001))),
    "a step of some milliseconds, which the machine disturbs": (
        "throughput_fallen", timed(data=late(1e-4, 4e-3), forward=1e-4, backward=1e-4, optimizer=1e-4),
    ),
    "a warm-up of memory": ("memory_leaking", filled(np.minimum(ENDLESS, 1500))),
    "a cache that fills up": ("memory_leaking", filled(3000 - 2500 * np.exp(-LOOKS / 30))),
    "memory that comes and goes": ("memory_leaking", filled(1000 + 1000 * (LOOKS % 3))),
    "one jump": ("memory_leaking", filled(np.where(LOOKS < 70, 1000, 3000))),
    "some megabytes": ("memory_leaking", filled(100 + LOOKS)),
    "a small share": ("memory_leaking", filled(9000 + 10 * LOOKS)),
    "a run that has just begun": ("memory_leaking", filled(ENDLESS[:20] * np.arange(1, 21))),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAPS)
def test_a_rule_does_not_cry_wolf(name: str) -> None:
    rule, healthy = TRAPS[name]

    assert said(rule, healthy) == []


def test_longer_sequences_are_worth_knowing_at_most() -> None:
    (symptom,) = said("throughput_fallen", timed(forward=late(0.004, 0.02), backward=late(0.008, 0.04)))

    assert symptom.severity == "info"
    assert "the backward pass" in symptom.summary
