"""Mixtures of experts, as far as the names of layers tell of them."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

from trainvitals_server.diagnosis.window import Window

EXPERT: Final = re.compile(r"^(.*experts?)\.(\d+)(?:\.|$)", re.IGNORECASE)


def mixtures(window: Window) -> dict[str, dict[str, list[int]]]:
    """Lists of experts → number → columns of its layers that train, where there are several experts."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for column, name in enumerate(window.layers):
        match, layer = EXPERT.match(name), window.info.get(name)
        if match and layer is not None and layer.trainable and layer.in_optimizer:
            found[match[1]][match[2]].append(column)
    return {name: dict(experts) for name, experts in found.items() if len(experts) > 1}


def passed_by(window: Window, idle: set[int]) -> set[int]:
    """Of the columns that are ``idle`` those of experts that are idle as a whole, beside others that work as a whole:
    a router has passed them by. What is idle in all experts is not."""
    found: set[int] = set()
    for experts in mixtures(window).values():
        columns = [set(of_one) for of_one in experts.values()]
        if any(not of_one & idle for of_one in columns):
            found.update(*(of_one for of_one in columns if of_one <= idle))
    return found
