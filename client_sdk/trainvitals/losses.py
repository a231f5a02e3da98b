"""What the loss of a step was, learnt from the calls of ``backward`` where a script does not log it."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from trainvitals.collector.hooks import Faults


class Losses:
    """Sees every scalar that ``Tensor.backward`` is called on, before a GradScaler scaled it. Nothing waits for the
    device, and what backward does and returns is as it was."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._faults = Faults(tell)
        self._sum: Tensor | None = None
        self._count = 0
        self._scaled: tuple[weakref.ref[Tensor], Tensor] | None = None  # the newest that a GradScaler scaled, before

    def start(self) -> Callable[[], None]:
        """Begin to see them; what comes back ends it."""
        undo = [
            _precede(Tensor, "backward", self._seen),
            _succeed(torch.amp.GradScaler, "scale", self._note_scaled),
        ]

        def stop() -> None:
            for each in undo:
                each()

        return stop

    def take(self) -> Tensor | None:
        """The mean of what was seen since the last time; None if that is nothing."""
        total, count = self._sum, self._count
        self._sum, self._count = None, 0
        return None if total is None else total / count

    def _seen(self, loss: Tensor, gradient: object = None, *_: object, **__: object) -> None:
        if self._faults.too_many or gradient is not None or _recording_a_graph():
            return
        try:
            value = self._unscaled(loss)
            if value.numel() == 1 and value.is_floating_point():
                single = value.detach().reshape(()).float()
                self._sum = single.clone() if self._sum is None else self._sum + single.to(self._sum.device)
                self._count += 1
        except Exception as error:  # noqa: BLE001  # the border: no error of ours may reach the training
            self._faults.add(error)

    def _note_scaled(self, result: object, scaler: object, outputs: object = None, *_: object) -> None:
        if isinstance(outputs, Tensor) and isinstance(result, Tensor):
            self._scaled = weakref.ref(result), outputs.detach()

    def _unscaled(self, loss: Tensor) -> Tensor:
        scaled, self._scaled = self._scaled, None
        return scaled[1] if scaled is not None and scaled[0]() is loss else loss


def _recording_a_graph() -> bool:
    """What is done now would be done again at every replay."""
    return torch.compiler.is_compiling() or (torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing())


def _precede(kind: type, name: str, see: Callable[..., None]) -> Callable[[], None]:
    """Have ``see`` called before each call of a method; what comes back undoes it."""
    method = getattr(kind, name)

    @functools.wraps(method)
    def preceded(*arguments: Any, **named: Any) -> Any:  # Any: the method's own
        see(*arguments, **named)
        return method(*arguments, **named)

    return _replace(kind, name, method, preceded)


def _succeed(kind: type, name: str, see: Callable[..., None]) -> Callable[[], None]:
    """Have ``see`` called after each call of a method, with its result first; what comes back undoes it."""
    method = getattr(kind, name)

    @functools.wraps(method)
    def succeeded(*arguments: Any, **named: Any) -> Any:  # Any: the method's own
        result = method(*arguments, **named)
        see(result, *arguments, **named)
        return result

    return _replace(kind, name, method, succeeded)


def _replace(kind: type, name: str, method: object, by: object) -> Callable[[], None]:
    setattr(kind, name, by)

    def undo() -> None:
        if getattr(kind, name) is by:  # else somebody has wrapped it once more
            setattr(kind, name, method)

    return undo
