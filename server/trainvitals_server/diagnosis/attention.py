"""What rules about attention ask of the loss."""

from __future__ import annotations

from trainvitals_server.diagnosis.facts import is_stuck
from trainvitals_server.diagnosis.reading import loss_trend, suffers
from trainvitals_server.diagnosis.window import Window

SOON_STEPS = 40
LEAST_FALLEN = 0.9  # of the loss: a training that has come so far is well, though it falls no more


def is_costly(window: Window) -> bool:
    """Whether the loss is worse than it was, or falls no more far from its end."""
    trend = loss_trend(window.loss)
    if trend is None or trend.has_two_signs or trend.fallen > LEAST_FALLEN:
        return False
    return suffers(window) or is_stuck(window, after_steps=SOON_STEPS)
