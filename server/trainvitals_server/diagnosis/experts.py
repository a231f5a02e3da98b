"""Mixtures of experts, as far as the names of layers tell of them."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import Final

from trainvitals_server.diagnosis.window import Window

EXPERT: Final = re.compile(r"^(.*experts?)\.(\d+)(?:\.|$)", re.IGNORECASE)


def mixtures(window: Window) -> dict[str, dict[str, list[int]]]:
    """Lists of experts → number → columns of its layers that train, where there are several experts."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for column, experts, number in _named_so(window.layers):
        layer = window.info.get(window.layers[column])
        if layer is not None and layer.trainable and layer.in_optimizer:
            found[experts][number].append(column)
    return {name: dict(experts) for name, experts in found.items() if len(experts) > 1}


@lru_cache(maxsize=64)  # of as many runs: the same layers are asked about at every look
def _named_so(layers: tuple[str, ...]) -> list[tuple[int, str, str]]:
    matches = ((column, EXPERT.match(name)) for column, name in enumerate(layers))
    return [(column, match[1], match[2]) for column, match in matches if match]


def passed_by(window: Window, idle: set[int]) -> set[int]:
    """Of the columns that are ``idle`` those of experts that are idle as a whole, beside others that work as a whole:
    a router has passed them by. What is idle in all experts is not."""
    found: set[int] = set()
    for experts in mixtures(window).values():
        columns = [set(of_one) for of_one in experts.values()]
        if any(not of_one & idle for of_one in columns):
            found.update(*(of_one for of_one in columns if of_one <= idle))
    return found
