"""A learning rate that waits at the beginning of its schedule."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.reading import loss_trend
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import LEARNING_RATE, Series, Window

FIRST = 5  # steps; a run that is taken up later may be at its schedule's end
PLANNED = ("initial_lr", "max_lr")  # what PyTorch's schedules leave in a parameter group


def schedule_not_started(
    window: Window, *, low: float = 0.01, still_after: int = 100, rising_after: int = 300, of_plan: float = 0.03
) -> Iterator[Symptom]:
    """Since the first step the learning rate of every parameter group is under ``low`` of the one that its schedule
    starts from: ``still_after`` steps, in which it has not moved at all, or ``rising_after``, and at its pace it would
    not be there when the planned steps are done. Of a plan ``of_plan`` has to be over.

    A warm-up is a few percent of a run, and passes ``low`` within its first steps. Exact where it has not moved; the
    fault class is PyTorch's own warning of a scheduler that is not stepped. Source: the Tuning Playbook (Godbole et
    al., 2023), on warm-up.
    """
    groups = [group for optimizer in window.optimizers for group in optimizer.groups]
    names = [LEARNING_RATE if index == 0 else f"{LEARNING_RATE}/{index}" for index in range(len(groups))]
    planned = [max((float(group.settings.get(name, 0.0)) for name in PLANNED), default=0.0) for group in groups]
    rates = [window.metrics.get(name) for name in names]
    told = [(rate, aim) for rate, aim in zip(rates, planned, strict=True) if rate is not None and len(rate.values) > 1]
    if not told or len(told) < len(groups) or not all(aim > 0 and rate.values.max() < low * aim for rate, aim in told):
        return
    if window.step < of_plan * (window.planned_steps or 0) or told[0][0].steps[0] > FIRST:
        return
    still = all(rate.values.max() == rate.values.min() for rate, _ in told)
    rate, aim = told[0]
    if not (window.step >= still_after if still else window.step >= rising_after and _comes_late(window, rate, aim)):
        return
    now, trend = float(rate.values[-1]), loss_trend(window.loss)
    yield Symptom(
        rule="schedule_not_started",
        severity="warning",
        summary=f"After {window.step:,} steps the learning rate is {now:.2g}, {now / aim:.1%} of the {aim:.2g} that it "
        f"should come to{', and it has not moved' if still else ''}",
        first_step=int(rate.steps[0]),
        last_step=window.step,
        evidence=Evidence(
            metric=LEARNING_RATE,
            value=now,
            threshold=low * aim,
            comparison="<",
            first_step=int(rate.steps[0]),
            last_step=window.step,
            numbers={"planned": aim, "now": now, "loss now": "not told" if trend is None else trend.now},
        ),
        causes=("schedule.step() is not called", "a warm-up counted in steps that is stepped once an epoch"),
        advice=(
            "Call schedule.step() after every optimizer.step(), if the warm-up is counted in steps.",
            "Begin the warm-up above zero: lambda step: min(1, (step + 1) / warm_up).",
        ),
    )


def _comes_late(window: Window, rate: Series, aim: float) -> bool:
    """Whether the rate rises, and at its pace is far from its aim when the planned steps are done."""
    now, planned = float(rate.values[-1]), window.planned_steps
    return planned is not None and rate.values[0] < now < 0.5 * aim * window.step / planned
