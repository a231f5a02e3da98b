"""Healthy trainings of models that are built in odd ways: name → the arguments of preflight."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.sdk.healthy_cases import Arguments, classifier, convolutional
from tests.sdk.healthy_models import Adversarial, Binary, Checkpointed, Experts, Sparse, Stateful


def straight_through() -> Arguments:
    model = Binary()
    return {**classifier(), "model": model, "optimizer": torch.optim.Adam(model.parameters(), lr=1e-2)}


def domain_adversarial() -> Arguments:
    model = Adversarial()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    arguments = classifier()
    inputs, labels = arguments["batch"]
    return {
        **arguments,
        "model": model,
        "batch": (inputs, (labels, torch.arange(48) // 3 % 2)),
        "loss_fn": lambda said, wanted: F.cross_entropy(said[0], wanted[0]) + F.cross_entropy(said[1], wanted[1]),
        "optimizer": optimizer,
    }


def experts() -> Arguments:
    model = Experts()
    return {**classifier(), "model": model, "optimizer": torch.optim.Adam(model.parameters(), lr=1e-2)}


def stateful() -> Arguments:
    model = Stateful(detaches=True)
    return {**classifier(), "model": model, "optimizer": torch.optim.Adam(model.parameters(), lr=1e-2)}


def sparse() -> Arguments:
    torch.manual_seed(0)
    model, labels = Sparse(), torch.arange(30) % 5
    optimizers = [torch.optim.SparseAdam(model.words.parameters()), torch.optim.Adam(model.head.parameters())]
    batch = torch.randint(10, (30, 4)) + 10 * labels[:, None], labels
    return {"model": model, "loss_fn": nn.CrossEntropyLoss(), "batch": batch, "optimizer": optimizers}


def lazy() -> Arguments:
    model = nn.Sequential(nn.LazyLinear(32), nn.ReLU(), nn.LazyLinear(5))
    return {**classifier(), "model": model, "optimizer": None}


def half_precision() -> Arguments:
    arguments = classifier()
    inputs, labels = arguments["batch"]
    return {**arguments, "model": arguments["model"].bfloat16(), "batch": (inputs.bfloat16(), labels)}


def compiled() -> Arguments:
    arguments = convolutional()
    return {**arguments, "model": torch.compile(arguments["model"], backend="eager")}


def parametrised() -> Arguments:
    norms = torch.nn.utils.parametrizations
    first, last = norms.weight_norm(nn.Linear(12, 32)), norms.spectral_norm(nn.Linear(32, 5))
    model = nn.Sequential(first, nn.ReLU(), last)
    return {**classifier(), "model": model, "optimizer": torch.optim.Adam(model.parameters(), lr=1e-2)}


def checkpointed() -> Arguments:
    model = Checkpointed()
    return {**classifier(), "model": model, "optimizer": torch.optim.Adam(model.parameters(), lr=1e-2)}


ODD: dict[str, Callable[[], Arguments]] = {
    made.__name__: made
    for made in (
        straight_through, domain_adversarial, experts, stateful, sparse, lazy, half_precision, compiled, parametrised,
        checkpointed,
    )
}  # fmt: skip
