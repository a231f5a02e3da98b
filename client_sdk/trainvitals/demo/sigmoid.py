"""A deep net of sigmoids on the same digits: its gradients vanish on their way down, so that it never learns."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional

from trainvitals.demo.pictures import CLASSES, accuracy, digits
from trainvitals.demo.training import begin, end, options, prepare

HIDDEN_LAYERS = 10
WIDTH = 256
PIXELS = 64
BATCH = 256
LEARNING_RATE = 0.05
VALIDATION_EVERY = 50  # steps


def deep_sigmoid() -> nn.Sequential:
    """Ten hidden layers with PyTorch's own initialisation, which is not made for sigmoids."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for index in range(HIDDEN_LAYERS):
        layers[f"fc{index}"] = nn.Linear(WIDTH if index else PIXELS, WIDTH)
        layers[f"sigmoid{index}"] = nn.Sigmoid()
    layers["head"] = nn.Linear(WIDTH, CLASSES)
    return nn.Sequential(layers)


def main() -> None:
    """Train in vain."""
    chosen = options(__doc__ or "", steps=3000, seed=2)
    prepare(chosen)
    training, held_out = digits()
    model = deep_sigmoid()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    run = begin("digits-deep-sigmoid", chosen, config={"lr": LEARNING_RATE, "batch": BATCH, "hidden": HIDDEN_LAYERS})
    run.watch(model, optimizer)
    for step in range(chosen.steps):
        images, labels = training.batch(BATCH)
        logits = model(images)
        loss = functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss": loss, "accuracy": accuracy(logits, labels)})
        if step % VALIDATION_EVERY == VALIDATION_EVERY - 1:
            with torch.no_grad():
                run.log({"val_accuracy": accuracy(model(held_out.images), held_out.labels)})
    end(run, chosen, logged=chosen.steps)


if __name__ == "__main__":
    main()
