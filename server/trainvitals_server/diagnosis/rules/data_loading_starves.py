"""A training that waits for its data for most of the time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.pace import PHASES, seconds_of_phases
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

GPU = re.compile(r"(system/gpu\d+_)memory_bytes")


def data_loading_starves(
    window: Window, *, share: float = 0.5, least_seconds: float = 0.005, busy: float = 60.0, points: int = 8
) -> Iterator[Symptom]:
    """In the newest ``points`` samples between which nothing was validated, more than ``share`` of a step's time goes
    by between the optimizer's step and the next forward pass, and more than ``least_seconds``: medians. The first
    samples of a run are left out, and a GPU has to be idle: under ``busy`` percent of the time, for a host that waits
    for a device which works seems to wait for data.

    Source: PyTorch's "Performance Tuning Guide" (enable asynchronous data loading and augmentation); Mohan et al.,
    "Analyzing and Mitigating Data Stalls in DNN Training", VLDB 2021.
    """
    if not _devices_wait(window, busy):
        return
    steps, seconds = seconds_of_phases(window)
    if len(steps) < 2 * points:
        return
    newest = seconds[-points:]
    waiting, whole = median(newest[:, 0]), median(newest.sum(axis=1))
    waited = median(newest[:, 0] / newest.sum(axis=1).clip(min=1e-12))
    if waiting < least_seconds or waited <= share:
        return
    yield Symptom(
        rule="data_loading_starves",
        severity="warning",
        summary=f"{waited:.0%} of a step's time ({waiting * 1000:,.3g} of {whole * 1000:,.3g} ms) goes by between the "
        "optimizer's step and the next forward pass: waiting for data, or for what else is done there",
        first_step=int(steps[-points]),
        last_step=window.step,
        evidence=Evidence(
            metric=PHASES[0],
            value=waiting,
            threshold=share * whole,
            first_step=int(steps[-points]),
            last_step=window.step,
            numbers={"seconds for data": waiting, "seconds of a step": whole, "share": f"{waited:.0%}"},
        ),
        causes=(
            "examples that are read and prepared in the training's own process, one after another",
            "a slow disk or network, many small files, or a costly augmentation",
            "work between the steps that is not the loader's: logging, saving, drawing",
        ),
        advice=(
            "DataLoader(…, num_workers=4, persistent_workers=True, prefetch_factor=4); with a GPU pin_memory=True, "
            "and .to(device, non_blocking=True).",
            "Prepare once what is the same in every epoch, and keep it in memory or in large files.",
        ),
    )


def _devices_wait(window: Window, busy: float) -> bool:
    """Whether it is known that no GPU is at work; of a machine that has not been looked at nothing is."""
    if "system/cpu_percent" not in window.metrics:
        return False
    gpus = [found[1] for name in window.metrics if (found := GPU.fullmatch(name))]
    loads = [window.metrics.get(f"{gpu}utilization_percent") for gpu in gpus]
    return all(load is not None and median(load.values[-4:]) < busy for load in loads)
