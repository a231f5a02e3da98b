"""Whether the silence of rules means anything yet."""

from __future__ import annotations

from trainvitals_server.diagnosis.checklist.stages import RULES, Place
from trainvitals_server.diagnosis.window import Window


def is_little_known(window: Window) -> bool:
    """Whether no loss is known, or most rules that concern the run have too little to go by: its layers are not
    watched, or it is too young. Rules that need several ranks do not count."""
    if window.loss is None:
        return True
    concerned = [place for place in RULES.values() if place.ranks == 1 and place.concerns(window)]
    return 2 * sum(_can_speak(place, window) for place in concerned) < len(concerned)


def _can_speak(place: Place, window: Window) -> bool:
    return window.step + 1 >= place.steps and all(need.is_met(window) for need in place.needs)
