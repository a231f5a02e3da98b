"""Real Trainers of both of Lightning's packages, with tiny modules: what reaches the run."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import lightning.pytorch
import pytest
import pytorch_lightning
import torch

import trainvitals as tv
from tests.integrations.conftest import Kept, run_in_two, run_script
from tests.integrations.modules import BATCHES, adversaries, network, numbers, trainer
from tests.real_server import RealServer
from trainvitals.integrations.lightning import TrainVitalsCallback, TrainVitalsLogger

pytestmark = [
    pytest.mark.slow,
    # Lightning 2.6 uses what torch 2.13 no longer wants, and has advice for data loaders of real size
    pytest.mark.filterwarnings(r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
]
STEPS = 2 * BATCHES


@pytest.fixture(params=[lightning.pytorch, pytorch_lightning], ids=lambda package: package.__name__)
def package(request: pytest.FixtureRequest) -> ModuleType:
    found: ModuleType = request.param
    return found


def both(**init: Any) -> dict[str, Any]:
    return {"logger": TrainVitalsLogger(**init), "callbacks": [TrainVitalsCallback(watch={"every": 1})]}


def test_logger_and_callback_share_a_run(package: ModuleType, kept: Kept) -> None:
    training, module = trainer(package, **both(name="tiny", project="numbers")), network(package, lr=0.05)
    training.fit(module, numbers(), numbers())
    training.validate(module, numbers())
    training.test(module, numbers())
    tv.finish()

    assert (kept.start.project, kept.start.name) == ("numbers", "tiny")
    assert kept.notes["lr"] == 0.05
    assert kept.notes["trainer"]["max_epochs"] == 2
    assert kept.steps("train_loss") == kept.steps("loss") == kept.sampled == list(range(STEPS))
    assert kept.points("train_loss") == kept.points("loss")
    assert kept.steps("val_loss") == [5, 11, 12]
    assert kept.steps("test_loss") == [12]
    assert kept.layers == ["body.0", "body.1", "head"]
    assert kept.stats(3)["activation_std"]["body.1"] > 0
    assert kept.points("lr") == [(step, pytest.approx(0.05)) for step in range(STEPS)]
    assert (kept.end.status, kept.end.last_step) == ("finished", STEPS - 1)


def test_the_callback_alone_keeps_what_the_module_logs(package: ModuleType, kept: Kept) -> None:
    training, module = trainer(package, callbacks=TrainVitalsCallback(name="alone"), logger=False), network(package)
    places = []
    module.on_train_epoch_end = lambda: places.append(training.log_dir)
    training.fit(module, numbers(), numbers())
    assert places == [training.default_root_dir] * 2
    training.test(module, numbers())
    assert training.loggers == []
    tv.finish()
    assert (kept.start.name, kept.start.project, kept.start.planned_steps) == ("alone", "lightning_logs", STEPS)
    assert kept.start.config["lr"] == 0.1
    assert kept.steps("train_loss") == kept.steps("loss") == kept.sampled == list(range(STEPS))
    assert (kept.steps("val_loss"), kept.steps("test_loss")) == ([5, 11], [12])


def test_the_logger_alone_keeps_the_contract_of_loggers(package: ModuleType, kept: Kept) -> None:
    logger = TrainVitalsLogger(project="numbers")
    assert (logger.name, logger.version, logger.save_dir) == (None, None, None)
    training = trainer(package, logger=logger)
    training.fit(network(package), numbers(), numbers())
    assert logger.experiment is tv.run
    assert (logger.name, logger.version) == ("numbers", tv.run.run_id)
    logger.log_metrics({"more": 1.0})
    logger.save()
    tv.finish()
    assert kept.steps("train_loss") == list(range(STEPS))
    assert kept.steps("more") == [0]
    assert kept.sampled == []


def test_the_logger_watches_where_it_is_asked_to(kept: Kept) -> None:
    logger, module = TrainVitalsLogger(), network(lightning.pytorch)
    logger.watch(module, log="gradients")
    trainer(lightning.pytorch, logger=logger).fit(module, numbers(), numbers())
    tv.finish()
    assert kept.layers == ["body.0", "body.1", "head"]
    assert len(kept.sampled) == STEPS


def test_a_loss_that_the_module_logs_itself_is_left_to_it(package: ModuleType, kept: Kept) -> None:
    module = network(package)
    module.calls_it = "loss"
    trainer(package, **both(), log_every_n_steps=4).fit(module, numbers(), numbers())
    tv.finish()
    assert kept.steps("loss") == [0, 1, 2, 3, 3, 7, 11]


def test_steps_are_those_of_the_optimizer_whatever_is_accumulated(package: ModuleType, kept: Kept) -> None:
    trainer(package, **both(), accumulate_grad_batches=2).fit(network(package), numbers(), numbers())
    tv.finish()
    assert kept.sampled == kept.steps("loss") == list(range(STEPS // 2))


def test_several_optimizers_that_take_turns_share_a_step(package: ModuleType, kept: Kept) -> None:
    trainer(package, **both()).fit(adversaries(package), numbers())
    tv.finish()
    assert kept.steps("generator_loss") == kept.sampled == list(range(STEPS))
    assert kept.stats(7)["update_ratio"]["generator"] > 0
    assert kept.stats(7)["update_ratio"]["critic"] > 0
    assert kept.stats(7)["activation_std"]["generator"] > 0
    assert kept.steps("lr/1") == list(range(STEPS))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_training_is_bit_by_bit_what_it_was(package: ModuleType, precision: str) -> None:
    weights = []
    for given in ({"logger": False}, both()):
        module = network(package)
        trainer(package, **given, precision=precision).fit(module, numbers(), numbers())
        weights.append([parameter.clone() for parameter in module.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")  # it is where it goes on
def test_checkpoints_lie_where_they_lay_and_a_resumed_training_goes_on_at_its_step(
    package: ModuleType, tmp_path: Path, several: Callable[[], list[Kept]]
) -> None:
    checkpoints = package.callbacks.ModelCheckpoint
    saving = checkpoints(monitor="val_loss", save_last=True)
    alone = trainer(package, logger=False, callbacks=[TrainVitalsCallback(), saving], enable_checkpointing=True)
    alone.fit(network(package), numbers(), numbers())
    assert Path(saving.last_model_path) == tmp_path / "checkpoints" / "last.ckpt"
    tv.finish()
    callbacks = [TrainVitalsCallback(watch={"every": 1}), checkpoints(monitor="val_loss", save_last=True)]
    resumed = trainer(package, logger=False, callbacks=callbacks, enable_checkpointing=True, max_epochs=3)
    resumed.fit(network(package), numbers(), numbers(), ckpt_path=saving.last_model_path)
    tv.finish()
    again = several()[1]
    assert again.sampled == again.steps("train_loss") == list(range(STEPS, STEPS + BATCHES))


def test_the_logger_s_checkpoints_lie_in_a_folder_of_its_run(tmp_path: Path) -> None:
    logger = TrainVitalsLogger(project="numbers")
    training = trainer(lightning.pytorch, logger=logger, enable_checkpointing=True)
    training.fit(network(lightning.pytorch), numbers(), numbers())
    assert Path(training.checkpoint_callback.dirpath) == tmp_path / "numbers" / logger.version / "checkpoints"


def test_an_error_that_leaves_the_trainer_ends_the_run(package: ModuleType, several: Callable[[], list[Kept]]) -> None:
    for given in (both(), {"logger": TrainVitalsLogger()}, {"logger": False, "callbacks": [TrainVitalsCallback()]}):
        module = network(package)
        module.fails_at = 3
        with pytest.raises(RuntimeError):
            trainer(package, **given).fit(module, numbers(), numbers())
    ends = [run.end for run in several()]
    assert [(end.status, end.error) for end in ends] == [("failed", "RuntimeError: no more memory")] * 3


def test_ctrl_c_stops_the_run(kept: Kept) -> None:
    script = """
from tests.integrations.test_lightning import *
module = network(lightning.pytorch)
module.on_train_batch_end = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
trainer(lightning.pytorch, **both()).fit(module, numbers(), numbers())
"""
    run_script(script)
    assert (kept.end.status, kept.end.error) == ("stopped", "interrupted from the keyboard")


def test_a_run_that_is_there_is_used_and_goes_on(package: ModuleType, kept: Kept) -> None:
    with tv.init(project="mine") as run:
        for _ in range(2):
            trainer(package, **both()).fit(network(package), numbers(), numbers())
        assert run.active
    assert kept.start.project == "mine"
    assert kept.steps("train_loss") == kept.sampled == list(range(2 * STEPS))


def test_a_trial_of_one_batch_leaves_no_run(tmp_path: Path, package: ModuleType) -> None:
    trainer(package, **both(), fast_dev_run=True).fit(network(package), numbers(), numbers())
    assert not (tmp_path / "spool").exists()


def test_processes_that_train_together_are_one_run(several: Callable[[], list[Kept]]) -> None:
    run_in_two(
        "from tests.integrations.test_lightning import *\n"
        "two = {'strategy': 'ddp', 'devices': 2, 'use_distributed_sampler': False}\n"
        "trainer(lightning.pytorch, **both(), **two).fit(network(lightning.pytorch), numbers(), numbers())"
    )
    first, second = sorted(several(), key=lambda kept: kept.start.rank)
    assert (first.start.rank, second.start.rank) == (0, 1)
    assert first.frames[0].run_id == second.frames[0].run_id
    assert first.sampled == first.steps("train_loss") == list(range(STEPS))
    assert first.layers == ["body.0", "body.1", "head"]
    assert second.sampled == second.steps("train_loss") == []
    assert first.steps("grad_norm") == second.steps("grad_norm") == second.steps("loss")


def test_logger_and_callback_are_copied_without_their_run() -> None:
    logger = TrainVitalsLogger(name="one")
    trainer(lightning.pytorch, logger=logger).fit(network(lightning.pytorch), numbers(), numbers())
    assert copy.deepcopy(logger).version is pickle.loads(pickle.dumps(logger)).version is None
    assert pickle.loads(pickle.dumps(TrainVitalsCallback()))


def test_what_is_misspelt_is_refused() -> None:
    with pytest.raises(TypeError, match="'projct'"):
        TrainVitalsLogger(projct="x")


def test_a_whole_training_reaches_a_real_server(server: RealServer, package: ModuleType) -> None:
    given = both(mode="online", server_url=server.url, name="whole")
    trainer(package, **given).fit(network(package), numbers(), numbers())
    tv.finish()
    run = server.only_run
    assert (run.summary.name, run.summary.status) == ("whole", "finished")
    assert len(server.points(run.summary.run_id, "loss")) == STEPS
    assert run.config["trainer"]["precision"] == "32-true"
