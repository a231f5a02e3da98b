"""Set-ups in which others are wrong or blind: each measured as what it is, with the training as if unwatched."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.sdk.small_models import CLOSE, mlp, norm_of


class Recomputing(nn.Module):
    """Activation checkpointing of the middle."""

    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 1)
        self.reentrant = reentrant
        self.middle.register_forward_pre_hook(lambda *_: setattr(self, "calls", getattr(self, "calls", 0) + 1))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = checkpoint(self.middle, self.first(inputs), use_reentrant=self.reentrant)
        assert isinstance(hidden, Tensor)
        return torch.as_tensor(self.last(hidden))


@pytest.mark.parametrize("reentrant", [True, False])
def test_what_is_computed_again_in_the_backward_pass_counts_once(offline: Any, reentrant: bool) -> None:
    model = Recomputing(reentrant=reentrant)
    with torch.no_grad():
        model.middle.weight.zero_()
        model.middle.bias.copy_(torch.tensor([math.inf, 0, 0, 0]))  # counted per value
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    run = offline.init()
    run.watch(model, optimizer)
    model(torch.ones(5, 4)).sum().backward()
    optimizer.step()
    run.finish()
    assert model.calls == 2
    assert offline.stats(0)["activation_nonfinite"]["middle"] == 5


class TestSeveralOptimizers:
    def train(self, run: Any, *, steps: int = 6) -> tuple[nn.Module, nn.Module]:
        torch.manual_seed(0)
        generator, critic = nn.Sequential(nn.Linear(2, 3)), nn.Sequential(nn.Linear(3, 1))
        of_critic = torch.optim.SGD(critic.parameters(), lr=0.1)
        of_generator = torch.optim.Adam(generator.parameters(), lr=0.01)
        run.watch({"generator": generator, "critic": critic}, [of_critic, of_generator], every=1)
        for _ in range(steps):
            for optimizer, sign in ((of_critic, 1), (of_generator, -1)):
                optimizer.zero_grad()
                (critic(generator(torch.randn(4, 2))).mean() * sign).backward()
                optimizer.step()
            run.log({"loss": 1.0})
        run.finish()
        return generator, critic

    def test_a_gan_counts_a_step_for_each_round(self, offline: Any) -> None:
        generator, _ = self.train(offline.init())
        assert [step for step, _ in offline.points("loss")] == list(range(6))
        last = offline.stats(5)
        assert last["grad_norm"]["generator.0"] == pytest.approx(norm_of(generator), rel=CLOSE)
        assert last["update_ratio"]["critic.0"] > 0
        assert last["activation_std"]["critic.0"] > 0


class Low(nn.Module):
    """A frozen layer with a trainable way around it, as LoRA has it."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(4, 4).requires_grad_(False)
        self.down, self.up = nn.Linear(4, 2, bias=False), nn.Linear(2, 4, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.as_tensor(self.base(inputs) + self.up(self.down(inputs)))


def test_frozen_layers_and_their_ways_around_are_told_apart(offline: Any) -> None:
    model = Low()
    optimizer = torch.optim.SGD([one for one in model.parameters() if one.requires_grad], lr=0.1)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(3, 4)).square().mean().backward()
        optimizer.step()
    run.finish()
    first, second = offline.stats(0), offline.stats(1)
    assert math.isnan(first["grad_norm"]["base"])
    assert second["update_ratio"]["base"] == 0
    assert first["grad_norm"]["down"] == 0  # nothing comes through what is zero
    assert math.isnan(first["update_ratio"]["up"])
    assert second["update_ratio"]["up"] > 0


@dataclasses.dataclass
class Answer:
    scores: Tensor
    extra: list[int]


class Answering(nn.Linear):
    def forward(self, inputs: Tensor) -> Any:
        return Answer(scores=super().forward(inputs), extra=[1])


def test_the_first_tensor_of_any_output_is_measured(offline: Any) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent, self.answer = nn.LSTM(4, 4, batch_first=True), Answering(4, 2)
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

        def forward(self, inputs: Tensor) -> Tensor:
            hidden, _ = self.recurrent(inputs)
            mixed, _ = self.attention(hidden, hidden, hidden)
            self.seen = [hidden, mixed, self.answer(mixed).scores]
            return torch.as_tensor(self.seen[2])

    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer)
    model(torch.randn(2, 3, 4)).sum().backward()
    optimizer.step()
    run.finish()
    means = offline.stats(0)["activation_mean"]
    for name, seen in zip(("recurrent", "attention", "answer"), model.seen, strict=True):
        assert means[name] == pytest.approx(seen.mean().item(), abs=1e-6)


def test_what_cannot_be_measured_is_left_out(offline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    class Sparse(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.to_sparse()

    class Dense(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.to_dense()

    model = nn.Sequential(nn.Linear(4, 4), Sparse(), Dense(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    parameters = {name: one.detach() for name, one in model.named_parameters()}
    for _ in range(12):
        torch.func.grad(lambda given: torch.func.functional_call(model, given, (torch.ones(2, 4),)).sum())(parameters)
        model(torch.ones(2, 4)).sum().backward()
        optimizer.step()
    run.finish()
    assert math.isnan(offline.stats(11)["activation_mean"]["1"])
    assert offline.stats(11)["activation_max"]["3"] > 0
    assert "watching met" not in capsys.readouterr().err


def test_layers_are_chosen_by_pattern(offline: Any) -> None:
    model = nn.ModuleDict({"body": mlp(), "head": nn.Linear(4, 1)})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer, include=["body.*"], exclude=["*.1"])
    (model["body"](torch.ones(1, 4)).sum() + model["head"](torch.ones(1, 4)).sum()).backward()
    optimizer.step()
    run.finish()
    assert list(offline.stats(0)["grad_norm"]) == ["body.0", "body.2"]


def test_a_training_that_fails_in_the_forward_pass_goes_on_afterwards(offline: Any) -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    for step in range(4):
        inputs = torch.ones(2, 3 if step == 1 else 4)
        try:
            loss = model(inputs).sum()
        except RuntimeError:
            continue
        loss.backward()
        optimizer.step()
    model.eval()
    model(torch.full((2, 4), 1e6))
    run.finish()
    assert [step for step, _ in offline.points("grad_norm")] == [0, 1, 2]
    assert offline.stats(2)["activation_max"]["0"] < 100


def test_unwatch_leaves_the_model_as_it_was(offline: Any) -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = [dict(vars(module)) for module in model.modules()]
    run = offline.init()
    run.watch(model, optimizer, every=1)
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    run.unwatch()
    for module, attributes in zip(model.modules(), before, strict=True):
        assert {key: value for key, value in vars(module).items() if key != "training"} == {
            key: value for key, value in attributes.items() if key != "training"
        }
    assert not optimizer._optimizer_step_pre_hooks
    run.log({"loss": 1.0})
    run.finish()
    assert offline.points("loss") == [(0, 1.0)]


class Body(nn.Module):
    """What can be compiled by itself."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.linear = nn.Linear(before, after)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.as_tensor(self.linear(inputs).relu())


class TestCompiled:
    """With a backend that compiles nothing, but traces like any other."""

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:The .grad attribute")  # of the compiler's own making
    @pytest.mark.parametrize("at", [0, 1, 7])
    def test_a_part_that_is_compiled_while_it_is_watched_is_told_of_once(
        self, offline: Any, capsys: pytest.CaptureFixture[str], at: int
    ) -> None:
        torch._dynamo.reset()
        model = mlp().append(Body(1, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run = offline.init()
        run.watch(model, optimizer, every=1)
        for step in range(22):
            if step == at:
                model[3].compile(fullgraph=True, backend="eager")
            optimizer.zero_grad()
            model(torch.ones(2, 4)).sum().backward()
            optimizer.step()
        run.finish()
        assert capsys.readouterr().err.count("activation stats are left out") == 1
        assert offline.stats(21)["activation_max"]["0"] > 0
        assert math.isnan(offline.stats(21)["activation_max"]["3.linear"])

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:The .grad attribute")  # of the compiler's own making
    @pytest.mark.parametrize("order", ["watch, then compile", "compile, then watch", "in place", "only a part"])
    def test_no_graph_breaks_and_nothing_is_claimed_that_was_not_seen(
        self, offline: Any, capsys: pytest.CaptureFixture[str], order: str
    ) -> None:
        torch._dynamo.reset()
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run = offline.init()
        called: Any = model
        if order == "watch, then compile":
            run.watch(model, optimizer, every=1)
            called = torch.compile(model, fullgraph=True, backend="eager")
        else:
            if order == "compile, then watch":
                called = torch.compile(model, fullgraph=True, backend="eager")
            elif order == "in place":
                model.compile(fullgraph=True, backend="eager")
            else:
                model.append(Body(1, 1))
                model[3].compile(fullgraph=True, backend="eager")
            run.watch(called, optimizer, every=1)
        for _ in range(5):
            optimizer.zero_grad()
            called(torch.ones(2, 4)).sum().backward()
            optimizer.step()
            run.log({"loss": 1.0})
        run.finish()
        if order == "only a part":
            assert offline.stats(4)["activation_max"]["0"] > 0
            assert math.isnan(offline.stats(4)["activation_max"]["3.linear"])
        assert "activation stats are left out" in capsys.readouterr().err
        assert offline.stats(4)["grad_norm"]["0"] == pytest.approx(norm_of(model[0]), rel=CLOSE)
        assert [step for step, _ in offline.points("loss")] == list(range(5))

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:The .grad attribute")  # of the compiler's own making
    @pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")
    @pytest.mark.parametrize("what", ["loss", "step"])
    def test_a_compiled_loss_or_step_breaks_no_oftener_than_unwatched(self, offline: Any, what: str) -> None:
        run = offline.init()
        bare = self.breaks(what, run=None)
        watched = self.breaks(what, run=run)
        run.finish()
        assert watched == bare
        assert bool(bare) == (what == "step")  # backward() breaks it for everybody

    def breaks(self, what: str, *, run: Any) -> dict[str, int]:
        """Reasons for which graphs broke, and how often."""
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        model = mlp()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        if run is not None:
            run.watch(model, optimizer, every=2, dense=2)

        def loss(inputs: Tensor) -> Tensor:
            return torch.as_tensor(model(inputs).square().mean())

        def step(inputs: Tensor) -> None:
            optimizer.zero_grad()
            loss(inputs).backward()
            optimizer.step()

        compiled_loss: Any = torch.compile(loss, fullgraph=True, backend="aot_eager")
        compiled_step: Any = torch.compile(step, backend="aot_eager")
        for _ in range(5):
            if what == "step":
                compiled_step(torch.ones(2, 4))
                continue
            optimizer.zero_grad()
            compiled_loss(torch.ones(2, 4)).backward()
            optimizer.step()
        return dict(torch._dynamo.utils.counters["graph_break"])
