"""Layers and optimizers tell the line of code that makes them."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from trainvitals.collector.layers import find_layers
from trainvitals.wire import coding
from trainvitals.wire.messages import ModelInfo

HERE = Path(__file__)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first: nn.Module = nn.Linear(4, 4)  # made first
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(4, 4))  # made together
        for number in range(2):
            setattr(self, f"head{number}", nn.Linear(4, 1))

    def forward(self, x: Any) -> Any:
        return self.rest(self.first(x))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.late = None
        self.one, self.two = nn.Linear(4, 1), nn.Linear(4, 1)  # made in one line
        if self.late is None:
            self.late = nn.Linear(4, 1)  # made when it was missing
        self.out = nn.Linear(4, 1)  # made last

    def forward(self, x: Any) -> Any:
        return x


def line_of(words: str) -> str:
    number = next(number for number, line in enumerate(HERE.read_text().splitlines(), 1) if line.endswith(words))
    return f"{HERE}:{number}"


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("blocks.0.first", "# made first"),
        ("blocks.1.rest.0", "# made together"),
        ("out", "# made last"),
        ("two", "# made in one line"),
        ("late", "# made when it was missing"),
        ("blocks.1.head0", "class Block(nn.Module):"),  # by a name that no line has
    ],
)
def test_a_layer_is_made_where_the_module_around_it_assigns_it(layer: str, words: str) -> None:
    layers = find_layers({"": Net()})

    assert layers.sources[layers.names.index(layer)] == line_of(words)


class Wrapped(Net):
    """As fully_shard has it: a class of PyTorch's before the user's own."""

    __module__ = "torch.distributed.fsdp"


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")
@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.compile])
def test_what_is_wrapped_is_found_all_the_same(wrap: Any) -> None:
    layers = find_layers({"": wrap(Net())})
    (place,) = [place for place, name in enumerate(layers.names) if name.split(".")[-1] == "out"]

    assert layers.sources[place] == line_of("# made last")


def test_what_is_sharded_is_found_by_the_class_that_it_had() -> None:
    layers = find_layers({"": Wrapped()})

    assert layers.sources[layers.names.index("out")] == line_of("# made last")


def test_of_what_is_pytorch_s_alone_nothing_is_told() -> None:
    assert find_layers({"": nn.Sequential(nn.Linear(2, 2), nn.ReLU())}).sources == [None, None]


def test_a_class_without_a_file_is_no_hindrance() -> None:
    scope: dict[str, Any] = {"nn": nn}
    exec(
        "class Odd(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear(1, 1)",
        scope,
    )

    assert find_layers({"": scope["Odd"]()}).sources == [None]


class Nowhere(Net):
    __module__ = None  # type: ignore[assignment]


def test_no_class_is_too_odd_to_be_watched() -> None:
    layers = find_layers({"": nn.Sequential(Nowhere())})

    assert layers.sources[layers.names.index("0.out")] is None


def told(offline: Any) -> str | None:
    (message,) = [coding.decode(one.payload, ModelInfo) for one in offline.records if one.kind == "model"]
    return message.optimizers[0].source


def watch(offline: Any, optimizer: torch.optim.Optimizer, model: nn.Module) -> str | None:
    """What the server is told, where the optimizer comes from somebody who calls."""
    run = offline.init()
    run.watch(model, optimizer)
    run.finish()
    return told(offline)


def test_an_optimizer_is_made_where_the_nearest_caller_calls_its_class(offline: Any) -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)  # made by a caller
    same = optimizer

    assert watch(offline, same, model) == line_of("# made by a caller")


class Trainer:
    def __init__(self) -> None:
        self.model = nn.Linear(2, 1)
        self.steps_with = torch.optim.Adamax(self.model.parameters(), lr=0.1)  # made for a trainer


def test_an_optimizer_that_was_made_before_is_found_where_the_file_makes_one_alone(offline: Any) -> None:
    trainer = Trainer()

    assert watch(offline, trainer.steps_with, trainer.model) == line_of("# made for a trainer")


def test_of_several_of_a_class_none_is_guessed(offline: Any) -> None:
    one, other = nn.Linear(2, 1), nn.Linear(2, 1)
    first, second = torch.optim.Rprop(one.parameters()), torch.optim.Rprop(other.parameters())

    assert watch(offline, second, other) is None
    assert first is not second


def test_an_optimizer_that_is_learnt_at_its_first_step_has_its_line_too(offline: Any) -> None:
    model = nn.Linear(2, 1)
    run = offline.init()
    run.watch(model)
    learnt = torch.optim.ASGD(model.parameters(), lr=0.1)  # made after watch
    for _ in range(3):
        model(torch.ones(1, 2)).sum().backward()
        learnt.step()
    run.finish()

    assert told(offline) == line_of("# made after watch")


def test_nothing_is_kept_alive_by_looking(offline: Any) -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.Adadelta(model.parameters())
    large = nn.Linear(2, 2)
    alive = weakref.ref(large)

    watch(offline, optimizer, model)
    del large

    assert alive() is None
