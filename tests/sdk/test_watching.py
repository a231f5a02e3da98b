"""What watching records, computed a second way; and that training does not notice."""

from __future__ import annotations

import copy
import gc
import io
import math
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.sdk.small_models import SpitefulLayer


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.1), nn.Flatten(), nn.Linear(144, 3)
    )


def train(model: nn.Module, *, steps: int, watch: Any = None) -> list[float]:
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    if watch:
        watch(model, optimizer)
    losses = []
    for _ in range(steps):
        loss = model(torch.randn(8, 1, 8, 8)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_leaves_losses_bit_identical(offline: Any) -> None:
    torch.manual_seed(0)
    bare = cnn()
    watched = copy.deepcopy(bare)
    run = offline.init()
    losses = train(watched, steps=12, watch=lambda *of: run.watch(*of, every=3, dense=4))
    run.finish()
    assert losses == train(bare, steps=12)


def test_samples_densely_first_then_every_nth_step(offline: Any) -> None:
    run = offline.init()
    train(cnn(), steps=12, watch=lambda *of: run.watch(*of, every=5, dense=2))
    run.finish()
    assert [step for step, _ in offline.points("lr")] == [0, 1, 5, 10]


def test_counts_a_step_for_each_optimizer_step_under_accumulation(offline: Any) -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer)
    for _ in range(3):
        for micro in range(2):
            loss = model(torch.ones(2, 3) * micro).sum()
            loss.backward()
        run.log({"before": loss})
        optimizer.step()
        optimizer.zero_grad()
        run.log({"after": loss})
    run.finish()
    assert [step for step, _ in offline.points("before")] == [0, 1, 2]
    assert [step for step, _ in offline.points("after")] == [0, 1, 2]
    assert offline.stats(2)["zero_fraction"]["Linear"] == 0


def test_carries_gradients_that_are_not_finite(offline: Any) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer)
    (model(torch.ones(2, 3)).sum() * math.nan).backward()
    optimizer.step()
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    run.finish()
    assert math.isnan(offline.stats(0)["grad_norm"]["0"])
    assert math.isnan(offline.stats(0)["grad_max"]["1"])
    assert offline.stats(1)["activation_nonfinite"] == {"0": 6, "1": 2}


def test_leaves_evaluation_out(offline: Any) -> None:
    model = nn.Sequential(nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer)
    model(torch.ones(1, 3)).sum().backward()
    model.eval()
    model(torch.full((1, 3), 1e6))
    model.train()
    with torch.no_grad():
        model(torch.full((1, 3), 1e6))
    optimizer.step()
    run.finish()
    assert offline.stats(0)["activation_max"]["0"] < 100


class Odd(nn.Module):
    """Tied weights, a frozen layer, an unused one, sparse gradients, a tuple and a dict as outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4, sparse=True)
        self.recurrent = nn.LSTM(4, 4)
        self.head = nn.Linear(4, 4, bias=False)
        self.tied = nn.Linear(4, 4, bias=False)
        self.tied.weight = self.head.weight
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.unused = nn.Linear(4, 4)

    def forward(self, tokens: Tensor) -> dict[str, Tensor]:
        hidden, _ = self.recurrent(self.embedding(tokens))
        return {"out": self.frozen(self.tied(self.head(self.head(hidden))))}


def test_copes_with_odd_models(offline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model = Odd()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer)
    model(torch.tensor([[1, 2, 1]]))["out"].sum().backward()
    optimizer.step()
    run.finish()
    stats = offline.stats(0)
    assert stats["grad_norm"]["embedding"] == pytest.approx(
        model.embedding.weight.grad.to_dense().norm().item(), rel=1e-4
    )
    assert stats["grad_norm"]["head"] > 0
    assert math.isnan(stats["weight_norm"]["tied"])
    assert math.isnan(stats["grad_norm"]["frozen"])
    assert stats["update_ratio"]["frozen"] == 0
    assert math.isnan(stats["activation_mean"]["unused"])
    assert "watching met" not in capsys.readouterr().err


def test_several_optimizers_share_a_snapshot(offline: Any) -> None:
    left, right = nn.Linear(3, 3), nn.Linear(3, 1)
    optimizers = [torch.optim.SGD(left.parameters(), lr=0.1), torch.optim.SGD(right.parameters(), lr=0.2)]
    run = offline.init()
    run.watch(nn.Sequential(left, right), optimizers)
    for _ in range(3):
        right(left(torch.ones(1, 3))).sum().backward()
        for optimizer in optimizers:
            optimizer.step()
    run.finish()
    assert offline.points("lr/1")[0] == (0, pytest.approx(0.2))
    assert offline.stats(2)["update_ratio"]["1"] > 0
    assert offline.stats(2)["grad_max"]["0"] == pytest.approx(left.weight.grad.abs().max().item())


def test_watched_models_are_copied_and_saved_without_their_hooks(offline: Any) -> None:
    model = nn.Sequential(nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer)
    twin = copy.deepcopy(model)
    file = io.BytesIO()
    torch.save(model, file)
    assert b"trainvitals" not in file.getvalue()
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    for other in (twin, loaded):
        assert torch.equal(other(torch.ones(1, 3)), model(torch.ones(1, 3)))
    run.finish()
    assert not model[0]._forward_hooks
    assert not model._forward_pre_hooks


def test_an_error_in_a_hook_never_reaches_the_training(offline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model = nn.Sequential(SpitefulLayer(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer)
    for step in range(20):
        model(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        run.log({"loss": float(step)})
    run.finish()
    assert offline.points("loss") == [(step, float(step)) for step in range(20)]
    assert "watching stopped after 10 errors" in capsys.readouterr().err


@pytest.mark.slow
def test_compiled_models_train_on_without_graph_breaks(offline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    run = offline.init()
    run.watch(compiled, optimizer, every=2, dense=0)
    for _ in range(5):
        compiled(torch.ones(2, 3)).sum().backward()
        run.log({"loss": 1.0})
        optimizer.step()
    run.finish()
    assert offline.points("loss") == [(step, 1.0) for step in range(5)]
    assert offline.stats(4)["grad_norm"]["0"] > 0
    assert "activation stats are left out" in capsys.readouterr().err


def two_linear(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).to(dtype)


def test_gradients_that_a_closure_makes_are_those_of_its_own_step(offline: Any) -> None:
    model = two_linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer)
    norms = []
    for scale in (1.0, 2.0, 3.0):
        inputs = torch.full((4, 4), scale)

        def closure(inputs: Tensor = inputs) -> float:
            optimizer.zero_grad()
            loss = model(inputs).square().mean()
            loss.backward()
            return loss.item()

        optimizer.step(closure)
        norms.append(torch.cat([parameter.grad.flatten() for parameter in model.parameters()]).norm().item())
    run.finish()
    assert [value for _, value in offline.points("grad_norm")] == pytest.approx(norms, rel=1e-4)


def test_a_model_in_double_precision_is_measured(offline: Any) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        model = two_linear(torch.float64)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run = offline.init()
        run.watch(model, optimizer)
        model(torch.randn(4, 4)).square().mean().backward()
        norm = model[0].weight.grad.square().sum().add(model[0].bias.grad.square().sum()).sqrt().item()
        optimizer.step()
        run.finish()
    finally:
        torch.set_default_dtype(torch.float32)
    assert offline.stats(0)["grad_norm"]["0"] == pytest.approx(norm, rel=1e-5)


def test_an_optimizer_that_steps_more_often_than_the_first_is_recorded_once(offline: Any) -> None:
    model = two_linear()
    optimizers = [torch.optim.SGD(model[index].parameters(), lr=0.0) for index in (0, 2)]
    run = offline.init()
    run.watch(model, optimizers)
    for _ in range(3):
        for index in (1, 1, 1, 0):
            model(torch.ones(2, 4)).square().mean().backward()
            optimizers[index].step()
    run.finish()
    weights = torch.cat([parameter.flatten() for parameter in model[2].parameters()])
    assert offline.stats(1)["weight_norm"]["2"] == pytest.approx(weights.norm().item())


def test_activations_come_back_where_the_last_optimizer_rests(offline: Any) -> None:
    model = two_linear()
    optimizers = [torch.optim.SGD(model[index].parameters(), lr=0.1) for index in (0, 2)]
    run = offline.init()
    run.watch(model, optimizers, every=5, dense=2)
    for step in range(11):
        model(torch.ones(2, 4)).square().mean().backward()
        optimizers[0].step()
        if step % 2 == 0:
            optimizers[1].step()
    run.finish()
    assert not math.isnan(offline.stats(5)["activation_mean"]["0"])
    assert not math.isnan(offline.stats(10)["activation_mean"]["0"])


def test_another_model_may_be_watched_in_the_same_run(offline: Any) -> None:
    run = offline.init()
    for model in (two_linear(), nn.Sequential(nn.Linear(4, 1))):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run.watch(model, optimizer)
        model(torch.ones(2, 4)).square().mean().backward()
        optimizer.step()
    run.finish()
    assert set(offline.stats(0)["grad_norm"]) == {"0", "1", "2"}
    assert set(offline.stats(1)["grad_norm"]) == {"0"}


def test_metrics_count_the_steps_where_a_compiler_hides_them(offline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model = two_linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer)
    for step in range(200):
        run.log({"loss": float(step)})
        run.log({"accuracy": step / 200})
    run.finish()
    assert dict(offline.points("loss")) == {step: float(step) for step in range(200)}  # the later of a step counts
    assert dict(offline.points("accuracy")) == pytest.approx({step: step / 200 for step in range(200)})
    assert "are not seen" in capsys.readouterr().err


def test_a_run_that_has_ended_holds_no_model(offline: Any) -> None:
    model = two_linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer)
    model(torch.ones(2, 4)).square().mean().backward()
    optimizer.step()
    run.finish()
    gone = weakref.ref(model)
    del model, optimizer
    gc.collect()
    assert gone() is None


def test_metrics_count_the_steps_after_unwatch_and_the_optimizer_goes_on_from_there(offline: Any) -> None:
    model = two_linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    for is_watched in (True, False, True):
        run.watch(model, optimizer, every=1) if is_watched else run.unwatch()
        for _ in range(3):
            model(torch.ones(2, 4)).square().mean().backward()
            optimizer.step()
            run.log({"loss": 1.0})
    run.finish()
    assert [step for step, _ in offline.points("loss")] == list(range(9))
    assert [step for step, _ in offline.points("grad_norm")] == [0, 1, 2, 6, 7, 8]


def test_an_optimizer_in_the_model_s_place_is_refused(offline: Any) -> None:
    model = nn.Linear(1, 1)
    run = offline.init()
    with pytest.raises(ValueError, match="the model comes first, and this is SGD"):
        run.watch(torch.optim.SGD(model.parameters(), lr=0.1), model)
    run.finish()
