"""A convolutional net learns scikit-learn's handwritten digits, with batch normalisation and Adam: healthy."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainvitals.demo.pictures import CLASSES, accuracy, digits
from trainvitals.demo.training import begin, end, options, prepare

BATCH = 128
LEARNING_RATE = 5e-4
NOISE = 1.0  # standard deviations of the pixels, so that the loss does not end at nothing
LABEL_SMOOTHING = 0.05
VALIDATION_EVERY = 50  # steps


class ConvNet(nn.Module):
    """Three convolutions, then a linear layer: 8 × 8 pixels to ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.conv2, self.norm2 = nn.Conv2d(32, 64, 3, padding=1, stride=2), nn.BatchNorm2d(64)
        self.conv3, self.norm3 = nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64)
        self.relu1, self.relu2, self.relu3 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.head = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Float32 [batch, 1, 8, 8] to logits [batch, classes]."""
        x = self.relu1(self.norm1(self.conv1(x)))
        x = self.relu2(self.norm2(self.conv2(x)))
        x = self.relu3(self.norm3(self.conv3(x)))
        logits: Tensor = self.head(x.mean((2, 3)))
        return logits


def main() -> None:
    """Train; the SDK needs six lines of it."""
    chosen = options(__doc__ or "", steps=3500, seed=1)
    prepare(chosen)
    training, held_out = digits()
    model = ConvNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run = begin("digits-conv", chosen, config={"lr": LEARNING_RATE, "batch": BATCH, "noise": NOISE})
    run.watch(model, optimizer)
    run.probe((held_out.images, held_out.labels))
    for step in range(chosen.steps):
        images, labels = training.batch(BATCH)
        logits = model(images + NOISE * torch.randn_like(images))
        loss = functional.cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss": loss, "accuracy": accuracy(logits, labels)})
        if step % VALIDATION_EVERY == VALIDATION_EVERY - 1:
            model.eval()
            with torch.no_grad():
                run.log({"val_accuracy": accuracy(model(held_out.images), held_out.labels)})
            model.train()
    end(run, chosen, logged=chosen.steps)


if __name__ == "__main__":
    main()
