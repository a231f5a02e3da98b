"""Which considerations a cause calls for, by its words, and the order in which causes are told."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from trainvitals.wire.messages import Argument
from trainvitals_server.diagnosis.arguing import inputs, networks, optimizers, rates, steps
from trainvitals_server.diagnosis.arguing.said import RANKS, Consideration, Said
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

# The words of rules' causes, our own rules' and others'. The first that fits counts.
CONSIDERED: Final[tuple[tuple[re.Pattern[str], Consideration], ...]] = tuple(
    (re.compile(words, re.IGNORECASE), consider)
    for words, consider in (
        (r"learning rate.* too high.* or too low|learning rate.* too low or too high", rates.off),
        (r"learning rate.* (too|so) high|learning rate's peak|learning rate at (the edge|which)", rates.too_high),
        (r"learning rate too low", rates.too_low),
        (r"no warm-?up", rates.no_warm_up),
        (r"schedule that rises", rates.rises_by_mistake),
        (r"not clipped|no gradient clipping", steps.not_clipped),
        (r"saturating activations", networks.saturating),
        (r"no unit fires from the start", networks.dead_from_the_start),
        (r"an update so large|step too long", steps.blow),
        (r"an update too large just before", steps.outsize),
        (r"^if the scale falls", steps.scale_falls),
        (r"^if the scale goes up and down", steps.scale_swings),
        (r"momentum too high", optimizers.momentum_too_high),
        (r"forget too slowly|second moments too slow", optimizers.forgets_too_slowly),
        (r"weight decay too strong", optimizers.decay_too_strong),
        (r"too little regularisation", optimizers.regularised_too_little),
        (r"far from zero mean", inputs.far_from_zero),
        (r"inputs that are not normalised|^raw pixels", inputs.not_normalised),
        (r"without .*normalisation|no normalisation", networks.nothing_normalises),
        (r"weights (that are too large|drawn too large)", networks.drawn_too_large),
        (r"weights drawn too small", networks.drawn_too_small),
        (r"overflowing in low precision", networks.overflows),
    )
)
VERDICTS: Final = frozenset(
    {"learning_rate_too_high", "learning_rate_too_low", "weight_decay_too_strong", "adam_rms_high"}
)  # rules that have measured what their cause says: no setting speaks against them
BY_SOME_NUMBER: Final = re.compile(r"^(Divide|Multiply) the learning rate by \d+")
log = logging.getLogger(__name__)


def argued(symptom: Symptom, window: Window) -> Symptom:
    """The symptom with what the run says of its causes: the likely ones first, the unlikely last, and between equals
    those first that the rule has first. A cause of which nothing is known counts as possible."""
    try:
        said = {cause: found for cause in symptom.causes if (found := _said(cause, window, symptom)) is not None}
    except Exception:  # the border: what clients send is odd at times, and no finding may be lost for its argument
        log.exception("the causes of %s could not be weighed in run %s", symptom.rule, window.run_id)
        return symptom
    causes = sorted(symptom.causes, key=lambda cause: RANKS[said[cause].likelihood if cause in said else "possible"])
    arguments = tuple(
        Argument(cause=cause, likelihood=said[cause].likelihood, because=said[cause].because)
        for cause in causes
        if cause in said
    )
    return replace(symptom, causes=tuple(causes), arguments=arguments, advice=_fitted(symptom.advice, said.values()))


def _fitted(advice: Sequence[str], said: Iterable[Said]) -> tuple[str, ...]:
    """Where it is known how far the rate is from what is usual, some other number would not do."""
    remedy = next((one.remedy for one in said if one.remedy), "")
    return tuple(BY_SOME_NUMBER.sub(remedy, line) if remedy else line for line in advice)


def _said(cause: str, window: Window, symptom: Symptom) -> Said | None:
    consider = next((consider for words, consider in CONSIDERED if words.search(cause)), None)
    said = consider(window, symptom) if consider is not None else None
    if said is not None and said.likelihood == "unlikely" and symptom.rule in VERDICTS:
        return Said("possible", said.because)
    return said
