"""What each optimizer was set to, in a line for each of its parameter groups that differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dash import html

from trainvitals.wire.messages import OptimizerInfo, ParameterGroup
from trainvitals_dashboard import words

MOST_LINES: Final = 4  # of an optimizer: rates that decay layer by layer have a group for each
MOST_LAYERS: Final = 20  # that a line's title names
SHOWN: Final = {  # settings by PyTorch's names, and what they are called
    "momentum": "momentum",
    "betas": "betas",
    "alpha": "smoothing",
    "rho": "rho",
    "weight_decay": "weight decay",
}
Settings = Mapping[str, Any]  # Any: whatever the optimizer calls a setting


def optimizers(found: Sequence[OptimizerInfo]) -> list[html.Div]:
    """A line for each group that differs: "AdamW · lr 0.001 · betas 0.9, 0.999 · weight decay 0.01"."""
    return [line for one in found for line in _of_optimizer(one)]


def _of_optimizer(optimizer: OptimizerInfo) -> Iterator[html.Div]:
    alike: dict[tuple[str, ...], list[ParameterGroup]] = {}
    for group in optimizer.groups or [ParameterGroup()]:
        alike.setdefault((optimizer.kind, *_told(group.settings)), []).append(group)
    for told, groups in list(alike.items())[:MOST_LINES]:
        layers = list(dict.fromkeys(layer for group in groups for layer in group.layers))
        count = [f"{len(layers)} {'layer' if len(layers) == 1 else 'layers'}"] if len(alike) > 1 else []
        yield html.Div(" · ".join([*told, *count]), className="tv-optimizer", title=_title(layers))
    if len(alike) > MOST_LINES:
        more = f"{optimizer.kind}: {len(alike) - MOST_LINES} more groups that differ"
        yield html.Div(more, className="tv-optimizer")


def _told(settings: Settings) -> Iterator[str]:
    rate = settings.get("initial_lr", settings.get("lr"))  # a schedule begins elsewhere
    if rate is not None:
        yield f"lr {told_value(rate)}"
    for name, word in SHOWN.items():
        if name in settings:
            yield f"{word} {told_value(settings[name])}"
    if settings.get("nesterov") is True:
        yield "Nesterov"


def told_value(value: Any) -> str:  # Any: whatever the optimizer calls a setting
    """A setting for people."""
    if value is None or isinstance(value, bool):
        return {None: "–", True: "yes", False: "no"}[value]
    if isinstance(value, (list, tuple)):
        return ", ".join(map(told_value, value))
    return words.number(value) if isinstance(value, (int, float)) else str(value)


def _title(layers: Sequence[str]) -> str:
    """As it was when watching began: what a schedule changes has a chart."""
    if not layers:
        return "As it was when watching began."
    more = f" and {len(layers) - MOST_LAYERS} more" if len(layers) > MOST_LAYERS else ""
    return f"As it was when watching began, of {', '.join(layers[:MOST_LAYERS])}{more}."
