"""Layers tell the line of code that makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from trainvitals.collector.layers import find_layers

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
        ("blocks.1.head0", "class Block(nn.Module):"),  # by a name that no line has
    ],
)
def test_a_layer_is_made_where_the_module_around_it_assigns_it(layer: str, words: str) -> None:
    layers = find_layers({"": Net()})

    assert layers.sources[layers.names.index(layer)] == line_of(words)


def test_what_was_compiled_or_spread_over_processes_is_found_all_the_same() -> None:
    layers = find_layers({"": nn.DataParallel(Net())})

    assert layers.sources[layers.names.index("module.out")] == line_of("# made last")


def test_of_what_is_pytorch_s_alone_nothing_is_told() -> None:
    assert find_layers({"": nn.Sequential(nn.Linear(2, 2), nn.ReLU())}).sources == [None, None]


def test_a_class_without_a_file_is_no_hindrance() -> None:
    scope: dict[str, Any] = {"nn": nn}
    exec(
        "class Odd(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear(1, 1)",
        scope,
    )

    assert find_layers({"": scope["Odd"]()}).sources == [None]
