"""Activations that are called as functions count for the layer that they follow, as modules count for themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.sdk.conftest import Offline
from tests.sdk.functional_nets import (
    DEAD,
    SATURATED,
    ZEROS,
    Forward,
    Net,
    convolutions,
    left_alone,
    linear,
    of_layers,
    pictures,
    rows,
    told,
)


@pytest.fixture(autouse=True)
def functions_are_as_they_were() -> Iterator[None]:
    with left_alone():
        yield


RECTIFIERS: dict[str, Callable[[Tensor], Tensor]] = {
    "F.relu": functional.relu,
    "F.relu in place": lambda inputs: functional.relu(inputs, inplace=True),
    "F.relu_": lambda inputs: functional.relu_(inputs),
    "torch.relu": lambda inputs: torch.relu(inputs),
    "torch.relu_": lambda inputs: torch.relu_(inputs),
    "a method": lambda inputs: inputs.relu(),
    "a method in place": lambda inputs: inputs.relu_(),
}
SQUASHING: dict[str, Callable[[Tensor], Tensor]] = {
    "F.tanh": functional.tanh,
    "torch.tanh": lambda inputs: torch.tanh(inputs),
    "torch.tanh_": lambda inputs: torch.tanh_(inputs),
    "a method, tanh": lambda inputs: inputs.tanh(),
    "a method, tanh_": lambda inputs: inputs.tanh_(),
    "F.sigmoid": functional.sigmoid,
    "torch.sigmoid": lambda inputs: torch.sigmoid(inputs),
    "torch.sigmoid_": lambda inputs: torch.sigmoid_(inputs),
    "a method, sigmoid": lambda inputs: inputs.sigmoid(),
    "a method, sigmoid_": lambda inputs: inputs.sigmoid_(),
}


class TestWhatIsTold:
    """Is what is told of the modules of the same net."""

    @pytest.mark.parametrize("name", RECTIFIERS)
    def test_of_rectifiers(self, offline: Offline, tmp_path: Path, name: str) -> None:
        rectify = RECTIFIERS[name]
        plain = Net(lambda own, x: own.head(rectify(own.hidden(rectify(own.shut(x))))), **linear())
        modules = Net(
            lambda own, x: own.head(own.second(own.hidden(own.first(own.shut(x))))),
            **linear(), first=nn.ReLU(), second=nn.ReLU(),
        )  # fmt: skip
        theirs = told(Offline(tmp_path / "modules"), modules, rows())
        ours = told(offline, plain, rows())
        for stat, of_modules in ((DEAD, theirs[DEAD]), (ZEROS, theirs["zero_fraction"])):
            assert of_layers(ours, stat) == {"shut": of_modules["first"], "hidden": of_modules["second"]}
        assert theirs[DEAD]["first"] >= 2 / 8
        assert of_layers(ours, SATURATED) == {}

    @pytest.mark.parametrize("name", SQUASHING)
    def test_of_squashing_functions_the_last_among_them(self, offline: Offline, tmp_path: Path, name: str) -> None:
        def layers() -> dict[str, nn.Module]:
            return {"hidden": nn.Linear(6, 8), "head": nn.Linear(8, 3)}

        squash, module = SQUASHING[name], nn.Tanh() if "tanh" in name else nn.Sigmoid()
        plain = Net(lambda own, x: squash(own.head(squash(own.hidden(x)))), **layers())
        modules = Net(
            lambda own, x: own.last(own.head(own.first(own.hidden(x)))),
            **layers(), first=module, last=type(module)(),
        )  # fmt: skip
        theirs = of_layers(told(Offline(tmp_path / "modules"), modules, rows()), SATURATED)
        assert of_layers(told(offline, plain, rows()), SATURATED) == {
            "hidden": pytest.approx(theirs["first"]), "head": pytest.approx(theirs["last"]),
        }  # fmt: skip
        assert 0 < theirs["first"] < 1

    def test_of_channels_behind_convolutions_and_pooling(self, offline: Offline, tmp_path: Path) -> None:
        def forward(own: Any, x: Tensor, first: Any, second: Any) -> Tensor:
            pooled = first(functional.max_pool2d(own.shut(x), 2))
            return torch.as_tensor(own.head(functional.dropout(second(own.hidden(pooled)).mean((2, 3)), 0.5)))

        plain = Net(lambda own, x: forward(own, x, functional.relu, functional.relu), **convolutions())
        shut, hidden, head = convolutions().values()
        modules = Net(
            lambda own, x: forward(own, x, own.first, own.second),
            shut=shut, first=nn.ReLU(), hidden=hidden, second=nn.ReLU(), head=head,
        )  # fmt: skip
        theirs = of_layers(told(Offline(tmp_path / "modules"), modules, pictures()), DEAD)
        ours = of_layers(told(offline, plain, pictures()), DEAD)
        assert ours == {"shut": theirs["first"], "hidden": theirs["second"]}
        assert theirs["first"] >= 2 / 8

    def test_of_several_batches_together(self, offline: Offline) -> None:
        model = Net(
            lambda own, x: own.head(torch.relu(own.one(x))), one=nn.Linear(2, 2, bias=False), head=nn.Linear(2, 1)
        )
        with torch.no_grad():
            model.get_parameter("one.weight").copy_(torch.eye(2))
        halves = torch.tensor([[1.0, -1.0]]), torch.tensor([[-1.0, 1.0]])
        stats = told(offline, model, rows(), losses=lambda: sum(model(half).sum() for half in halves))  # type: ignore[arg-type, return-value]  # a sum of tensors
        assert of_layers(stats, DEAD) == {"one": 0.0}

    def test_of_a_layer_that_is_called_in_a_loop(self, offline: Offline) -> None:
        seen: list[Tensor] = []

        def recur(own: Any, x: Tensor) -> Tensor:
            state = torch.zeros(16, 8)
            for part in x.unbind(1):
                state = torch.tanh(own.given(part) + own.back(state))
                seen.append(state.detach())
            return torch.as_tensor(own.head(state))

        model = Net(recur, given=nn.Linear(2, 8), back=nn.Linear(8, 8), head=nn.Linear(8, 1))
        stats = told(offline, model, rows(5, 2))
        expected = (torch.stack(seen[-5:]).abs() > 0.97).float().mean().item()
        assert of_layers(stats, SATURATED) == {"back": pytest.approx(expected)}


WHOSE: dict[str, tuple[dict[str, nn.Module], Forward, dict[str, float]]] = {
    "behind pooling, a module": (
        {"shut": nn.Conv2d(1, 8, 3), "pool": nn.MaxPool2d(2), "head": nn.Linear(8, 3)},
        lambda own, x: own.head(torch.relu(own.pool(own.shut(x))).mean((2, 3))),
        {"shut": 2 / 8},
    ),
    "behind dropout and identity": (
        {"shut": nn.Linear(6, 8), "drop": nn.Dropout(0.5), "same": nn.Identity(), "head": nn.Linear(8, 3)},
        lambda own, x: own.head(torch.relu(own.same(own.drop(own.shut(x))))),
        {"shut": 2 / 8},
    ),
    "within a module of ones own": (
        {"shut": nn.Linear(6, 8), "rectify": Net(lambda _, x: functional.relu(x)), "head": nn.Linear(8, 3)},
        lambda own, x: own.head(own.rectify(own.shut(x))),
        {"shut": 2 / 8},
    ),
    "behind a norm and what was added to it": (
        {"one": nn.Linear(6, 8), "shut": nn.BatchNorm1d(8), "head": nn.Linear(8, 3)},
        lambda own, x: own.head(torch.relu(own.shut(own.one(x)) + x[:, :1].clamp(-1, 1))),
        {"shut": 2 / 8},
    ),
    "the second in a row is nobody's": (
        {"shut": nn.Linear(6, 8), "head": nn.Linear(8, 3)},
        lambda own, x: own.head(torch.relu(torch.relu(own.shut(x)) - 1e6)),
        {"shut": 2 / 8},
    ),
    "behind an activation that is a module": (
        {"shut": nn.Linear(6, 8), "act": nn.LeakyReLU(), "head": nn.Linear(8, 3)},
        lambda own, x: own.head(torch.relu(own.act(own.shut(x)))),
        {},
    ),
    "of other units or examples": (
        {"shut": nn.Linear(6, 8), "head": nn.Linear(8, 3)},
        lambda own, x: own.head(torch.cat([torch.relu(part) for part in own.shut(x).chunk(2, 1)], 1)),
        {},
    ),
    "before any layer": (
        {"shut": nn.Linear(6, 8), "head": nn.Linear(8, 3)},
        lambda own, x: own.head(own.shut(torch.relu(x))),
        {},
    ),
    "within a transformer's layer": (
        {"one": nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0), "head": nn.Linear(6, 3)},
        lambda own, x: own.head(own.one(x[None])),
        {"one.linear1": pytest.approx(0, abs=0.5)},
    ),
}


class Power(nn.Module):
    """With a parameter, and a function that has nothing to do with the layer before."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(8))

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.relu(inputs @ self.weight - 1e6) + inputs


class Custom(nn.ReLU):
    """A rectifier of ones own."""

    def forward(self, input: Tensor) -> Tensor:
        return torch.relu(input)


class TestWhoseItIs:
    @pytest.mark.parametrize("where", WHOSE)
    def test_it_is_that_of_the_layer_before(self, offline: Offline, where: str) -> None:
        layers, forward, expected = WHOSE[where]
        inputs = pictures() if isinstance(layers.get("shut"), nn.Conv2d) else rows()
        assert of_layers(told(offline, Net(forward, **layers), inputs), DEAD) == expected

    def test_functions_within_a_layer_with_parameters_are_not_those_of_the_layer_before(self, offline: Offline) -> None:
        model = Net(lambda own, x: own.head(own.own(own.shut(x))), own=Power(), **linear())
        assert of_layers(told(offline, model, rows()), DEAD) == {}

    @pytest.mark.parametrize("module", [nn.ReLU(), nn.ReLU(inplace=True), Custom()], ids=["plain", "in place", "own"])
    def test_what_modules_call_is_theirs_alone(self, offline: Offline, module: nn.Module) -> None:
        model = Net(lambda own, x: own.head(own.act(own.shut(x))), act=module, **linear())
        assert of_layers(told(offline, model, rows()), DEAD) == {"act": 2 / 8}

    @pytest.mark.parametrize("module", [nn.Tanh(), nn.Sigmoid(), nn.Tanhshrink()], ids=repr)
    def test_what_squashing_modules_call_is_theirs_alone(self, offline: Offline, module: nn.Module) -> None:
        model = Net(lambda own, x: own.head(own.act(own.shut(x))), act=module, **linear())
        assert of_layers(told(offline, model, rows()), SATURATED).keys() <= {"act"}


GATES: dict[str, Forward] = {
    "swish": lambda own, x: own.head((hidden := own.shut(x)) * torch.sigmoid(hidden)),
    "quick GELU": lambda own, x: own.head((hidden := own.shut(x)) * torch.sigmoid(1.702 * hidden)),
    "GELU": lambda own, x: own.head(0.5 * (y := own.shut(x)) * (1 + torch.tanh(0.8 * (y + 0.0447 * y**3)))),
    "a gated pair": lambda own, x: own.head(torch.tanh(own.shut(x)) * torch.sigmoid(own.gate(x))),
    "a gate of a state": lambda own, x: own.head((g := torch.sigmoid(own.shut(x))) * own.gate(x) + (1 - g) * x[:, :1]),
    "lerp": lambda own, x: own.head(torch.lerp(own.gate(x), own.gate(-x), torch.sigmoid(own.shut(x)))),
}


class TestGates:
    @pytest.mark.parametrize("name", GATES)
    def test_are_saturated_on_purpose_and_not_told_of(self, offline: Offline, name: str) -> None:
        model = Net(GATES[name], gate=nn.Linear(6, 8), **linear())
        assert of_layers(told(offline, model, rows()), SATURATED) == {}

    def test_what_is_scaled_or_dropped_out_is_no_gate(self, offline: Offline) -> None:
        scale = nn.Parameter(torch.ones(8))
        model = Net(lambda own, x: own.head(functional.dropout(torch.tanh(own.shut(x)), 0.5) * 2 * scale), **linear())
        assert of_layers(told(offline, model, rows()), SATURATED)["shut"] >= 2 / 8

    def test_branches_that_meet_later_are_told_of(self, offline: Offline) -> None:
        model = Net(
            lambda own, x: own.head(torch.cat([torch.tanh(own.shut(x)), torch.tanh(own.other(x))], 1)),
            shut=nn.Linear(6, 8), other=nn.Linear(6, 8), head=nn.Linear(16, 3),
        )  # fmt: skip
        assert of_layers(told(offline, model, rows()), SATURATED).keys() == {"shut", "other"}
