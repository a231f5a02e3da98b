"""A training whose diagnosis is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from clinic.bench import Bench

SEEDS: Final = (0, 1)
# These came when all rules were finished: what is wrong with each was written down before anybody saw what is found.
NEWER: Final = frozenset({"gated", "mixer", "depthwise", "temporal", "unet", "graph", "set", "two-tower"})
# Whole architectures are kept from whoever tunes a rule: what is reported of them is what strangers may expect.
HELD_BACK: Final = frozenset({"convolutional", "recurrent", "autoencoder", "residual", "attention"}) | NEWER


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``diagnosis`` is the rule that names the ill, None for a healthy training; ``follows`` are rules that may speak
    because of it, without being the answer. ``onset``: the step from which the ill is there. ``ranks``: processes that
    train it together."""

    name: str
    architecture: str
    train: Callable[[Bench], None]
    diagnosis: str | None = None
    follows: frozenset[str] = frozenset()
    onset: int = 0
    seeds: tuple[int, ...] = SEEDS
    ranks: int = 1

    @property
    def is_held_back(self) -> bool:
        """Whether rules must not be tuned by it."""
        return self.architecture in HELD_BACK

    @property
    def is_newer(self) -> bool:
        """Whether its architecture came when all rules were finished."""
        return self.architecture in NEWER


def sick(
    diagnosis: str,
    name: str,
    architecture: str,
    train: Callable[[Bench], None],
    *,
    follows: tuple[str, ...] = (),
    onset: int = 0,
    ranks: int = 1,
) -> Case:
    """A training with an ill."""
    return Case(
        name=f"{diagnosis}-{name}", architecture=architecture, train=train, diagnosis=diagnosis,
        follows=frozenset(follows), onset=onset, ranks=ranks,
    )  # fmt: skip


def healthy(name: str, architecture: str, train: Callable[[Bench], None], *, ranks: int = 1) -> Case:
    """A training that is well, and tempts naive rules."""
    return Case(name=f"healthy-{name}", architecture=architecture, train=train, ranks=ranks)
