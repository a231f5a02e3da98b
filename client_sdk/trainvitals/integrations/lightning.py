"""Lightning: ``Trainer(logger=TrainVitalsLogger(), callbacks=[TrainVitalsCallback()])``, or the callback alone."""

from __future__ import annotations

import math
import sys
from argparse import Namespace
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from trainvitals.integrations.hosting import HostedRun, harmless, missing, project_or
from trainvitals.ranks import find_place
from trainvitals.run import Run
from trainvitals.values import settings_of

if TYPE_CHECKING:
    from torch import Tensor, nn

PACKAGES: Final[tuple[str, ...]] = ("lightning.pytorch", "pytorch_lightning")  # one library, published twice
PROJECT: Final = "lightning_logs"  # what Lightning's own loggers call what nobody has named
TRAINER_SETTINGS: Final = (
    "max_epochs", "max_steps", "accumulate_grad_batches", "gradient_clip_val", "precision", "num_devices", "num_nodes",
)  # fmt: skip


def _packages() -> list[str]:
    """Those that the script has imported, else one that is installed. Raises ImportError."""
    if loaded := [package for package in PACKAGES if sys.modules.get(package)]:
        return loaded
    first: ImportError | None = None
    for package in PACKAGES:
        try:
            import_module(package)
        except ImportError as error:
            first = first or error
        else:
            return [package]
    assert first is not None
    raise missing("lightning", "lightning", first) from first


_used: Final = [import_module(package) for package in _packages()]
_callbacks: Final = tuple(package.Callback for package in _used)
_loggers: Final = tuple(import_module(f"{package.__name__}.loggers.logger").Logger for package in _used)
_logger_module: Final = import_module(f"{_used[0].__name__}.loggers.logger")
_rank_zero: Final = import_module(f"{_used[0].__name__}.utilities.rank_zero").rank_zero_only


class TrainVitalsLogger(*_loggers):  # type: ignore[misc]  # the bases depend on what is installed
    """What ``self.log`` of a LightningModule writes to. One logger is one run, through ``fit``, ``validate`` and
    ``test``; it ends with the process, with ``trainvitals.finish()``, or with an error that leaves the Trainer.

    ``name``: of the run; all others are those of ``trainvitals.init``.
    """

    def __init__(self, name: str | None = None, *, save_dir: str | None = None, **init: Any) -> None:  # Any: as there
        super().__init__()
        self._save_dir = save_dir
        self._logs_loss = False  # the module itself does
        settings = {"name": name, **init} if name else init
        self._hosted = HostedRun(settings, of="TrainVitalsLogger")

    @property
    @_logger_module.rank_zero_experiment
    def experiment(self) -> Run:
        """The run; it begins when it is first asked for."""
        return self._hosted.join(config=dict, project=project_or(PROJECT))

    @property
    def name(self) -> str | None:
        """The project; ModelCheckpoint makes a folder of it."""
        run = self._hosted.run
        return run.settings.project if run is not None else None

    @property
    def version(self) -> str | None:
        """The run's id; ModelCheckpoint makes a folder of it, too."""
        run = self._hosted.run
        return run.run_id if run is not None else None

    @property
    def save_dir(self) -> str | None:
        """Where checkpoints go; None: where the Trainer's ``default_root_dir`` says."""
        return self._save_dir

    @_rank_zero
    @harmless
    def log_hyperparams(
        self,
        params: Mapping[str, Any] | Namespace,
        *_: Any,
        **__: Any,  # Any: the module's own
    ) -> None:
        """Settings of the run."""
        self.experiment.config.update(settings_of(params))

    @_rank_zero
    @harmless
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Values at a step of the Trainer's."""
        run = self.experiment
        self._logs_loss = self._logs_loss or "loss" in metrics
        if step is None:
            run.log(metrics)
        else:
            self._hosted.log(metrics, step=step)

    @_rank_zero
    def watch(self, model: nn.Module, **options: Any) -> None:  # Any: as Run.watch has them, and wandb
        """``Run.watch``, where there is no TrainVitalsCallback that does it; optimizers are learnt."""
        self.experiment.watch(model, **options)

    @_rank_zero
    @harmless
    def finalize(self, status: str) -> None:
        """The Trainer is through with what it was asked for; after an error, for good."""
        if status == "failed":
            self._hosted.end(sys.exc_info()[1])  # Lightning calls this where it handles the error
        else:
            self._hosted.rest()


class TrainVitalsCallback(*_callbacks):  # type: ignore[misc]  # the bases depend on what is installed
    """Watches the module and its optimizers, and logs the loss of each step as ``loss``, unless the module logs one of
    that name. Where the Trainer has no TrainVitalsLogger, it is lent one, so that what the module logs is kept, too.

    ``watch``: False to leave the module alone, or a mapping of options of ``Run.watch``. All others are those of
    ``trainvitals.init``, for a Trainer without a TrainVitalsLogger.
    """

    def __init__(self, *, watch: bool | Mapping[str, Any] = True, **init: Any) -> None:  # Any: as init has them
        super().__init__()
        self._watch = watch
        self._logger = TrainVitalsLogger(**init)
        self._lent = False
        self._losses: list[Tensor] = []  # of the micro-batches of a step
        self._steps_before = 0

    @harmless
    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Find the logger."""
        theirs = [logger for logger in trainer.loggers if isinstance(logger, TrainVitalsLogger)]
        self._lent = not theirs
        if theirs:
            self._logger = theirs[0]

    @harmless
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin the run, unless the logger has, and have the module watched."""
        self._begin(trainer, pl_module, planned_steps=_planned(trainer))
        self._losses, self._steps_before = [], trainer.global_step
        watch = self._watch
        if watch is not False:
            options = dict(watch) if isinstance(watch, Mapping) else {}
            exclude = options.get("exclude") or ()
            exclude = [exclude] if isinstance(exclude, str) else list(exclude)
            watch = {**options, "exclude": [*exclude, *_names_of_metrics(pl_module)]}
        self._hosted.train(_parts(pl_module), trainer.optimizers, watch=watch, first_step=_step(trainer))

    @harmless
    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin the run, unless it has begun."""
        if trainer.state.fn == "validate":  # and not "fit", which has begun it
            self._begin(trainer, pl_module)

    @harmless
    def on_test_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin the run, unless it has begun."""
        self._begin(trainer, pl_module)

    @harmless
    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Keep in step."""
        self._hosted.begin_step(_step(trainer))

    @harmless
    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Log the loss, once an optimizer has stepped."""
        if self._hosted.run is None or self._logger._logs_loss:
            return
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if loss is not None:
            self._losses.append(loss.detach())
        before, self._steps_before = self._steps_before, trainer.global_step
        if self._losses and self._steps_before != before:
            self._hosted.log({"loss": sum(self._losses) / len(self._losses)}, step=_step(trainer))
            self._losses = []

    @harmless
    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """The Trainer is through with what it was asked for."""
        self._hosted.rest()
        self._take_back(trainer)

    @harmless
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """The run ends with it."""
        self._hosted.end(exception)
        self._take_back(trainer)

    @property
    def _hosted(self) -> HostedRun:
        return self._logger._hosted

    def _begin(self, trainer: Any, pl_module: Any, *, planned_steps: int | None = None) -> None:
        if trainer.fast_dev_run:
            return
        takes_part = trainer.is_global_zero or find_place().rank > 0
        if not self._lent:
            if takes_part:
                run = self._hosted.join(config=dict, project=project_or(PROJECT))
                run.config.update({"trainer": _trainer_settings(trainer)})
        elif self._logger not in trainer.loggers:
            if takes_part:
                self._hosted.join(
                    config=lambda: {**_hyperparams(trainer, pl_module), "trainer": _trainer_settings(trainer)},
                    project=project_or(PROJECT),
                    planned_steps=planned_steps,
                )
            self._logger._save_dir = trainer.default_root_dir  # so that trainer.log_dir is what it was
            trainer.loggers = [*trainer.loggers, self._logger]

    def _take_back(self, trainer: Any) -> None:
        if self._lent and self._logger in trainer.loggers:
            trainer.loggers = [logger for logger in trainer.loggers if logger is not self._logger]


def _step(trainer: Any) -> int:
    """The step that is worked on, as loggers are told it: batches after which an optimizer stepped, several or one."""
    loop = trainer.fit_loop.epoch_loop
    return int(getattr(loop, "_batches_that_stepped", trainer.global_step))


def _planned(trainer: Any) -> int | None:
    steps = trainer.estimated_stepping_batches
    return int(steps) if 0 < steps < math.inf else None


def _parts(module: Any) -> dict[str, nn.Module]:
    """The module's children, for its steps call them without calling it, and what it has besides."""
    return {**dict(module.named_children()), "": module}


def _names_of_metrics(module: Any) -> list[str]:
    """Metrics are modules, too, but none that learn."""
    return [
        name
        for name, part in module.named_modules()
        if any(kind.__module__.partition(".")[0] == "torchmetrics" for kind in type(part).__mro__)
    ]


def _hyperparams(trainer: Any, module: Any) -> dict[str, Any]:  # Any: the module's own
    return {**settings_of(getattr(trainer.datamodule, "hparams", None)), **settings_of(module.hparams)}


def _trainer_settings(trainer: Any) -> dict[str, Any]:  # Any: numbers and words
    return {name: getattr(trainer, name, None) for name in TRAINER_SETTINGS}
