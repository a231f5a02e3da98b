"""Which embeddings are judged, and when enough was seen of them."""

from __future__ import annotations

import re
from typing import Final

from trainvitals_server.diagnosis.window import Window

PLACES: Final = re.compile(r"(^|[._])(w?pe|pos\w*|time\w*)([._]|$)", re.IGNORECASE)  # most are for longer inputs
LABELS_PER_ROW: Final = 20.0  # as many as should have every row that is not rare come up


def tables(window: Window) -> dict[str, float]:
    """The embeddings that are judged, with the numbers of their rows."""
    return {
        layer.name: layer.settings["num_embeddings"]
        for layer in window.info.values()
        if "Embedding" in layer.kind and layer.settings.get("num_embeddings") and layer.trainable
        and layer.in_optimizer and not PLACES.search(layer.name)
    }  # fmt: skip
