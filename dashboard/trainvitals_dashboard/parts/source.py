"""Where layers and optimizers are made, as links that open the line in an editor."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

from dash import html

from trainvitals.wire.messages import Finding, LayerInfo, OptimizerInfo
from trainvitals_dashboard.parts.cards import Piece
from trainvitals_dashboard.parts.icons import icon

MOST_LINKS: Final = 3
OF_THE_OPTIMIZER: Final = frozenset({  # rules whose findings are mended where the optimizer is made
    "adam_rms_high", "clipping_always", "epsilon_dominating", "learning_rate_too_high", "learning_rate_too_low",
    "layer_not_learning", "loss_diverging", "loss_oscillating", "schedule_ended", "schedule_not_started",
    "schedule_overrun",
    "updates_lost", "updates_too_large", "updates_too_small", "weight_decay_too_strong",
})  # fmt: skip


def made_at(made: Iterable[LayerInfo | OptimizerInfo]) -> list[Piece]:
    """The lines in which layers or optimizers are made, each once; nothing where none is known."""
    known = dict.fromkeys(one.source for one in made if one.source is not None)
    if not known:
        return []
    return [html.Div(["Made at ", *map(_link, list(known)[:MOST_LINKS])], className="tv-made")]


def concerned(
    finding: Finding, layers: Iterable[LayerInfo], optimizers: Iterable[OptimizerInfo]
) -> list[LayerInfo | OptimizerInfo]:
    """What a finding is about: the layers that it names, and the optimizers where these are what there is to change, of
    those layers if it names any."""
    named = [layer for layer in layers if layer.name in finding.layers]
    if finding.rule not in OF_THE_OPTIMIZER:
        return [*named]
    among = set(finding.layers)
    trained = [one for one in optimizers if not among or any(among.intersection(group.layers) for group in one.groups)]
    return [*trained, *named]


def _link(source: str) -> Piece:
    """The file is what a training says of itself: one on another machine's share is named, and not opened."""
    file, _, line = source.replace("\\", "/").rpartition(":")
    if file.startswith("//"):
        return html.Code(source)
    return html.A(
        [icon("arrow-right", 13), f"{PurePosixPath(file).name}:{line}"],
        href=f"vscode://file/{quote(file.removeprefix('/'), safe='/:')}:{line}",
        title=f"Open {source} in Visual Studio Code, if it is on this machine",
    )
