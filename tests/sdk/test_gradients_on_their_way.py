"""Gradients between the backward pass and the optimizer's step: scaled, clipped, accumulated."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grads_with_norm_, get_total_norm

from tests.sdk.small_models import CLOSE, mlp, norm_of


class TestMixedPrecision:
    def test_gradients_are_unscaled(self, offline: Any) -> None:
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        run = offline.init()
        run.watch(model, optimizer, every=1)
        scaler.scale(model(torch.ones(3, 4)).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        run.finish()
        assert offline.stats(0)["grad_norm"]["0"] == pytest.approx(norm_of(model[0]), rel=CLOSE)
        assert offline.points("grad_norm")[0][1] < 100

    def test_skipped_steps_are_counted_and_leave_no_trace(self, offline: Any) -> None:
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        run = offline.init()
        run.watch(model, optimizer, every=1)
        for step in range(6):
            optimizer.zero_grad()
            inputs = torch.full((3, 4), math.inf if step in (2, 3) else 1.0)
            scaler.scale(model(inputs).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
        run.finish()
        assert [value for _, value in offline.points("skipped_steps")] == [0, 0, 2, 2]
        assert [value for _, value in offline.points("loss_scale")] == [1024, 1024, 256, 256]
        assert max(step for step, _ in offline.points("grad_norm")) == 3  # four steps were taken
        for step in range(4):
            assert offline.stats(step)["activation_nonfinite"]["0"] == 0

    @pytest.mark.parametrize("well", [0, 3, 30])
    @pytest.mark.parametrize("every", [1, 100])
    def test_a_run_that_skips_step_after_step_tells_of_its_scale_and_goes_on(
        self, offline: Any, every: int, well: int
    ) -> None:
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20)
        run = offline.init()
        run.watch(model, optimizer, every=every, dense=2)
        for attempt in range(well + 200):
            optimizer.zero_grad()
            loss = model(torch.full((3, 4), 1.0 if attempt < well else math.inf)).sum()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            run.log({"loss": loss})
        run.finish()
        skipped, scales = offline.points("skipped_steps"), offline.points("loss_scale")
        assert [value for _, value in skipped if value] == [16.0 * told for told in range(1, 13)]
        assert max(step for step, _ in skipped) > 100
        assert scales[-1][1] < 2.0**-150
        assert max(step for step, _ in offline.points("loss")) > 100

    def test_a_fused_optimizer_skips_by_itself(self, offline: Any) -> None:
        model = mlp()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1, fused=True)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        run = offline.init()
        run.watch(model, optimizer, every=1)
        norms = []
        for step in range(3):
            optimizer.zero_grad()
            scaler.scale(model(torch.full((3, 4), math.inf if step == 1 else 1.0)).sum()).backward()
            norms.append(norm_of(model) / scaler.get_scale())
            scaler.step(optimizer)
            scaler.update()
        run.finish()
        assert [step for step, _ in offline.points("grad_norm")] == [0, 2]
        assert [value for _, value in offline.points("grad_norm")] == pytest.approx([norms[0], norms[2]], rel=CLOSE)
        assert offline.points("skipped_steps") == [(0, 0), (1, 0), (2, 1)]  # so far: a step's own comes after it

    @pytest.mark.parametrize("fused", [False, True])
    @pytest.mark.parametrize("every", [1, 3])
    def test_the_norm_that_clipping_finds_in_a_skipped_step_counts_for_nothing(
        self, offline: Any, fused: bool, every: int
    ) -> None:
        model = mlp()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=fused)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        run = offline.init()
        run.watch(model, optimizer, every=every, dense=0)
        before = {}
        for step in range(7):
            optimizer.zero_grad()
            scaler.scale(model(torch.full((3, 4), math.inf if step in (2, 5) else 1.0)).sum()).backward()
            scaler.unscale_(optimizer)
            norm = clip_grad_norm_(model.parameters(), max_norm=1e6)
            if norm.isfinite():
                before[run.step + (1 if before and not fused else 0)] = norm.item()
            scaler.step(optimizer)
            scaler.update()
        run.finish()
        told = [value for _, value in offline.points("grad_norm_before_clipping")]
        assert told
        assert all(any(value == pytest.approx(norm, rel=CLOSE) for norm in before.values()) for value in told)
        assert {value for _, value in offline.points("clipped_fraction")} == {0}
        assert offline.points("skipped_steps")[-1][1] in (1, 2)

    def test_autocast_is_measured(self, offline: Any) -> None:
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run = offline.init()
        run.watch(model, optimizer)
        inputs = torch.randn(16, 4)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            expected = model[0](inputs).float().mean().item()
            loss = model(inputs).square().mean()
        loss.backward()
        optimizer.step()
        run.finish()
        assert offline.stats(0)["activation_mean"]["0"] == pytest.approx(expected, abs=1e-3)
        assert offline.stats(0)["grad_norm"]["0"] == pytest.approx(norm_of(model[0]), rel=CLOSE)


def test_a_scaler_may_drive_what_is_no_optimizer_of_torch_s(offline: Any) -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    class Wrapper:
        param_groups = optimizer.param_groups

        def step(self) -> None:
            optimizer.step()

    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    scaler.scale(model(torch.ones(3, 4)).sum()).backward()
    scaler.step(Wrapper())  # type: ignore[arg-type]  # what other libraries do
    run.finish()
    assert offline.points("grad_norm")[0][1] == pytest.approx(norm_of(model), rel=CLOSE)


def told_of_clipping(
    offline: Any, clip: Callable[[list[nn.Parameter]], float]
) -> tuple[dict[str, list[float]], list[float]]:
    """What is told of two steps, and what ``clip`` answered in them."""
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    answers = []
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(3, 4)).sum().mul(10).backward()
        answers.append(clip(list(model.parameters())))
        optimizer.step()
    run.finish()
    names = ("grad_norm_before_clipping", "clipped_fraction")
    return {name: [value for _, value in offline.points(name)] for name in names}, answers


class TestClipping:
    @pytest.mark.parametrize("imported", ["early", "late"])
    def test_norms_before_and_after_are_told(self, offline: Any, imported: str) -> None:
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        run = offline.init()
        run.watch(model, optimizer, every=1)
        clip = clip_grad_norm_ if imported == "early" else torch.nn.utils.clip_grad_norm_
        before = []
        for scale in (1.0, 100.0):
            optimizer.zero_grad()
            (model(torch.ones(3, 4)).sum() * scale).backward()
            before.append(clip(model.parameters(), max_norm=20.0).item())
            optimizer.step()
        run.finish()
        assert [value for _, value in offline.points("grad_norm_before_clipping")] == pytest.approx(before, rel=CLOSE)
        assert [value for _, value in offline.points("grad_norm")] == pytest.approx([before[0], 20.0], rel=1e-3)
        assert [value for _, value in offline.points("clipped_fraction")] == [0, 1]

    @pytest.mark.parametrize("together", [False, True])
    def test_of_several_optimizers_all_that_is_clipped_in_a_step_counts(self, offline: Any, together: bool) -> None:
        models = {"one": mlp(), "other": mlp()}
        optimizers = {name: torch.optim.SGD(model.parameters(), lr=0.01) for name, model in models.items()}
        run = offline.init()
        run.watch(models, [optimizers["one"], optimizers["other"]], every=1)
        expected = []
        for _ in range(4):
            norms = []
            for name in models:
                optimizers[name].zero_grad()
                models[name](torch.ones(3, 4)).sum().backward()
                if not together:
                    norms.append(float(clip_grad_norm_(models[name].parameters(), max_norm=2.0)))
                    optimizers[name].step()
            if together:
                both = [parameter for model in models.values() for parameter in model.parameters()]
                norms.append(float(clip_grad_norm_(both, max_norm=2.0)))
                for name in models:
                    optimizers[name].step()
            expected.append(math.hypot(*norms))
        run.finish()
        assert [value for _, value in offline.points("grad_norm_before_clipping")] == pytest.approx(expected, rel=CLOSE)

    def test_a_norm_that_is_only_looked_at_is_no_second_clipping(self, offline: Any) -> None:
        def looks(parameters: list[nn.Parameter]) -> float:
            norm = clip_grad_norm_(parameters, max_norm=math.inf).item()
            clip_grad_norm_(parameters, max_norm=2.0)
            return norm

        told, expected = told_of_clipping(offline, looks)
        assert told["grad_norm_before_clipping"] == pytest.approx(expected, rel=CLOSE)
        assert told["clipped_fraction"] == [1, 1]

    def test_norms_of_each_layer_that_are_looked_at_are_not_added_to_that_of_all(self, offline: Any) -> None:
        def looks(parameters: list[nn.Parameter]) -> float:
            clip_grad_norm_(parameters[:2], max_norm=math.inf)
            norm = clip_grad_norm_(parameters, max_norm=2.0).item()
            clip_grad_norm_(parameters[2:], max_norm=2.0)
            return norm

        told, expected = told_of_clipping(offline, looks)
        assert told["grad_norm_before_clipping"] == pytest.approx(expected, rel=CLOSE)

    def test_parts_that_are_clipped_one_by_one_add_up(self, offline: Any) -> None:
        def in_parts(parameters: list[nn.Parameter]) -> float:
            return math.hypot(clip_grad_norm_(parameters[:2], 2.0).item(), clip_grad_norm_(parameters[2:], 1e6).item())

        told, expected = told_of_clipping(offline, in_parts)
        assert told["grad_norm_before_clipping"] == pytest.approx(expected, rel=CLOSE)
        assert told["clipped_fraction"] == [1, 1]  # of steps, of each of which one part is

    def test_a_norm_that_no_call_has_is_left_out(self, offline: Any) -> None:
        def overlapping(parameters: list[nn.Parameter]) -> float:
            clip_grad_norm_(parameters[:2], 0.1)
            return clip_grad_norm_(parameters, 0.1).item()  # of some that are clipped, and some that are not

        told, _ = told_of_clipping(offline, overlapping)
        assert told["grad_norm_before_clipping"] == []
        assert told["clipped_fraction"] == [1, 1]

    @pytest.mark.parametrize("order", [1.0, math.inf])
    def test_other_norms_than_euclid_s_are_left_out_and_whether_they_bite_is_told(
        self, offline: Any, order: float
    ) -> None:
        def clip(parameters: list[nn.Parameter]) -> float:
            return clip_grad_norm_(parameters, 1e-3, norm_type=order).item()

        told, _ = told_of_clipping(offline, clip)
        assert told["grad_norm_before_clipping"] == []
        assert told["clipped_fraction"] == [1, 1]

    @pytest.mark.parametrize("imported", ["early", "late"])
    def test_norms_that_are_computed_apart_are_told(self, offline: Any, imported: str) -> None:
        def clip(parameters: list[nn.Parameter]) -> float:
            late = torch.nn.utils.get_total_norm, torch.nn.utils.clip_grads_with_norm_
            total, apply = (get_total_norm, clip_grads_with_norm_) if imported == "early" else late
            norm = total([parameter.grad for parameter in parameters if parameter.grad is not None])
            apply(parameters, 2.0, norm)
            return float(norm)

        told, expected = told_of_clipping(offline, clip)
        assert told["grad_norm_before_clipping"] == pytest.approx(expected, rel=CLOSE)
        assert told["clipped_fraction"] == [1, 1]

    def test_of_a_norm_of_one_s_own_only_whether_it_bites_is_told(self, offline: Any) -> None:
        def clip(parameters: list[nn.Parameter]) -> float:
            clip_grads_with_norm_(parameters, 2.0, torch.tensor(3.0))
            return 3.0

        told, _ = told_of_clipping(offline, clip)
        assert told["grad_norm_before_clipping"] == []
        assert told["clipped_fraction"] == [1, 1]

    def test_torch_is_as_it_was_when_nothing_is_watched(self, tmp_path: Path) -> None:
        # in a process of its own, in which nothing else is watched
        script = f"""
import torch, trainvitals as tv
from torch.nn.utils import clip_grad
behind = lambda function: function.__closure__[0].cell_contents
clips = clip_grad._clip_grads_with_norm_, clip_grad._get_total_norm
functions = lambda: (*clips, *map(behind, clips), clip_grad._clip_grads_with_norm_, torch.amp.GradScaler.step)
model, before = torch.nn.Linear(1, 1), functions()
run = tv.init(mode="offline", directory={str(tmp_path)!r})
run.watch(model, torch.optim.SGD(model.parameters(), lr=0.1))
assert functions() != before
run.finish()
assert functions() == before
"""
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.parametrize("scale", [1.0, 65_536.0])
@pytest.mark.parametrize("divides", [True, False])
def test_accumulated_gradients_tell_how_noisy_they_are(offline: Any, divides: bool, scale: float) -> None:
    # of y = w x with loss (w x - t)²/2 per example, at w = 0: gradients -t x with x = 1 are -t, mean -1, variance 4
    torch.manual_seed(0)
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, enabled=scale != 1)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    passes, examples = 4, 8
    for _ in range(300):
        optimizer.zero_grad()
        for _ in range(passes):
            targets = 1 + 2 * torch.randn(examples, 1)
            loss = (model(torch.ones(examples, 1)) - targets).square().mean() / 2
            scaler.scale(loss / passes if divides else loss).backward()
        scaler.step(optimizer)
        scaler.update()
    run.finish()
    scales = torch.tensor([value for _, value in offline.points("gradient_noise_scale")])
    assert len(scales) > 200
    assert scales.median() == pytest.approx(4.0, rel=0.35)  # tr(Σ) / |G|² = 4 / 1
