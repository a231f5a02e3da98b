"""What watching costs on a device that is behind the host counts, as soon as it is known, and is never waited for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from trainvitals.collector.device_clock import TIMED, DeviceClock, Mark


class Queue:
    """A device that works when it is told to, and says when it passed a mark."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.marks: list[PassedMark] = []

    def mark(self) -> Mark:
        self.marks.append(PassedMark(at_seconds=self.seconds))
        return self.marks[-1]

    def catch_up(self) -> None:
        for mark in self.marks:
            mark.is_passed = True


class PassedMark:
    """A mark, passed or not."""

    def __init__(self, *, at_seconds: float) -> None:
        self.at_seconds = at_seconds
        self.is_passed = False

    def query(self) -> bool:
        return self.is_passed

    def elapsed_time(self, end_event: Any) -> float:
        assert self.is_passed, "elapsed time is asked of marks that the device has passed"
        assert end_event.is_passed
        return float(end_event.at_seconds - self.at_seconds) * 1000


def snapshot(clock: DeviceClock, queue: Queue, *, device_seconds: float, counted_seconds: float) -> float:
    clock.begin()
    for _ in range(2):
        with clock.section():
            queue.seconds += device_seconds / 2
        queue.seconds += 1.0  # the training's own work
    return clock.ended(counted_seconds=counted_seconds)


def beyond(*, device_seconds: float, counted_seconds: float) -> list[float]:
    """What each of so many snapshots answers, with the device a snapshot behind."""
    queue = Queue()
    clock = DeviceClock(queue.mark)
    answers = []
    for _ in range(3 * TIMED):
        behind = list(queue.marks)
        answers.append(snapshot(clock, queue, device_seconds=device_seconds, counted_seconds=counted_seconds))
        for mark in behind:
            mark.is_passed = True
    return answers


def test_what_the_device_took_longer_counts_for_all_snapshots_that_a_timed_one_stands_for() -> None:
    answers = beyond(device_seconds=0.5, counted_seconds=0.1)
    assert sum(answers) == pytest.approx(2 * TIMED * (0.5 - 0.1))  # the third is not known yet


def test_a_device_that_waits_for_the_host_costs_nothing_more() -> None:
    assert sum(beyond(device_seconds=0.1, counted_seconds=0.5)) == 0


def test_marks_that_the_device_has_not_passed_are_not_waited_for() -> None:
    queue = Queue()
    clock = DeviceClock(queue.mark)
    for _ in range(100 * TIMED):  # the device is stuck
        assert snapshot(clock, queue, device_seconds=0.5, counted_seconds=0.0) == 0
    queue.catch_up()
    assert 0 < snapshot(clock, queue, device_seconds=0.5, counted_seconds=0.0) < 100 * TIMED * 0.5


def test_without_a_device_s_queue_there_is_nothing_to_add() -> None:
    clock = DeviceClock(lambda: None)
    assert snapshot(clock, Queue(), device_seconds=0.5, counted_seconds=0.0) == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_gpu_that_is_behind_is_counted_in_the_overhead(offline: Any) -> None:
    model = nn.Sequential(*(nn.Linear(4096, 4096) for _ in range(8))).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    inputs = torch.randn(8192, 4096, device="cuda")
    run = offline.init()
    run.watch(model, optimizer, every=1)
    for _ in range(60):  # nothing here waits for the GPU
        optimizer.zero_grad()
        model(inputs).square().mean().backward()
        optimizer.step()
    torch.cuda.synchronize()
    run.finish()
    shares = [share for _, share in offline.points("overhead_fraction")]
    assert len(shares) == 60
    assert 0 < shares[-1] < 1
