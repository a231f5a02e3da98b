"""Hugging Face Accelerate: ``Accelerator(log_with="trainvitals")`` once this is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trainvitals.integrations.hosting import HostedRun, harmless, missing
from trainvitals.run import Run

try:
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, register_tracker_class
except ImportError as error:
    raise missing("accelerate", "accelerate", error) from error

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch.optim import Optimizer

    from trainvitals.collector.roots import Models


class TrainVitalsTracker(GeneralTracker):
    """What ``init_trackers`` and ``accelerator.log`` write to. Models and optimizers are learnt at their first step;
    ``accelerator.get_tracker("trainvitals").watch(model, optimizer)`` names them, and records that step, too.

    ``accelerator.init_trackers(project, config, init_kwargs={"trainvitals": {…}})`` takes the keywords of
    ``trainvitals.init``, and ``watch=False``.
    """

    name = "trainvitals"
    requires_logging_directory = False
    main_process_only = False  # Accelerate creates it in the first process alone; ``init_trackers`` below in all

    def __init__(
        self,
        project: str | None = None,
        *,
        watch: bool = True,
        **init: Any,  # Any: as trainvitals.init has them
    ) -> None:
        super().__init__()
        self._project = project
        self._watch = watch
        self._hosted = HostedRun(init, of="TrainVitalsTracker")

    @harmless
    def start(self) -> None:
        """Begin the run; Accelerate calls it."""
        self._hosted.begin(project=self._project, config=dict)
        if self._watch:
            self._hosted.look_out()

    @property
    def tracker(self) -> Run | None:
        """The run, while it lasts."""
        return self._hosted.run

    @harmless
    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        """Settings of the run."""
        if (run := self._hosted.run) is not None:
            run.config.update(values)

    @harmless
    def log(self, values: Mapping[str, Any], step: int | None = None, **_: Any) -> None:
        """Values at a step; None: the one that the optimizer is at."""
        if (run := self._hosted.run) is not None:
            run.log(values, step)

    @harmless
    def watch(self, model: Models, optimizer: Optimizer | Sequence[Optimizer], **options: Any) -> None:
        """``Run.watch`` of what ``accelerator.prepare`` gave back, or was given."""
        self._hosted.watch(model, optimizer if isinstance(optimizer, Sequence) else [optimizer], **options)

    @harmless
    def finish(self) -> None:
        """End the run; ``accelerator.end_training`` calls it."""
        self._hosted.end()


def init_trackers(
    accelerator: Accelerator,
    project: str,
    config: Mapping[str, Any] | None = None,  # Any: settings are the user's own
    init_kwargs: Mapping[str, Any] | None = None,
) -> None:
    """``accelerator.init_trackers``, to be called on every process: they become one run, to which each ships its own
    times, memory and gradient norm. Accelerate itself creates trackers in the first process alone, whatever these say
    of themselves, and never tells the others of them; what ``accelerator.log`` is given is the first one's here, too.
    """
    accelerator.init_trackers(project, None if config is None else dict(config), dict(init_kwargs or {}))
    if accelerator.is_main_process:
        return
    for wanted in accelerator.log_with:
        if isinstance(wanted, TrainVitalsTracker):
            tracker = wanted
        elif str(wanted) == TrainVitalsTracker.name:
            tracker = TrainVitalsTracker(project, **(init_kwargs or {}).get(TrainVitalsTracker.name, {}))
        else:
            continue
        accelerator.trackers.append(tracker)
        tracker.start()


if LOGGER_TYPE_TO_CLASS.get(TrainVitalsTracker.name) is not TrainVitalsTracker:
    register_tracker_class(TrainVitalsTracker)
