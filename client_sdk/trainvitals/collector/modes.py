"""In which modes a model is called: training passes in evaluation mode, passes without gradients in training mode."""

from __future__ import annotations


class Modes:
    """Counts the passes of root modules: whole numbers, nothing else, for it is called in every pass."""

    def __init__(self) -> None:
        self._trained = self._untrained = 0  # passes with gradients in this step, in training mode and in evaluation
        self._steps = self._steps_in_evaluation = 0
        self._validated_in_training = self._validated_in_evaluation = 0

    def enter(self, *, is_training: bool, has_gradients: bool) -> None:
        """A pass begins."""
        if has_gradients:
            self._trained += is_training
            self._untrained += not is_training
        else:
            self._validated_in_training += is_training
            self._validated_in_evaluation += not is_training

    def step_ended(self) -> None:
        """The optimizer has stepped: what was passed in this step has taught it."""
        self._steps += 1
        if not self._trained:
            self._steps_in_evaluation += self._untrained > 0
        elif self._untrained:  # validation that nobody told to do without gradients
            self._validated_in_evaluation += self._untrained
        self._trained = self._untrained = 0

    def facts(self) -> dict[str, float]:
        """Since the last call: the share of steps that were trained in evaluation mode, and how many passes without
        gradients were in training mode, and how many in evaluation mode. Empty where no step has ended."""
        if not self._steps:
            return {}
        found = {
            "trained_in_evaluation_mode": self._steps_in_evaluation / self._steps,
            "validated_in_training_mode": float(self._validated_in_training),
            "validated_in_evaluation_mode": float(self._validated_in_evaluation),
        }
        self._steps = self._steps_in_evaluation = 0
        self._validated_in_training = self._validated_in_evaluation = 0
        return found
