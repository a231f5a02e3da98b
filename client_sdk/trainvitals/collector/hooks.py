"""Hooks that never reach the training: they catch their own errors, and vanish from copies of the model."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable
from typing import Any, Final

import torch
from torch.jit._trace import is_tracing as _is_tracing

from trainvitals.collector.toll import Toll

MAX_ERRORS: Final = 10


class Faults:
    """Counts errors of hooks, tells of each kind once, and says when it is enough."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.count = 0

    @property
    def too_many(self) -> bool:
        """Watching is to stop."""
        return self.count >= MAX_ERRORS

    def add(self, error: Exception) -> None:
        """One more."""
        self.count += 1
        self._tell(f"watching met {type(error).__name__}: {error}; the training goes on, the snapshot is incomplete")
        if self.count == MAX_ERRORS:
            self._tell(f"watching stopped after {MAX_ERRORS} errors; metrics that you log are still recorded")


class Hook:
    """A forward or optimizer hook. In copies and pickles of what carries it, it is a function that does nothing. One
    that stays at all steps has its ``toll``."""

    __slots__ = ("_body", "_faults", "_toll")

    def __init__(self, body: Callable[..., None], faults: Faults, toll: Toll | None = None) -> None:
        self._body = body
        self._faults = faults
        self._toll = toll

    def __call__(self, *arguments: Any) -> None:  # Any: whatever torch hands to hooks
        if torch.compiler.is_compiling():
            return
        if _is_tracing() or self._faults.too_many:
            return
        try:
            if self._toll is not None and self._toll.is_due:
                self._toll.time(self._body, arguments)
            else:
                self._body(*arguments)
        except Exception as error:  # noqa: BLE001  # the border: no error of ours may reach the training
            self._faults.add(error)

    def __deepcopy__(self, memo: dict[int, object]) -> Callable[..., object]:
        return _nothing()

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        # from the standard library, so that a checkpoint loads where trainvitals is not installed
        return pickle.loads, (pickle.dumps(_nothing()),)


def _nothing() -> Callable[..., object]:
    return contextlib.nullcontext().__exit__
