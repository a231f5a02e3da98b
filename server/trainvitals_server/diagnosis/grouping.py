"""Layer names, grouped for people: ``blocks.20–23.mlp`` instead of four names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

MOST_GROUPS: Final = 3
_NUMBER: Final = re.compile(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.|$)")


def group_layers(layers: Sequence[str]) -> str:
    """Names that differ in one number are joined; of many groups the first three are named and the rest counted."""
    groups: dict[tuple[str, str], list[int]] = {}
    for name in layers:
        found = _NUMBER.search(name)
        if found is None:
            groups.setdefault((name, ""), [])
        else:
            groups.setdefault((name[: found.start()], name[found.end() :]), []).append(int(found.group()))
    words = [head + _runs(numbers) + tail for (head, tail), numbers in groups.items()]
    if len(words) <= MOST_GROUPS:
        return ", ".join(words)
    return f"{', '.join(words[:MOST_GROUPS])} and {len(words) - MOST_GROUPS} more"


def _runs(numbers: list[int]) -> str:
    """Numbers as ranges: 0–3, 5."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
