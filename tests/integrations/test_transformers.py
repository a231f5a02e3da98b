"""A real Trainer with a real, tiny GPT-2: what reaches the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    EarlyStoppingCallback,
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

import trainvitals as tv
from tests.integrations.conftest import Kept, run_in_two, run_script
from tests.real_server import RealServer
from trainvitals.integrations.transformers import TrainVitalsCallback
from trainvitals.settings import InvalidSetting

pytestmark = pytest.mark.slow
STEPS = 6
ACCUMULATED = 2
CONFIG = {"vocab_size": 16, "n_positions": 8, "n_embd": 8, "n_layer": 2, "n_head": 2, "bos_token_id": 0}


def trainer(*callbacks: TrainerCallback, **arguments: Any) -> Trainer:
    """Six steps of two micro-batches each, an evaluation after each epoch of three steps."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**CONFIG, eos_token_id=0, loss_type="ForCausalLM"))
    tokens = torch.randint(0, 16, (12, 8))
    data = [{"input_ids": row, "labels": row} for row in tokens]
    given = {
        "output_dir": "out", "per_device_train_batch_size": 2, "gradient_accumulation_steps": ACCUMULATED,
        "num_train_epochs": 2, "learning_rate": 0.01, "logging_steps": 1, "eval_strategy": "epoch",
        "save_strategy": "no", "report_to": "none", "use_cpu": True, "disable_tqdm": True,
    }  # fmt: skip
    settings = TrainingArguments(**{**given, **arguments})
    return Trainer(model, settings, train_dataset=data, eval_dataset=data[:4], callbacks=list(callbacks))


def losses(of: Trainer) -> list[float]:
    return [entry["loss"] for entry in of.state.log_history if "loss" in entry]


class Fails(TrainerCallback):
    """A training that does not reach its end."""

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        if state.global_step == 2:
            raise RuntimeError("no more memory")


def test_a_training_is_watched_and_what_it_logs_is_kept(kept: Kept) -> None:
    training = trainer(TrainVitalsCallback(), run_name="tiny", project="languages")
    training.train()
    training.evaluate()
    tv.finish()

    assert (kept.start.project, kept.start.name, kept.start.planned_steps) == ("languages", "tiny", STEPS)
    assert kept.start.config["learning_rate"] == 0.01
    assert kept.start.config["model"]["n_layer"] == 2
    assert kept.points("train/loss") == [(step, pytest.approx(loss)) for step, loss in enumerate(losses(training))]
    assert kept.steps("eval/loss") == [2, 5, 5]
    assert "transformer.h.1.mlp.c_fc" in kept.layers
    assert kept.stats(5)["update_ratio"]["transformer.h.1.mlp.c_fc"] > 0
    assert kept.stats(5)["activation_std"]["transformer.h.1.mlp.c_fc"] > 0
    assert kept.notes["train_runtime"] > 0
    assert (kept.end.status, kept.end.last_step) == ("finished", STEPS - 1)


def test_steps_are_those_of_the_optimizer_whatever_is_accumulated(kept: Kept) -> None:
    trainer(TrainVitalsCallback()).train()
    tv.finish()
    assert kept.sampled == list(range(STEPS))
    assert kept.points("lr") == [(step, pytest.approx(0.01 * (1 - step / STEPS))) for step in range(STEPS)]


def test_a_training_is_bit_by_bit_what_it_was() -> None:
    trainings = []
    for callbacks in ([], [TrainVitalsCallback()]):
        trainings.append(trainer(*callbacks))  # sets the seed that dropout goes on from
        trainings[-1].train()
    bare, watched = trainings
    assert losses(watched) == losses(bare)
    for one, other in zip(watched.model.parameters(), bare.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_model_is_let_go_when_the_training_is_over() -> None:
    training = trainer(TrainVitalsCallback())
    training.train()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in training.model.modules())


def test_a_run_that_is_there_is_used_and_goes_on(kept: Kept) -> None:
    with tv.init(project="mine", name="two trainings") as run:
        for _ in range(2):
            trainer(TrainVitalsCallback(watch={"every": 1})).train()
        assert run.active
    assert kept.start.project == "mine"
    assert kept.notes["max_steps"] == -1
    assert kept.steps("train/loss") == list(range(2 * STEPS))
    assert kept.sampled == list(range(2 * STEPS))


def test_each_training_has_a_run_of_its_own(several: Callable[[], list[Kept]]) -> None:
    callback = TrainVitalsCallback()
    trainer(callback).train()
    trainer(callback).train()
    trainer(TrainVitalsCallback()).train()
    tv.finish()
    assert [run.end.status for run in several()] == ["finished"] * 3


def test_a_training_that_breaks_off_has_failed_though_its_error_is_caught(several: Callable[[], list[Kept]]) -> None:
    with pytest.raises(RuntimeError, match="no more memory"):
        trainer(TrainVitalsCallback(), Fails()).train()
    trainer(TrainVitalsCallback()).train()
    tv.finish()
    failed, finished = several()
    assert (failed.end.status, failed.end.error) == ("failed", "the training did not reach its end")
    assert (finished.end.status, finished.end.error) == ("finished", None)


def test_an_error_that_ends_the_script_is_the_run_s(kept: Kept) -> None:
    script = "from tests.integrations.test_transformers import *; trainer(TrainVitalsCallback(), Fails()).train()"
    done = run_script(script)
    assert "no more memory" in done.stderr
    assert (kept.end.status, kept.end.error) == ("failed", "RuntimeError: no more memory")


def test_an_early_stop_is_no_failure(kept: Kept) -> None:
    stopping = EarlyStoppingCallback(early_stopping_patience=1, early_stopping_threshold=100.0)
    best = {"metric_for_best_model": "loss", "load_best_model_at_end": True, "save_strategy": "epoch"}
    trainer(TrainVitalsCallback(), stopping, **best, num_train_epochs=5).train()
    tv.finish()
    assert kept.end.status == "finished"
    assert kept.steps("train/loss") == list(range(6))


def test_a_resumed_training_goes_on_at_its_step(several: Callable[[], list[Kept]]) -> None:
    trainer(TrainVitalsCallback(), save_strategy="epoch").train()
    trainer(TrainVitalsCallback(), num_train_epochs=3).train(resume_from_checkpoint="out/checkpoint-6")
    tv.finish()
    resumed = several()[1]
    assert resumed.steps("train/loss") == resumed.sampled == [6, 7, 8]
    assert resumed.end.last_step == 8


def test_an_evaluation_alone_has_a_run(kept: Kept) -> None:
    trainer(TrainVitalsCallback()).evaluate()
    tv.finish()
    assert kept.steps("eval/loss") == [0]
    assert kept.end.status == "finished"


def test_only_the_first_process_logs(tmp_path: Path) -> None:
    callback, state = TrainVitalsCallback(), TrainerState(is_world_process_zero=False)
    training = trainer()
    given = (training.args, state, TrainerControl())
    callback.on_train_begin(*given, model=training.model, optimizer=None)
    callback.on_log(*given, logs={"loss": 1.0})
    callback.on_train_end(*given)
    assert not (tmp_path / "spool").exists()


def test_processes_that_train_together_are_one_run(several: Callable[[], list[Kept]]) -> None:
    run_in_two(
        "from tests.integrations.test_transformers import *\n"
        "trainer(TrainVitalsCallback(watch={'every': 1}), num_train_epochs=4, ddp_backend='gloo').train()"
    )
    first, second = sorted(several(), key=lambda kept: kept.start.rank)
    assert (first.start.rank, second.start.rank) == (0, 1)
    assert first.start.name == second.start.name
    assert first.frames[0].run_id == second.frames[0].run_id
    assert first.sampled == first.steps("train/loss") == second.steps("grad_norm")
    assert second.sampled == second.steps("train/loss") == []
    assert second.points("seconds/forward")
    assert [norm for _, norm in second.points("grad_norm")] == pytest.approx(
        [norm for _, norm in first.points("grad_norm")], rel=1e-4
    )


def test_an_error_of_ours_never_reaches_the_training(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    training = trainer(TrainVitalsCallback(watch={"every": 0}))
    training.model.config.to_dict = lambda: 1 / 0
    training.train()
    tv.finish()
    assert kept.steps("train/loss") == list(range(STEPS))
    said = capsys.readouterr().err
    assert "the trainer's settings could not be read (ZeroDivisionError" in said
    assert "every=0" in said


def test_what_cannot_be_meant_is_refused_before_the_first_step() -> None:
    with pytest.raises(TypeError, match="'projct'"):
        TrainVitalsCallback(projct="x")
    with pytest.raises(InvalidSetting, match="'of'"):
        trainer(TrainVitalsCallback(mode="of")).train()


def test_what_is_found_may_stop_the_training(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINVITALS_MODE", "online")
    callback = TrainVitalsCallback(server_url=server.url, on_finding="stop")
    ill = trainer(callback, learning_rate=1e30, num_train_epochs=2000, max_grad_norm=0.0, eval_strategy="no")
    with pytest.raises(tv.TrainingStopped):
        ill.train()
    tv.finish()
    assert server.only_run.summary.status == "stopped"


def test_a_whole_training_reaches_a_real_server(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINVITALS_MODE", "online")
    training = trainer(TrainVitalsCallback(server_url=server.url, name="whole"))
    training.train()
    tv.finish()
    run = server.only_run
    assert (run.summary.name, run.summary.status) == ("whole", "finished")
    assert run.summary.sparkline.tolist()  # train/loss is known for the loss
    assert [value for _, value in server.points(run.summary.run_id, "train/loss")] == pytest.approx(losses(training))
