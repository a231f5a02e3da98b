"""Which considerations a cause calls for, by its words, and the order in which causes are told."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from trainvitals.wire.messages import Argument
from trainvitals_server.diagnosis.arguing import networks, optimizers
from trainvitals_server.diagnosis.arguing.said import RANKS, Consideration, Said
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

# the words of rules' causes, our own rules' and others'; a cause that names both directions is not argued
CONSIDERED: Final[tuple[tuple[re.Pattern[str], Consideration], ...]] = tuple(
    (re.compile(words, re.IGNORECASE), consider)
    for words, consider in (
        (r"too high.*too low|too low.*too high", lambda _: None),
        (r"learning rate.* too high|learning rate's peak|learning rate at the edge", optimizers.rate_too_high),
        (r"learning rate too low", optimizers.rate_too_low),
        (r"no warm-?up", optimizers.no_warm_up),
        (r"not clipped|no gradient clipping", optimizers.not_clipped),
        (r"momentum too high", optimizers.momentum_too_high),
        (r"forget too slowly", optimizers.forgets_too_slowly),
        (r"weight decay too strong", optimizers.decay_too_strong),
        (r"inputs (that are not normalised|far from zero)|^raw pixels", networks.inputs_off),
        (r"without .*normalisation|no normalisation", networks.nothing_normalises),
        (r"weights (that are too large|drawn too large)", networks.drawn_too_large),
        (r"weights drawn too small", networks.drawn_too_small),
    )
)


def argued(symptom: Symptom, window: Window) -> Symptom:
    """The symptom with what the run says of its causes: the likely ones first, the unlikely last, and between equals
    those first that the rule has first. A cause of which nothing is known counts as possible."""
    said = {cause: found for cause in symptom.causes if (found := _said(cause, window)) is not None}
    if not said:
        return symptom
    causes = sorted(symptom.causes, key=lambda cause: RANKS[said[cause].likelihood if cause in said else "possible"])
    arguments = tuple(
        Argument(cause=cause, likelihood=said[cause].likelihood, because=said[cause].because)
        for cause in causes
        if cause in said
    )
    return replace(symptom, causes=tuple(causes), arguments=arguments)


def _said(cause: str, window: Window) -> Said | None:
    return next((consider(window) for words, consider in CONSIDERED if words.search(cause)), None)
