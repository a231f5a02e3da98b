"""What metrics mean by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

LOSSES: Final = ("loss", "train_loss", "train/loss")
VALIDATION_LOSSES: Final = ("val_loss", "validation_loss", "val/loss", "eval_loss", "eval/loss")


def pick(names: Sequence[str], candidates: Sequence[str]) -> str | None:
    """The first of ``candidates`` among ``names``."""
    return next((name for name in candidates if name in names), None)
