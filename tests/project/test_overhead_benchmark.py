"""The overhead benchmark runs, with whatever contestants are installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from benchmarks.overhead.__main__ import present
from benchmarks.overhead.contestant import Calls, Contestant
from benchmarks.overhead.contestants import bare, ours
from benchmarks.overhead.device import chosen
from benchmarks.overhead.neighbours import beside, tell
from benchmarks.overhead.racing import race

CPU = torch.device("cpu")


def small() -> tuple[nn.Module, Tensor]:
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1)), torch.randn(8, 4)


@contextmanager
def broken(model: nn.Module, optimizer: Optimizer, folder: Path) -> Iterator[Calls]:
    raise OSError("no room")
    yield


def test_all_that_run_are_timed_and_who_fails_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    fit = [replace(one, steps=20, warm_up=2) for one in (*bare.CONTESTANTS, *ours.CONTESTANTS)]
    seconds = race([*fit, Contestant(name="broken", attach=broken)], small, rounds=2, device=CPU)
    assert list(seconds) == [one.name for one in fit]
    assert all(len(spent) == 2 and min(spent) > 0 for spent in seconds.values())
    assert "broken failed: OSError: no room" in capsys.readouterr().out


def test_steps_of_a_contestant_are_seen_before_and_after_the_optimizer() -> None:
    seen: list[tuple[str, int]] = []

    @contextmanager
    def listening(model: nn.Module, optimizer: Optimizer, folder: Path) -> Iterator[Calls]:
        yield Calls(
            before_step=lambda step, loss: seen.append(("before", step)),
            after_step=lambda step, loss: seen.append(("after", step)),
        )

    race([Contestant(name="listening", attach=listening, steps=10, warm_up=0)], small, rounds=1, device=CPU)
    assert seen[:4] == [("before", 0), ("after", 0), ("before", 1), ("after", 1)]
    assert len(seen) == 20


def test_peers_stay_out_where_ours_is_to_be_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert [one.name for one in present(alone=True)] == [one.name for one in (*bare.CONTESTANTS, *ours.CONTESTANTS)]
    assert "missing" not in capsys.readouterr().out


def test_peers_that_are_not_installed_are_said_to_be_missing(capsys: pytest.CaptureFixture[str]) -> None:
    names = {one.name for one in present()}
    said = capsys.readouterr().out
    assert {
        "bare",
        "bare, again",
        "trainvitals, defaults",
        "trainvitals, defaults, later",
        "trainvitals, every step",
        "trainvitals, between samples",
    } <= names
    for module, words in (("wandb_watch", "wandb"), ("trainscope_steps", "trainscope")):
        assert (f"missing: {module}" in said) != any(words in name for name in names)


def test_snapshots_are_told_by_the_steps_beside_them_however_slow_the_machine_becomes() -> None:
    sampled = [step < 10 or step % 50 == 0 for step in range(1000)]
    moods = [1.0 if step < 520 else 3.0 for step in range(1000)]  # the machine has other work from then on
    seconds = [mood * (1.5 if is_sampled else 1.0) for mood, is_sampled in zip(moods, sampled, strict=True)]
    told = tell(seconds, sampled, warm_up=100)
    assert told.snapshots == 10 + 19
    assert told.each == pytest.approx(0.5)
    assert told.share == pytest.approx(29 * 0.5 / 1000)
    assert told.later == pytest.approx(18 * 0.5 / 900)


def test_a_step_after_a_snapshot_that_is_slow_as_well_counts_to_it() -> None:
    sampled = [step % 20 == 0 for step in range(100)]
    seconds = [1.5 if is_one else 1.25 if step % 20 == 1 else 1.0 for step, is_one in enumerate(sampled)]
    assert tell(seconds, sampled, warm_up=0).each == pytest.approx(0.75)


def test_a_watched_training_has_its_snapshots_found(tmp_path: Path) -> None:
    (defaults,) = (one for one in ours.CONTESTANTS if one.name == "trainvitals, defaults")
    told = beside(defaults, small, device=CPU, folder=tmp_path)
    assert 50 <= told.snapshots <= 110
    assert 0 < told.later <= told.share * 2


@pytest.mark.parametrize(
    ("asked", "has_cuda", "device"),
    [(None, True, "cuda"), (None, False, "cpu"), ("cpu", True, "cpu"), ("cuda:1", True, "cuda:1")],
)
def test_it_runs_on_cuda_where_there_is_one_unless_another_device_is_asked_for(
    asked: str | None, has_cuda: bool, device: str
) -> None:
    assert chosen(asked, has_cuda=has_cuda) == torch.device(device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_all_of_ours_are_timed_on_cuda() -> None:
    fit = [replace(one, steps=20, warm_up=2) for one in (*bare.CONTESTANTS, *ours.CONTESTANTS)]
    seconds = race(fit, small, rounds=1, device=torch.device("cuda"))
    assert list(seconds) == [one.name for one in fit]
