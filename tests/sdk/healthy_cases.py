"""Healthy trainings of every kind that a check could cry wolf at: name → the arguments of preflight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.sdk.healthy_models import (
    Autoencoder,
    Causal,
    Diffusion,
    Graph,
    LastStep,
    Librarian,
    LowRank,
    Normalising,
    Tagger,
    TwoInputs,
    TwoViews,
    denoising_loss,
    elbo,
    info_nce,
    supervised_contrastive,
)

Arguments = dict[str, Any]


def classifier(*, classes: int = 5, features: int = 12, samples: int = 48) -> Arguments:
    """A small perceptron on blobs: nothing is wrong with it."""
    torch.manual_seed(0)
    labels = torch.arange(samples) % classes
    inputs = torch.randn(classes, features)[labels] * 1.5 + torch.randn(samples, features)
    model = nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, classes))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    return {
        "model": model,
        "loss_fn": nn.CrossEntropyLoss(),
        "batch": (inputs, labels),
        "optimizer": optimizer,
        "num_classes": classes,
    }


def convolutional() -> Arguments:
    torch.manual_seed(0)
    block = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    model = nn.Sequential(*block, nn.Flatten(), nn.Dropout(0.3), nn.Linear(8 * 16, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    batch = torch.randn(16, 3, 8, 8), torch.arange(16) % 4
    return {"model": model, "loss_fn": F.cross_entropy, "batch": batch, "optimizer": optimizer}


def lstm() -> Arguments:
    torch.manual_seed(0)
    model = LastStep()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    batch = torch.randn(24, 7, 6), torch.arange(24) % 3
    return {"model": model, "loss_fn": nn.CrossEntropyLoss(), "batch": batch, "optimizer": optimizer}


def sequence_first() -> Arguments:
    torch.manual_seed(0)
    model, words = Tagger(), torch.randint(20, (9, 6))
    return {
        "model": model,
        "loss_fn": lambda output, tags: F.cross_entropy(output.flatten(0, 1), tags.flatten()),
        "batch": (words, words % 4),
        "optimizer": torch.optim.Adam(model.parameters(), lr=1e-2),
    }


def language_model() -> Arguments:
    torch.manual_seed(0)
    model, words = Causal(), torch.randint(30, (10, 13))
    return {
        "model": model,
        "loss_fn": lambda output, wanted: F.cross_entropy(output.reshape(-1, 30), wanted.reshape(-1)),
        "batch": (words[:, :-1], words[:, 1:]),
        "optimizer": torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1),
    }


def regression() -> Arguments:
    torch.manual_seed(0)
    inputs = torch.randn(40, 5)
    model = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    return {"model": model, "loss_fn": nn.MSELoss(), "batch": (inputs, inputs.sum(1)), "optimizer": optimizer}


def large_targets() -> Arguments:
    """House prices in thousands: the first loss is far from anything."""
    arguments = regression()
    inputs, _ = arguments["batch"]
    return {**arguments, "batch": (inputs, 300 + 50 * inputs.sum(1))}


def too_small_to_memorise() -> Arguments:
    torch.manual_seed(0)
    inputs = torch.randn(64, 2)
    model = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
    with torch.no_grad():
        model[0].weight.copy_(torch.ones(1, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    targets = inputs.sum(1) + torch.randn(64)
    return {"model": model, "loss_fn": nn.MSELoss(), "batch": (inputs, targets), "optimizer": optimizer}


def contrastive() -> Arguments:
    torch.manual_seed(0)
    model, inputs = TwoViews(), torch.randn(32, 10)
    views = inputs + 0.1 * torch.randn(32, 10), inputs + 0.1 * torch.randn(32, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return {"model": model, "loss_fn": info_nce, "batch": (views, None), "optimizer": optimizer}


def contrastive_by_label() -> Arguments:
    arguments = classifier()
    return {**arguments, "loss_fn": supervised_contrastive, "num_classes": None}


def variational() -> Arguments:
    torch.manual_seed(0)
    model, inputs = Autoencoder(), torch.randn(32, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return {"model": model, "loss_fn": elbo, "batch": (inputs, inputs), "optimizer": optimizer}


def discriminator() -> Arguments:
    """One half of a GAN, on real samples alone."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-4, betas=(0.5, 0.999))
    batch = torch.randn(32, 8), torch.ones(32, 1)
    return {"model": model, "loss_fn": nn.BCEWithLogitsLoss(), "batch": batch, "optimizer": optimizer}


def generator() -> Arguments:
    """The other half: judged by a discriminator that is not its own."""
    torch.manual_seed(0)
    judge = nn.Sequential(nn.Linear(8, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    model = nn.Sequential(nn.Linear(4, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 8), nn.Tanh())
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-4, betas=(0.5, 0.999))
    return {
        "model": model,
        "loss_fn": lambda made, _: F.softplus(-judge(made)).mean(),
        "batch": (torch.randn(32, 4), None),
        "optimizer": optimizer,
    }


def critic() -> Arguments:
    """Of a Wasserstein GAN: its loss begins at about zero and has no floor."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    batch = torch.randn(32, 8), torch.cat([torch.ones(16, 1), -torch.ones(16, 1)])
    optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-5)
    return {"model": model, "loss_fn": lambda said, real: -(said * real).mean(), "batch": batch, "optimizer": optimizer}


def multi_input() -> Arguments:
    torch.manual_seed(0)
    model = TwoInputs()
    inputs = {"words": torch.randint(10, (24, 5)), "numbers": torch.randn(24, 3), "mask": torch.ones(24, 5)}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    batch = inputs, torch.arange(24) % 2
    return {"model": model, "loss_fn": nn.CrossEntropyLoss(), "batch": batch, "optimizer": optimizer}


def frozen_backbone() -> Arguments:
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Linear(12, 32), nn.BatchNorm1d(32), nn.ReLU()).eval().requires_grad_(False)
    model = nn.Sequential(backbone, nn.Linear(32, 5))
    backbone.eval()
    optimizer = torch.optim.Adam(model[1].parameters(), lr=1e-2)
    return {**classifier(), "model": model, "optimizer": optimizer}


def left_out_backbone() -> Arguments:
    """As many do: not frozen, just not given to the optimizer."""
    arguments = frozen_backbone()
    return {**arguments, "model": arguments["model"].requires_grad_(True)}


def lora() -> Arguments:
    arguments = classifier()
    first, _, last = arguments["model"]
    model = nn.Sequential(LowRank(first), nn.ReLU(), LowRank(last))
    adapters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return {**arguments, "model": model, "optimizer": torch.optim.AdamW(adapters, lr=1e-3)}


def pre_trained() -> Arguments:
    """It knows its batch already, brings a part that is not used, and its inputs are not standardised."""
    arguments = classifier()
    model, (inputs, labels) = arguments["model"], arguments["batch"]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    return {**arguments, "optimizer": torch.optim.AdamW(model.parameters(), lr=1e-3)}


def converged() -> Arguments:
    """A regression at its optimum: the gradient is zero."""
    torch.manual_seed(0)
    inputs = torch.randn(64, 3)
    model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
    targets = inputs.sum(1) + 0.3 * torch.randn(64)
    columns = torch.cat([inputs, torch.ones(64, 1)], 1)
    best = torch.linalg.lstsq(columns, targets[:, None]).solution[:, 0]
    with torch.no_grad():
        model[0].weight.copy_(best[None, :3])
        model[0].bias.copy_(best[3:])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, weight_decay=1e-4)
    return {"model": model, "loss_fn": nn.MSELoss(), "batch": (inputs, targets), "optimizer": optimizer}


def graph() -> Arguments:
    torch.manual_seed(0)
    edges = (torch.rand(20, 20) < 0.2).float() + torch.eye(20)
    model = Graph()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    batch = (torch.randn(20, 6), edges / edges.sum(1, keepdim=True)), torch.arange(20) % 3
    return {"model": model, "loss_fn": nn.CrossEntropyLoss(), "batch": batch, "optimizer": optimizer}


def warm_up() -> Arguments:
    """The schedule has set the first rate to zero."""
    arguments = classifier()
    optimizer = torch.optim.SGD(arguments["model"].parameters(), lr=0.1)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 100))
    return {**arguments, "optimizer": optimizer}


def label_smoothing() -> Arguments:
    weights = torch.tensor([1.0, 5.0, 1.0, 0.2, 1.0])
    return {**classifier(), "loss_fn": nn.CrossEntropyLoss(weight=weights, label_smoothing=0.1)}


def summed() -> Arguments:
    arguments = classifier()
    optimizer = torch.optim.Adam(arguments["model"].parameters(), lr=3e-3)
    return {**arguments, "loss_fn": nn.CrossEntropyLoss(reduction="sum"), "optimizer": optimizer}


def penalised() -> Arguments:
    """A loss that reaches for the weights by itself."""
    arguments = classifier()
    model = arguments["model"]
    return {
        **arguments,
        "loss_fn": lambda output, labels: (
            F.cross_entropy(output, labels) + 1e-4 * sum(part.square().sum() for part in model.parameters())
        ),
    }


def counts_from_0_to_16() -> Arguments:
    """Handwritten digits as they come: pixels are counts."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    batch = torch.randint(0, 17, (40, 64)).float(), torch.arange(40) % 10
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return {"model": model, "loss_fn": nn.CrossEntropyLoss(), "batch": batch, "optimizer": optimizer}


def normalised_inside() -> Arguments:
    arguments = convolutional()
    model = Normalising(arguments["model"])
    images = torch.randint(0, 256, (16, 3, 8, 8)).float()
    return {**arguments, "model": model, "batch": (images, arguments["batch"][1])}


def rare_class() -> Arguments:
    """Fraud: one in a thousand, and none in this batch."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    batch = torch.randn(64, 8), torch.zeros(64, dtype=torch.long)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return {"model": model, "loss_fn": nn.CrossEntropyLoss(), "batch": batch, "optimizer": optimizer}


def segmentation() -> Arguments:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 3, 1))
    images = torch.randn(6, 3, 8, 8)
    labels = images.argmax(1)
    labels[:, 0] = -100
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    return {"model": model, "loss_fn": nn.CrossEntropyLoss(), "batch": (images, labels), "optimizer": optimizer}


def gaussian() -> Arguments:
    """A likelihood: it may fall below zero."""
    arguments = regression()
    model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 2))
    inputs, targets = arguments["batch"]
    return {
        "model": model,
        "loss_fn": lambda output, wanted: F.gaussian_nll_loss(output[:, 0], wanted, output[:, 1].exp()),
        "batch": (inputs, targets / targets.std()),
        "optimizer": torch.optim.Adam(model.parameters(), lr=1e-2),
    }


def diffusion() -> Arguments:
    """Noise at every step, and a loss of its own: ``forward=`` alone says how it goes."""
    torch.manual_seed(0)
    model = Diffusion()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    return {
        "model": model, "loss_fn": None, "batch": torch.randn(32, 8), "optimizer": optimizer, "forward": denoising_loss,
    }  # fmt: skip


def one_mapping() -> Arguments:
    torch.manual_seed(0)
    model = Librarian()
    batch = {
        "input_ids": torch.randint(20, (24, 6)),
        "attention_mask": torch.ones(24, 6, dtype=torch.long),
        "labels": torch.arange(24) % 3,
    }
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    return {"model": model, "loss_fn": lambda output, batch: output.loss, "batch": batch, "optimizer": optimizer}


HEALTHY: dict[str, Callable[[], Arguments]] = {
    made.__name__: made
    for made in (
        classifier, convolutional, lstm, sequence_first, language_model, regression, large_targets,
        too_small_to_memorise, contrastive, contrastive_by_label, variational, discriminator, generator, critic,
        multi_input, frozen_backbone, left_out_backbone, lora, pre_trained, converged, graph, warm_up, label_smoothing,
        summed, penalised, counts_from_0_to_16, normalised_inside, rare_class, segmentation, gaussian, diffusion,
        one_mapping,
    )
}  # fmt: skip
