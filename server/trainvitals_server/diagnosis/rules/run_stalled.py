"""A training that lives, and comes no step further."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import fact, middle
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def run_stalled(window: Window, *, seconds: float = 300.0, times: float = 10.0) -> Iterator[Symptom]:
    """The process has told for ``seconds`` that no step came after the newest, nor was the model called, and for
    ``times`` as long as the longest pause so far (a checkpoint). A process that tells nothing at all is not stalled but
    lost.

    Exact. Source: Jiang et al., "MegaScale", arXiv:2402.15627, section 4 (hangs are found by what ranks no longer say).
    """
    idle = fact(window, "idle_seconds")
    if idle is None or int(idle.steps[-1]) != window.step:
        return
    reached = max(window.step, int(middle(window, "idle_step", samples=1) or 0))  # not every step has points
    if window.planned_steps is not None and reached + 1 >= window.planned_steps:
        return  # what comes after the last step is no hang
    waited, longest = float(idle.values[-1]), middle(window, "longest_pause_seconds", samples=1) or 0.0
    line = max(seconds, times * longest)
    if waited <= line:
        return
    yield Symptom(
        rule="run_stalled",
        severity="warning",
        summary=f"Step {reached:,} was {waited / 60:,.0f} minutes ago, and the process is alive: it hangs, or "
        "waits for something",
        first_step=window.step,
        last_step=window.step,
        evidence=Evidence(
            metric="facts/idle_seconds",
            value=waited,
            threshold=line,
            first_step=window.step,
            last_step=window.step,
            numbers={"seconds without a step": waited, "longest pause before": longest},
        ),
        causes=(
            "a worker of the data loader that hangs, or a disk or network that does not answer",
            "ranks that wait for one another: one has left the loop, or takes another way through it",
            "a validation, a checkpoint or a compilation far longer than any before",
        ),
        advice=(
            "See where it stands: pip install py-spy, then py-spy dump --pid PID, on each rank.",
            "Give the data loader a timeout: DataLoader(…, timeout=60) raises instead of waiting for ever.",
            "Let ranks fail instead: init_process_group(timeout=timedelta(minutes=10)).",
        ),
    )
