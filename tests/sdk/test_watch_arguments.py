"""What `watch` was given, if it cannot be meant, is refused in words of what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import trainvitals as tv


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ((nn.Linear(1, 1).parameters(),), {}, "takes a torch.nn.Module, .* was given a generator: give it the model"),
        (([],), {}, "there is no model in what was given"),
        (("net",), {}, "was given a str"),
        ((nn.Linear(1, 1), "adam"), {}, "'adam' is no optimizer"),
        ((nn.Linear(1, 1),), {"every": "10"}, "every='10' is no whole number"),
        ((nn.Linear(1, 1),), {"every": 0}, "every=0: sample every step"),
        ((nn.Linear(1, 1),), {"budget": "0.1"}, "budget='0.1' is no number: it is a share"),
        ((nn.Linear(1, 1),), {"budget": 2}, "budget=2: it is a share"),
        ((nn.Linear(1, 1),), {"dense": -1}, "dense=-1"),
        ((nn.Linear(1, 1),), {"include": [1]}, r"include=\[1\]: it takes shell patterns"),
    ],
)
@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_what_cannot_be_meant_is_refused_in_words_of_what_is_taken(
    tmp_path: Path, arguments: tuple[Any, ...], options: dict[str, Any], said: str, mode: str
) -> None:
    run = tv.init(mode=mode, directory=tmp_path)
    with pytest.raises((TypeError, ValueError), match=said):
        run.watch(*arguments, **options)
    run.finish()


def test_one_pattern_alone_and_numbers_of_numpy_are_taken(offline: Any) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer, every=np.int64(1), budget=np.float32(0.5), include="0")
    model(torch.ones(2, 4)).square().mean().backward()
    optimizer.step()
    run.finish()
    assert list(offline.stats(0)["grad_norm"]) == ["0"]


@pytest.mark.parametrize("several", [list, tuple, dict.values])
def test_several_models_may_stand_in_whatever_holds_them(offline: Any, several: Any) -> None:
    models = {"a": nn.Linear(2, 2), "b": nn.Linear(2, 1)}
    optimizer = torch.optim.SGD([one for model in models.values() for one in model.parameters()], lr=0.1)
    run = offline.init()
    run.watch(several(models) if several is dict.values else several(models.values()), optimizer, every=1.0)
    models["b"](models["a"](torch.ones(3, 2))).sum().backward()
    optimizer.step()
    run.finish()
    assert list(offline.stats(0)["grad_norm"]) == ["Linear", "Linear_2"]


@pytest.mark.parametrize("wandb", [{"log": "all"}, {"log_freq": 10}])
def test_words_of_wandb_may_stand_beside_an_optimizer(offline: Any, wandb: dict[str, Any]) -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer, include=None, exclude={}.keys(), **wandb)
    for _ in range(12):
        model(torch.ones(3, 2)).sum().backward()
        optimizer.step()
    run.finish()
    assert offline.points("grad_norm")


def test_a_pattern_that_fits_no_layer_is_told_with_the_names_that_there_are(offline: Any) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 2))
    run = offline.init()
    with pytest.raises(ValueError, match=r"called as \['conv\*'\] says: there are 0, 2"):
        run.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), include="conv*")
    run.finish()
