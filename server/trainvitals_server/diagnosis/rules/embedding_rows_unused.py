"""Embeddings most of whose rows are never learnt."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import middle
from trainvitals_server.diagnosis.reading import in_depth
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

PLACES = re.compile(r"(^|[._])(w?pe|pos\w*|time\w*)([._]|$)", re.IGNORECASE)  # most are for longer inputs


def embedding_rows_unused(
    window: Window, *, after_steps: int = 300, most: float = 0.5, still: float = 0.01, times: float = 20.0,
    few: int = 100,
) -> Iterator[Symptom]:  # fmt: skip
    """After ``after_steps`` steps, and ``times`` as many labels as it has rows, more than ``most`` of an embedding's
    weights are what they were when watching began, and their share has not fallen by ``still`` over the newer half of
    the looks: rows that never came up. A warning where ``few`` rows or fewer did; else worth knowing, as words are
    rare, and vocabularies made for more. Embeddings of positions are left out.

    Source: Zipf, "Human Behavior and the Principle of Least Effort", 1949 (most words are rare, but most come up).
    """
    looks = in_depth(window, "unmoved_fraction", samples=6)
    if looks is None or window.step < after_steps:
        return
    steps, unmoved = looks
    labels = window.step * max(middle(window, "rows") or 0.0, middle(window, "examples") or 0.0)
    half = len(steps) // 2
    for column, name in enumerate(window.layers):
        layer = window.info.get(name)
        if layer is None or "Embedding" not in layer.kind or not layer.trainable or not layer.in_optimizer:
            continue
        now, then = float(unmoved[-1, column]), float(unmoved[half, column])
        rows = layer.settings.get("num_embeddings", 0.0)
        if not (most < now < 1.0 and abs(then - now) <= still) or labels < times * rows or PLACES.search(name):
            continue  # one that has not moved at all is another ill; one that moved back is watched anew
        came_up = round((1 - now) * rows)
        yield Symptom(
            rule="embedding_rows_unused",
            severity="warning" if came_up <= few else "info",
            summary=f"{now:.0%} of {name or 'the embedding'} is as it began after {window.step:,} steps: most of its "
            f"{rows:,.0f} rows never come up",
            first_step=int(steps[np.flatnonzero(unmoved[:, column] > most)[0]]),
            last_step=window.step,
            layers=(name,),
            key=name,
            evidence=Evidence(
                stat="unmoved_fraction", layers=[name], value=now, threshold=most, first_step=int(steps[0]),
                last_step=window.step, numbers={"rows": rows, "rows that came up": came_up},
            ),
            causes=(
                "ids that are mapped to few rows: unknown words, a clamp, the wrong column, a vocabulary of other data",
                "a vocabulary far larger than the data need",
            ),
            advice=(
                "Count the ids of a few batches: torch.unique(ids).numel(), and look at the commonest.",
                "Decode a batch back to text: it must read as your data do.",
                "Build the vocabulary from the training data, and drop what comes up less than a few times.",
            ),
        )  # fmt: skip
