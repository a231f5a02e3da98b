"""Hugging Face Transformers: ``Trainer(…, callbacks=[TrainVitalsCallback()])``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trainvitals.integrations.hosting import HostedRun, harmless, missing, project_or
from trainvitals.ranks import find_place

try:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
except ImportError as error:
    raise missing("transformers", "transformers", error) from error

PROJECT: Final = "huggingface"  # what TrainingArguments.project says when nobody has set it
TOTALS: Final = frozenset(
    {"train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss", "total_flos"}
)


class TrainVitalsCallback(TrainerCallback):
    """Watches what a ``Trainer`` trains, and logs what it logs: ``train/loss``, ``eval/loss`` and the rest by the names
    that its other integrations give them. The totals at the end go to the run's summary.

    ``watch``: False to leave the model alone, or a mapping of options of ``Run.watch``. All others are those of
    ``trainvitals.init``, and beat what the training arguments say.
    """

    def __init__(self, *, watch: bool | Mapping[str, Any] = True, **init: Any) -> None:
        self._watch = watch
        self._hosted = HostedRun(init, of="TrainVitalsCallback")

    @harmless
    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Begin the run, at the step that a checkpoint was saved at."""
        if not _takes_part(state):
            return
        self._hosted.begin(**_settings(args, state, given.get("model")), planned_steps=state.max_steps)
        optimizers = [] if given.get("optimizer") is None else [given["optimizer"]]
        self._hosted.train(given["model"], optimizers, watch=self._watch, first_step=state.global_step)

    @harmless
    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Keep in step, whatever a GradScaler skips."""
        if _takes_part(state):
            self._hosted.begin_step(state.global_step)

    @harmless
    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **given: Any,
    ) -> None:
        """Losses, learning rate and results of evaluations, at the step that was just taken."""
        self._log(args, state, logs or {}, given)

    @harmless
    def on_predict(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, Any] | None = None,
        **given: Any,
    ) -> None:
        """Results on the test set."""
        self._log(args, state, metrics or {}, given)

    @harmless
    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """The training is over; evaluations may follow."""
        if _takes_part(state):
            self._hosted.rest()

    def _log(
        self, args: TrainingArguments, state: TrainerState, values: Mapping[str, Any], given: Mapping[str, Any]
    ) -> None:
        if not _takes_part(state):
            return
        run = self._hosted.join(**_settings(args, state, given.get("model")))  # on every rank, that they stay one run
        if not state.is_world_process_zero:
            return  # a Trainer logs means over all ranks, in each of them
        totals = {name: value for name, value in values.items() if name in TOTALS}
        if totals:
            run.summary.update(totals)
        metrics = {renamed(name): value for name, value in values.items() if name not in TOTALS}
        self._hosted.log(metrics, step=state.global_step - 1)  # the Trainer counts steps when they are done


def _takes_part(state: TrainerState) -> bool:
    """Whether this process is the first, or one of the ranks of its run."""
    return state.is_world_process_zero or find_place().rank > 0


def renamed(name: str) -> str:
    """As all integrations of Transformers name metrics: eval_loss → eval/loss, loss → train/loss."""
    for part in ("eval", "test"):
        if name.startswith(f"{part}_"):
            return f"{part}/{name[len(part) + 1 :]}"
    return f"train/{name}"


def _settings(args: TrainingArguments, state: TrainerState, model: Any) -> dict[str, Any]:  # Any: any nn.Module
    project = getattr(args, "project", PROJECT)
    trial = state.trial_name
    return {
        "project": project_or(PROJECT) if project in (None, PROJECT) else project,
        "name": trial or args.run_name,
        "group": (args.run_name or args.output_dir) if trial else None,
        "config": lambda: {**args.to_dict(), **_of_model(model)},
    }


def _of_model(model: Any) -> dict[str, Any]:  # Any: as above
    parts = {"model": getattr(model, "config", None), "peft": getattr(model, "peft_config", None)}
    return {
        name: part.to_dict() if hasattr(part, "to_dict") else part for name, part in parts.items() if part is not None
    }
