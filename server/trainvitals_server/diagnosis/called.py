"""Activations that are called as functions, and told of in the column of the layer that they follow."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainvitals_server.diagnosis.reading import weighted
from trainvitals_server.diagnosis.window import Window

NAMED: Final = " (of those called as functions the layer before is named)"


def called_behind(window: Window, stat: str) -> NDArray[np.intp]:
    """Columns of layers with parameters of which ``stat`` is told, and so of a function behind them: but for the last
    of the model, as what it gives out may be meant to be what it is."""
    values, columns = window.stats.get(stat), weighted(window)
    if values is None or not len(columns):
        return np.array([], np.intp)
    told = np.flatnonzero(np.isfinite(values[:, : columns[-1]]).any(axis=0))
    found = [column for column in told if (layer := window.info.get(window.layers[column])) and layer.parameters]
    return np.array(found, np.intp)


def ends_of_parts(window: Window) -> set[int]:
    """Columns of the last layers with weights of models and parts, as the first word of their names tells them apart,
    that have several: a generator ends in a tanh."""
    parts: dict[str, list[int]] = defaultdict(list)
    for column in weighted(window):
        parts[window.layers[column].partition(".")[0]].append(int(column))
    return {columns[-1] for columns in parts.values() if len(columns) > 1}
