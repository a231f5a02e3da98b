"""Numbers, times and stats as people read them."""

from __future__ import annotations

import math
import re
from typing import Final

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

STAT_WORDS: Final[dict[str, str]] = {
    "update_ratio": "Update ratio",
    "grad_norm": "Gradient norm",
    "zero_fraction": "Zero fraction",
    "activation_std": "Activation deviation",
    "activation_mean": "Activation mean",
    "activation_max": "Activation maximum",
    "activation_nonfinite": "Non-finite activations",
    "grad_max": "Gradient maximum",
    "weight_norm": "Weight norm",
    "update_rms": "Update RMS",
    "saturated_fraction": "Saturated fraction",
    "relu_zero_fraction": "Zeros of the relu behind it",
    "dead_fraction": "Dead units",
    "grad_mean": "Gradient mean",
    "grad_zero_fraction": "Zero gradients",
    "grad_nonfinite": "Non-finite gradients",
    "weight_max": "Weight maximum",
    "init_distance": "Distance from the start",
    "lost_update_fraction": "Lost updates",
    "unmoved_fraction": "Never moved",
    "second_moment_rms": "Second moment (RMS)",
    "adam_rms": "Gradient ∕ √second moment (RMS)",
    "epsilon_fraction": "Ruled by ε",
    "running_drift": "Drift of running means",
    "running_variance_drift": "Drift of running variances (RMS of ln)",
    "attention_logit_max": "Attention: largest logit",
    "attention_entropy": "Attention: entropy (share of ln keys)",
}
KIND_WORDS: Final[dict[str, str]] = {"weights": "Weights", "gradients": "Gradients", "activations": "Activations"}
METRIC_WORDS: Final[dict[str, str]] = {
    "loss": "Loss",
    "grad_norm": "Gradient norm",
    "lr": "Learning rate",
    "overhead_fraction": "Overhead",
    "elapsed_seconds": "Elapsed",
    "seconds/step": "Whole step (s)",
    "seconds/data": "Waiting for data (s a step)",
    "seconds/forward": "Forward pass (s a step)",
    "seconds/backward": "Backward pass (s a step)",
    "seconds/optimizer": "Optimizer (s a step)",
    "examples_per_second": "Examples a second",
    "momentum": "Momentum",
    "beta1": "Adam’s β₁",
    "weight_decay": "Weight decay λ",
    "decoupled_decay_penalty": "Decoupled decay ½ λ‖w‖²",
    "weight_decay_penalty": "Weight decay ½ λ‖w‖²",
    "gradient_noise_scale": "Gradient noise scale (examples)",
    "clipped_fraction": "Share of steps clipped",
    "grad_norm_before_clipping": "Gradient norm before clipping",
    "loss_scale": "Loss scale",
    "skipped_steps": "Skipped steps",
    "system/cpu_percent": "Processor (% of a core)",
    "system/memory_bytes": "Memory (bytes)",
    "system/machine_cpu_percent": "Machine's processor (%)",
    "system/machine_memory_percent": "Machine's memory (%)",
    "system/cpu_temperature_celsius": "Processor's temperature (°C)",
}
LOST: Final = (
    "Nothing is heard from the training any more: its process probably died, or the network is away. If it is heard "
    "again, the run goes on by itself."
)
GPU_WORDS: Final[dict[str, str]] = {
    "utilization_percent": "at work (% of the time)",
    "memory_bytes": "memory held by the training (bytes)",
    "memory_percent": "memory (%)",
    "temperature_celsius": "temperature (°C)",
    "power_watts": "power (W)",
}
_GPU_METRIC: Final = re.compile(rf"system/gpu(\d+)_({'|'.join(GPU_WORDS)})")


def number(value: float | str | None) -> str:
    """Four significant digits at most; the words for what is not finite; a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return {"Infinity": "∞", "-Infinity": "−∞"}.get(value, value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    if value == 0:
        return "0"  # and no "-0"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """The two largest units: "6 h 12 min"."""
    seconds = max(0.0, seconds)
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE:.0f} min"
    if seconds < DAY:
        return f"{seconds // HOUR:.0f} h {seconds % HOUR // MINUTE:.0f} min"
    return f"{seconds // DAY:.0f} d {seconds % DAY // HOUR:.0f} h"


def stat(name: str) -> str:
    """What a stat is called on the page."""
    return STAT_WORDS.get(name, name)


def is_linear(name: str) -> bool:
    """Whether a stat or metric is drawn on a linear axis: shares, counts and what may be negative."""
    return name == "loss" or name.endswith(("_fraction", "_mean", "_nonfinite", "_entropy", "_logit_max"))


def is_held(name: str | None) -> bool:
    """Whether a metric keeps each value until the next is set: it is drawn in steps and no ramps. None is no
    metric but a stat."""
    return name is not None and (name == "lr" or name.startswith("lr/") or "learning_rate" in name)


def metric(name: str) -> str:
    """What a metric is called on the page."""
    if (gpu := gpu_metric(name)) is not None:
        return f"GPU {gpu[0]}: {GPU_WORDS[gpu[1]]}"
    return METRIC_WORDS.get(name, name)


def gpu_metric(name: str) -> tuple[int, str] | None:
    """A GPU's index, and what of it; None for all other metrics."""
    found = _GPU_METRIC.fullmatch(name)
    return (int(found[1]), found[2]) if found else None
