"""Steps so large, relative to the weights, that they undo what was learnt."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import rests_at_nothing
from trainvitals_server.diagnosis.median import median, medians
from trainvitals_server.diagnosis.reading import beside_blow, loss_trend, since, started, weighted, word
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

CAUSES = ("a learning rate too high", "no warm-up", "gradients not clipped", "gradients of many passes, not divided")
ADVICE = (
    "Divide the learning rate by 10, and warm it up over the first 1 to 5 % of the steps.",
    "Clip gradients: torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0).",
)


def updates_too_large(
    window: Window, *, ratio: float = 3e-2, samples: int = 16, blow: float = 0.5, recovery: int = 60
) -> Iterator[Symptom]:
    """The median update ratio ‖Δw‖/‖w‖ over layers above ``ratio`` for the newest ``samples`` snapshots while the loss
    is not under its start; or once above ``blow``, which no weights survive (of layers that did not begin at zero: any
    step is many times what did, as LoRA's B), and the loss above its start ever since, or after ``recovery`` steps not
    under what it was before the large steps that led there, or at rest at that of knowing nothing. Infinity counts.

    Source: CS231n notes, "Babysitting the learning process" (about 1e-3 is healthy).
    """
    updates, trend, columns = window.stats.get("update_ratio"), loss_trend(window.loss), weighted(window)
    if updates is None or trend is None or not len(columns):
        return
    every = np.nan_to_num(updates[:, columns].astype(np.float64), posinf=np.inf)  # [n, weighted]
    rated, most = started(window, columns), np.count_nonzero(every > ratio, axis=1).max()
    if 2 * most < (np.count_nonzero(rated) or len(columns)):
        return  # no median lies there
    each = medians(every, axis=1)
    of_rated = medians(every[:, rated], axis=1) if rated.any() else np.zeros(len(every))
    blows = np.flatnonzero(of_rated > blow)
    there, before = beside_blow(window, of_rated > ratio, int(blows[0])) if len(blows) else (trend.start, trend.start)
    is_worse = trend.now > there + 0.05 * abs(there) + (1 if len(blows) else 3) * trend.noise
    lasts = len(each) >= samples and float(each[-samples:].min()) > ratio
    learns = trend.now < before - 3 * trend.noise  # then large steps are no ill
    is_past = len(blows) > 0 and window.step - int(window.steps[blows[0]]) >= recovery
    knows_nothing = is_past and rests_at_nothing(window, trend.now)
    is_lost = len(blows) and (is_worse or knows_nothing or (is_past and trend.now > 0.98 * before))
    if (learns and not knows_nothing) or (not lasts and not is_lost):
        return
    crossing, line = (each, ratio) if lasts else (of_rated, blow)
    begun = since(window, each > ratio) if lasts else int(window.steps[blows[0]])
    rows, judged = crossing > line, rated | lasts
    long = columns[judged][medians(every[rows][:, judged], axis=0) > ratio]
    layers = tuple(window.layers[column] for column in long)
    middle = median(crossing[rows])
    yield Symptom(
        rule="updates_too_large",
        severity="critical" if is_worse else "warning",
        summary=f"{'Each step changes' if lasts else 'Steps changed'} the weights by {_times(middle)} their size, "
        f"and the loss is {_stands(is_worse=is_worse, knows_nothing=knows_nothing)}",
        first_step=begun, last_step=window.step, layers=layers,
        evidence=Evidence(
            stat="update_ratio", layers=list(layers[:5]), value=word(middle), threshold=line, first_step=begun,
            last_step=window.step,
            numbers={"update ratio": word(middle), "loss before": word(before), "loss now": trend.now},
        ),
        causes=CAUSES, advice=ADVICE,
    )  # fmt: skip


def _stands(*, is_worse: bool, knows_nothing: bool) -> str:
    if is_worse:
        return "above what it was"
    return "no better than knowing nothing" if knows_nothing else "not under what it was"


def _times(middle: float) -> str:
    return f"{middle:.2g} times" if np.isfinite(middle) else "infinitely many times"
