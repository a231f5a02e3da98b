"""What the head of a run's page says of optimizers."""

from __future__ import annotations

import torch
from torch import nn

from trainvitals.collector.layers import describe, find_layers
from trainvitals.wire import coding
from trainvitals.wire.answers import RunDetail, RunSummary
from trainvitals.wire.messages import ModelInfo, OptimizerInfo, ParameterGroup
from trainvitals_dashboard.gathering import RunView
from trainvitals_dashboard.parts.optimizers import MOST_LINES
from trainvitals_dashboard.parts.run_head import head


def described(*optimizers: torch.optim.Optimizer, model: nn.Module) -> list[OptimizerInfo]:
    """As the SDK tells the server, and the server the page."""
    found = describe(find_layers({"": model}), optimizers)
    return coding.decode(coding.encode(found), ModelInfo).optimizers


def lines(optimizers: list[OptimizerInfo]) -> list[str]:
    summary = RunSummary(run_id="r", project="p", name="n", status="running", created_at=0, heartbeat_at=0)
    pieces = head(RunView(detail=RunDetail(summary=summary, optimizers=optimizers)))
    everything = [div for piece in pieces for div in piece._traverse()]
    return [div.children for div in everything if getattr(div, "className", "") == "tv-optimizer"]


def layers(count: int = 2) -> nn.Sequential:
    return nn.Sequential(*(nn.Linear(2, 2) for _ in range(count)))


def test_settings_that_never_change_are_told_in_a_line() -> None:
    model = layers()
    adam = torch.optim.AdamW(model.parameters(), lr=1e-3)
    assert lines(described(adam, model=model)) == ["AdamW · lr 0.001 · betas 0.9, 0.999 · weight decay 0.01"]


def test_each_optimizer_has_its_own() -> None:
    model = layers()
    sgd = torch.optim.SGD(model[0].parameters(), lr=0.1, momentum=0.9, nesterov=True)
    rms = torch.optim.RMSprop(model[1].parameters(), lr=1e-5, weight_decay=1e-4)
    assert lines(described(sgd, rms, model=model)) == [
        "SGD · lr 0.1 · momentum 0.9 · weight decay 0 · Nesterov",
        "RMSprop · lr 1.0e-5 · momentum 0 · smoothing 0.99 · weight decay 1.0e-4",
    ]


def test_groups_that_are_alike_share_a_line() -> None:
    model = layers(3)
    groups = [
        {"params": model[0].parameters()},
        {"params": model[1].parameters(), "weight_decay": 0.0},
        {"params": model[2].parameters()},
    ]
    adam = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95))
    assert lines(described(adam, model=model)) == [
        "AdamW · lr 0.001 · betas 0.9, 0.95 · weight decay 0.01 · 2 layers",
        "AdamW · lr 0.001 · betas 0.9, 0.95 · weight decay 0 · 1 layer",
    ]


def test_the_rate_is_that_of_the_script_and_not_where_a_schedule_begins() -> None:
    model = layers()
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.optim.lr_scheduler.LinearLR(sgd, start_factor=0.01)
    assert lines(described(sgd, model=model)) == ["SGD · lr 0.1 · momentum 0 · weight decay 0"]


def test_of_many_groups_the_first_are_told_and_the_others_counted() -> None:
    groups = [ParameterGroup(settings={"lr": 0.1 * number}) for number in range(1, MOST_LINES + 4)]
    found = lines([OptimizerInfo(kind="SGD", groups=groups)])
    assert len(found) == MOST_LINES + 1
    assert found[-1] == "SGD: 3 more groups that differ"


def test_an_optimizer_that_tells_nothing_is_named() -> None:
    assert lines([OptimizerInfo(kind="Muon", groups=[])]) == ["Muon"]
    assert lines([OptimizerInfo(kind="Muon", groups=[ParameterGroup(settings={"lr": "NaN"})])]) == ["Muon · lr NaN"]
