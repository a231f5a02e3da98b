"""Times in which PyTorch's functions report to nobody."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from trainvitals.collector import attention_calls, instruments, loss_calls


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """What is called within is none of the training's: a preflight's trial."""
    everyone: list[list[Any]] = [loss_calls.listeners, instruments.listeners, attention_calls.listeners]  # Any: of each
    kept = [list(listeners) for listeners in everyone]
    for listeners in everyone:
        listeners.clear()
    try:
        yield
    finally:
        for listeners, before in zip(everyone, kept, strict=True):
            listeners[:] = [*before, *listeners]
