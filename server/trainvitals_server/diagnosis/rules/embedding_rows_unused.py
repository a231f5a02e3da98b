"""Embeddings most of whose rows are never learnt."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.embeddings import LABELS_PER_ROW, tables
from trainvitals_server.diagnosis.facts import middle
from trainvitals_server.diagnosis.reading import in_depth
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Floats32, Steps, Window

ANEW = 0.05  # rounding moves some weights back, but not so many


def embedding_rows_unused(
    window: Window, *, after_steps: int = 300, most: float = 0.5, still: float = 0.01,
    times: float = LABELS_PER_ROW, few: int = 100, scarce: float = 0.05,
) -> Iterator[Symptom]:  # fmt: skip
    """``after_steps`` steps after watching began, and ``times`` as many labels as it has rows, more than ``most`` of an
    embedding's weights are what they were then, and their share has not fallen by ``still`` over the newer half of the
    looks: rows that never came up. A warning where ``few`` rows or fewer did, and ``scarce`` of all or less; else worth
    knowing, as words are rare, and vocabularies made for more. Left out: positions, and modules that tell of no rows.

    Source: Zipf, "Human Behavior and the Principle of Least Effort", 1949 (most words are rare, but most come up).
    """
    looks = in_depth(window, "unmoved_fraction", samples=6)
    if looks is None or window.step < after_steps:
        return
    steps, unmoved = looks
    labels = max(middle(window, "rows") or 0.0, middle(window, "examples") or 0.0)  # in a step
    for name, rows in tables(window).items():
        if name not in window.layers:
            continue
        column = window.layers.index(name)
        now, then = float(unmoved[-1, column]), float(unmoved[len(steps) // 2, column])
        begun = _watched_since(window, steps, unmoved[:, column])
        seen = window.step - begun
        if not (most < now < 1.0 and abs(then - now) <= still) or seen < after_steps or seen * labels < times * rows:
            continue  # one that has not moved at all is another ill
        came_up = round((1 - now) * rows)
        yield Symptom(
            rule="embedding_rows_unused",
            severity="warning" if came_up <= min(few, scarce * rows) else "info",
            summary=f"{now:.0%} of {name or 'the embedding'} is as it was {seen:,} steps ago: most of its "
            f"{rows:,.0f} rows never come up",
            first_step=begun,
            last_step=window.step,
            layers=(name,),
            key=name,
            evidence=Evidence(
                stat="unmoved_fraction", layers=[name], value=now, threshold=most, first_step=begun,
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


def _watched_since(window: Window, steps: Steps, unmoved: Floats32) -> int:
    """The first recorded step, or that at which more was unmoved than before: what moved back is watched anew."""
    rises = np.flatnonzero(np.diff(unmoved) > ANEW)
    return int(steps[rises[-1] + 1] if len(rises) else window.steps[0])
