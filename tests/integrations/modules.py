"""Tiny LightningModules, of whichever of the two packages."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

BATCHES = 6


def numbers() -> DataLoader[Any]:
    torch.manual_seed(0)
    return DataLoader(TensorDataset(torch.randn(8 * BATCHES, 4)), batch_size=8)


def network(package: ModuleType, **hparams: Any) -> Any:
    """Logs train_loss and val_loss; its steps call the layers, and never the module itself."""

    class Network(package.LightningModule):
        def __init__(self, lr: float = 0.1) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
            self.head = nn.Linear(8, 1)
            self.fails_at: int | None = None
            self.calls_it = "train_loss"

        def loss(self, batch: list[Tensor]) -> Tensor:
            return self.head(self.body(batch[0])).square().mean()

        def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
            if batch_idx == self.fails_at:
                raise RuntimeError("no more memory")
            loss = self.loss(batch)
            self.log(self.calls_it, loss)
            return loss

        def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
            self.log("val_loss", self.loss(batch))

        def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
            self.log("test_loss", self.loss(batch))

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)

    torch.manual_seed(0)
    return Network(**hparams)


def adversaries(package: ModuleType) -> Any:
    """Two optimizers that take turns by hand."""

    class Adversaries(package.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.generator, self.critic = nn.Linear(4, 4), nn.Linear(4, 1)

        def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
            critics, generators = self.optimizers()
            for optimizer, sign in ((critics, 1), (generators, -1)):
                loss = sign * self.critic(self.generator(batch[0])).mean()
                optimizer.zero_grad()
                self.manual_backward(loss)
                optimizer.step()
            self.log("generator_loss", loss)

        def configure_optimizers(self) -> Any:
            return [torch.optim.SGD(part.parameters(), lr=0.1) for part in (self.critic, self.generator)]

    torch.manual_seed(0)
    return Adversaries()


def trainer(package: ModuleType, **given: Any) -> Any:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    here = {"accelerator": "cpu", "devices": 1, "log_every_n_steps": 1, "max_epochs": 2}
    return package.Trainer(**{**quiet, **here, **given})
