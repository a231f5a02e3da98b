"""Whether what the optimizer was made with, and the schedule, are a cause."""

from __future__ import annotations

from typing import Any, Final

from trainvitals_server.diagnosis.arguing.said import Said
from trainvitals_server.diagnosis.reading import learning_rate
from trainvitals_server.diagnosis.window import Series, Window

# Rates at which most networks begin: defaults of PyTorch; of SGD that of He et al., "Deep Residual Learning", 2015; of
# Lion a tenth of Adam's (Chen et al., arXiv:2302.06675).
USUAL: Final = {
    "Lion": 1e-4,
    "Adagrad": 1e-2,
    "RMSprop": 1e-2,
    "Adamax": 2e-3,
    "NAdam": 2e-3,
    "Adam": 1e-3,
    "SGD": 1e-1,
}
FAR: Final = 10.0  # times the usual rate: beyond a search's ends
WARMED_UP: Final = 0.5  # of the peak, from under which a rate began that was warmed up
FORGETS_SLOWLY, FORGETS = 0.999, 0.98  # β₂: PyTorch's default, and that of most language models (0.95)
STRONG_MOMENTUM, SOME_MOMENTUM = 0.95, 0.5
STRONG_DECAY, FAINT_DECAY = 0.2, 1e-3


def rate_too_high(window: Window) -> Said | None:
    """The rate's peak against what is usual for the optimizer."""
    if (found := _peak(window)) is None:
        return None
    peak, kind, usual = found
    if peak >= FAR * usual:
        return Said("likely", f"{peak:.3g} is {peak / usual:,.0f} times what is usual for {kind} ({usual:g})")
    if peak < usual / FAR:
        return Said("unlikely", f"{peak:.3g} is far under what is usual for {kind} ({usual:g})")
    return Said("possible", f"{peak:.3g} is near what is usual for {kind} ({usual:g})")


def rate_too_low(window: Window) -> Said | None:
    """The same, the other way round."""
    if (found := _peak(window)) is None:
        return None
    peak, kind, usual = found
    if peak <= usual / FAR:
        return Said("likely", f"{peak:.3g} is {usual / peak:,.0f} times less than is usual for {kind} ({usual:g})")
    if peak > usual:
        return Said("unlikely", f"{peak:.3g} is no less than what is usual for {kind} ({usual:g})")
    return Said("possible", f"{peak:.3g} is near what is usual for {kind} ({usual:g})")


def no_warm_up(window: Window) -> Said | None:
    """Whether the rate began well under its peak."""
    if (rate := _rates(window)) is None:
        return None
    first, top = float(rate.values[0]), int(rate.values.argmax())
    peak = float(rate.values[top])
    if first < WARMED_UP * peak:
        steps = int(rate.steps[top] - rate.steps[0])
        return Said("unlikely", f"the rate was warmed up from {first:.3g} to {peak:.3g} over {steps:,} steps")
    return Said("possible", f"the rate began at {first:.3g}, as high as it ever was")


def not_clipped(window: Window) -> Said | None:
    """Whether gradients were clipped, as far as the SDK sees it (by norm)."""
    if len(window.steps) == 0:
        return None
    clipped = window.metrics.get("grad_norm_before_clipping")
    if clipped is not None and len(clipped.steps):
        return Said("unlikely", "gradients are clipped by their norm")
    return Said("possible", "no clipping by norm was seen")


def momentum_too_high(window: Window) -> Said | None:
    """What momentum the optimizer has."""
    momentum = _setting(window, "momentum")
    if momentum is None:
        return None
    if momentum >= STRONG_MOMENTUM:
        return Said("likely", f"momentum is {momentum:g}, and 0.9 is usual")
    return Said("possible" if momentum >= SOME_MOMENTUM else "unlikely", f"momentum is {momentum:g}")


def forgets_too_slowly(window: Window) -> Said | None:
    """What β₂ the optimizer has."""
    betas = _raw(window, "betas")
    if not isinstance(betas, (list, tuple)) or len(betas) < 2 or not isinstance(betas[1], (int, float)):
        return None
    if betas[1] >= FORGETS_SLOWLY:
        return Said("likely", f"β₂ is {betas[1]:g}: it remembers {1 / max(1 - betas[1], 1e-9):,.0f} steps")
    return Said("unlikely", f"β₂ is {betas[1]:g}") if betas[1] < FORGETS else None


def decay_too_strong(window: Window) -> Said | None:
    """What weight decay the optimizer has."""
    decay = _setting(window, "weight_decay")
    if decay is None:
        return None
    if decay < FAINT_DECAY:
        return Said("unlikely", f"weight_decay is {decay:g}")
    return Said("likely" if decay > STRONG_DECAY else "possible", f"weight_decay is {decay:g}")


def _rates(window: Window) -> Series | None:
    rate = learning_rate(window)
    return rate if rate is not None and len(rate.values) and 0 < float(rate.values.max()) < float("inf") else None


def _peak(window: Window) -> tuple[float, str, float] | None:
    """The rate's peak, the optimizer's name, and what is usual for it."""
    rate = _rates(window)
    kind = window.optimizers[0].kind if window.optimizers else ""
    usual = next((usual for name, usual in USUAL.items() if name.lower() in kind.lower()), None)
    return None if rate is None or usual is None else (float(rate.values.max()), kind, usual)


def _setting(window: Window, name: str) -> float | None:
    found = _raw(window, name)
    return float(found) if isinstance(found, (int, float)) else None


def _raw(window: Window, name: str) -> Any:  # Any: whatever the optimizer calls a setting
    groups = [group.settings for optimizer in window.optimizers for group in optimizer.groups]
    return next((settings[name] for settings in groups if name in settings), None)
