"""A rank whose loss stays apart from that of the others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.median import median, medians
from trainvitals_server.diagnosis.ranks import common
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

CAUSES = (
    "its share of the data is of another kind: sorted or unshuffled files, a broken shard, a bucket of its own",
    "its data are prepared otherwise: another seed, another augmentation, another version of the code",
    "its parameters are not those of the others",
)
ADVICE = (
    "Look at some batches of that rank beside those of another.",
    "Shuffle before sharding, or use DistributedSampler(shuffle=True) and call set_epoch(epoch).",
    "Compare a checksum of the parameters between ranks: they must be equal after every step.",
)


def rank_outlier(
    window: Window, *, points: int = 32, share: float = 0.25, spreads: float = 5.0, sure: float = 6.0,
    share_of_start: float = 0.02,
) -> Iterator[Symptom]:  # fmt: skip
    """Of three ranks or more, one whose loss in the newest half of the run, of ``points`` or more, lies apart from the
    median of the others at the same steps: by ``share`` of it, by ``spreads`` times the distance that other ranks keep
    (median absolute deviation), by ``sure`` standard errors of its own scatter, and by ``share_of_start`` of the
    loss at the start: near zero, ranks differ by factors that mean nothing.

    Robust distances between ranks of one step leave the way of the loss out. Source: Iglewicz and Hoaglin, "How to
    Detect and Handle Outliers", 1993, for deviations by MAD; shards are rarely of one kind, hence the wide margin.
    """
    told = common(window.loss_of_ranks)
    loss = window.loss
    if loss is None or told is None or len(told.ranks) < 3 or len(told.steps) < 2 * points:
        return
    newer = told.values[:, len(told.steps) // 2 :].astype(np.float64)
    first, last = int(told.steps[len(told.steps) // 2]), int(told.steps[-1])
    start = abs(median(loss.values[np.isfinite(loss.values)][:3]))
    for row, rank in enumerate(told.ranks):
        others = np.delete(newer, row, axis=0)
        usual = medians(others, axis=0)
        way = newer[row] - usual
        distance = median(way)
        scatter = 1.4826 * median(np.abs(way - distance)) / np.sqrt(len(way))
        apart = medians(others - usual, axis=1)
        spread = 1.4826 * median(np.abs(apart - median(apart)))
        level = abs(median(usual))
        line = max(share * level, spreads * spread, sure * scatter, share_of_start * start)
        if abs(distance) > line:
            yield Symptom(
                rule="rank_outlier",
                key=str(rank),
                severity="warning",
                summary=f"The loss of rank {rank} stays {'above' if distance > 0 else 'below'} that of the other "
                f"{len(told.ranks) - 1} ranks: {median(newer[row]):.4g} where they have {level:.4g}",
                first_step=first,
                last_step=last,
                evidence=Evidence(
                    metric=window.loss_name,
                    value=abs(distance),
                    is_drawn=False,
                    threshold=line,
                    first_step=first,
                    last_step=last,
                    numbers={"rank": rank, "the others' median": median(usual), "spread of ranks": spread},
                ),
                causes=CAUSES,
                advice=ADVICE,
            )
