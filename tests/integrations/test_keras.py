"""A real Keras on PyTorch, with a tiny model of nested layers: what reaches the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

import trainvitals as tv
from tests.integrations.conftest import Kept, run_in_two, run_script
from tests.real_server import RealServer
from trainvitals.integrations.keras import TrainVitalsCallback

pytestmark = [
    pytest.mark.slow,
    # Keras 3.15 converts its variables in a way that NumPy 2 no longer wants
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
BATCHES = 4
STEPS = 2 * BATCHES


def network(**optimizer: Any) -> Any:
    keras.utils.set_random_seed(0)
    dense, drop = keras.layers.Dense(8, name="dense"), keras.layers.Dropout(0.1, name="drop")
    body = keras.Sequential([dense, keras.layers.BatchNormalization(name="norm"), drop], name="body")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(1, name="head")(keras.layers.ReLU(name="relu")(body(inputs))))
    model.compile(keras.optimizers.Adam(**{"learning_rate": 0.05, **optimizer}), "mse", metrics=["mae"])
    return model


def fit(model: Any, *callbacks: Any, **given: Any) -> Any:
    numbers = np.random.default_rng(0).standard_normal((BATCHES * 4, 5), dtype="float32")
    inputs, targets = numbers[:, :4], numbers[:, 4:]
    settings = {"epochs": 2, "batch_size": 4, "verbose": 0, "shuffle": False, "validation_data": (inputs, targets)}
    return model.fit(inputs, targets, callbacks=list(callbacks), **{**settings, **given}).history


class Fails(keras.callbacks.Callback):
    """A training that does not reach its end."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        raise RuntimeError("no more memory")


def test_a_training_is_watched_and_what_it_logs_is_kept(kept: Kept) -> None:
    model = network()
    history = fit(model, TrainVitalsCallback(name="tiny", watch={"every": 1}))
    tv.finish()
    assert (kept.start.name, kept.start.project, kept.start.planned_steps) == ("tiny", "keras", STEPS)
    assert kept.start.config["optimizer"]["learning_rate"] == pytest.approx(0.05)
    assert kept.layers == ["body.dense", "body.norm", "body.drop", "relu", "head"]
    assert kept.sampled == kept.steps("loss") == list(range(STEPS))
    ends = [BATCHES - 1, STEPS - 1]
    for name, logged in (("epoch_loss", "loss"), ("val_loss", "val_loss"), ("mae", "mae"), ("val_mae", "val_mae")):
        assert kept.points(name) == list(zip(ends, map(pytest.approx, history[logged]), strict=True))
    assert np.mean([value for _, value in kept.points("loss")[:BATCHES]]) == pytest.approx(history["loss"][0])
    assert kept.points("lr") == [(step, pytest.approx(0.05)) for step in range(STEPS)]
    assert (kept.end.status, kept.end.last_step) == ("finished", STEPS - 1)


def test_layers_are_measured_as_torch_s_are(kept: Kept) -> None:
    model, seen = network(), {}
    dense = model.get_layer("body").layers[0]

    class Looks(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            seen["before"] = dense.kernel.value.detach().clone(), dense.bias.value.detach().clone()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen["gradients"] = dense.kernel.value.grad.clone(), dense.bias.value.grad.clone()
            seen["after"] = dense.kernel.value.detach().clone(), dense.bias.value.detach().clone()

    fit(model, TrainVitalsCallback(watch={"every": 1}), Looks(), epochs=1)
    tv.finish()
    before, after, gradients = (torch.cat([part.flatten() for part in seen[name]])
                                for name in ("before", "after", "gradients"))  # fmt: skip
    stats = kept.stats(BATCHES - 1)
    assert stats["grad_norm"]["body.dense"] == pytest.approx(gradients.norm().item(), rel=1e-4)
    ratio = (after - before).norm() / before.norm()
    assert stats["update_ratio"]["body.dense"] == pytest.approx(ratio.item(), rel=1e-3)
    assert stats["activation_std"]["body.dense"] > 0
    assert 0 < stats["zero_fraction"]["relu"] < 1


def test_a_training_is_bit_by_bit_what_it_was() -> None:
    bare = network()
    history = fit(bare)
    watched = network()
    assert fit(watched, TrainVitalsCallback(watch={"every": 1})) == history
    for one, other in zip(bare.weights, watched.weights, strict=True):
        assert torch.equal(one.value, other.value)


def test_steps_are_those_of_the_optimizer_whatever_is_accumulated(kept: Kept) -> None:
    fit(network(gradient_accumulation_steps=2), TrainVitalsCallback(watch={"every": 1}))
    tv.finish()
    assert kept.sampled == kept.steps("loss") == list(range(STEPS // 2))
    assert kept.stats(3)["update_ratio"]["head"] > 0


def test_a_scaled_loss_is_told_unscaled(several: Callable[[], list[Kept]]) -> None:
    for factor in (None, 1024.0):
        fit(network(loss_scale_factor=factor), TrainVitalsCallback(watch={"every": 1}), epochs=1)
    tv.finish()
    bare, scaled = several()
    assert scaled.points("loss") == [(step, pytest.approx(loss, rel=1e-4)) for step, loss in bare.points("loss")]
    assert scaled.stats(0)["grad_norm"]["head"] == pytest.approx(bare.stats(0)["grad_norm"]["head"], rel=1e-4)


def test_a_learning_rate_that_changes_is_that_of_each_step(kept: Kept) -> None:
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    fit(network(learning_rate=decay), TrainVitalsCallback(watch={"every": 1}))
    tv.finish()
    assert kept.points("lr") == [(step, pytest.approx(0.1 * 0.5**step)) for step in range(STEPS)]


def test_a_training_that_goes_on_begins_at_its_step(several: Callable[[], list[Kept]]) -> None:
    model, callback = network(), TrainVitalsCallback(watch={"every": 1})
    fit(model, callback)
    fit(model, callback, epochs=1)
    tv.finish()
    assert several()[1].steps("loss") == list(range(STEPS, STEPS + BATCHES))


def test_a_run_that_is_there_is_used_and_goes_on(kept: Kept) -> None:
    with tv.init(project="mine") as run:
        for _ in range(2):
            fit(network(), TrainVitalsCallback())
        assert run.active
    assert kept.start.project == "mine"
    assert kept.steps("loss") == list(range(2 * STEPS))


def test_an_evaluation_that_follows_belongs_to_the_run(kept: Kept) -> None:
    model, callback = network(), TrainVitalsCallback()
    fit(model, callback)
    model.evaluate(np.ones((4, 4)), np.ones((4, 1)), callbacks=[callback], verbose=0)
    tv.finish()
    assert kept.steps("test_loss") == kept.steps("test_mae") == [STEPS - 1]


def test_a_training_that_breaks_off_has_failed_and_nothing_stays_behind(several: Callable[[], list[Kept]]) -> None:
    backward = torch.Tensor.backward
    with pytest.raises(RuntimeError):
        fit(network(), TrainVitalsCallback(), Fails())
    fit(network(), TrainVitalsCallback())
    tv.finish()
    assert [run.end.status for run in several()] == ["failed", "finished"]
    assert torch.Tensor.backward is backward


def test_processes_that_found_each_other_are_one_run(several: Callable[[], list[Kept]]) -> None:
    run_in_two(
        "from tests.integrations.test_keras import *\n"
        "torch.distributed.init_process_group('gloo')\n"
        "fit(network(), TrainVitalsCallback(watch={'every': 1}))\n"
        "tv.finish()\n"
        "torch.distributed.destroy_process_group()"
    )
    first, second = sorted(several(), key=lambda kept: kept.start.rank)
    assert (first.start.rank, second.start.rank) == (0, 1)
    assert first.frames[0].run_id == second.frames[0].run_id
    assert first.sampled == second.steps("grad_norm") == second.steps("loss") == list(range(STEPS))
    assert second.sampled == []
    assert second.steps("val_loss") == first.steps("val_loss") == [BATCHES - 1, STEPS - 1]


def test_only_the_first_process_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    fit(network(), TrainVitalsCallback())
    assert not (tmp_path / "spool").exists()


def test_another_backend_is_refused() -> None:
    done = run_script(
        "import sys, types\n"
        "sys.modules['keras'] = keras = types.ModuleType('keras')\n"
        "keras.backend = types.SimpleNamespace(backend=lambda: 'jax')\n"
        "import trainvitals.integrations.keras"
    )
    assert "here it runs on jax: set KERAS_BACKEND=torch" in done.stderr


def test_a_whole_training_reaches_a_real_server(server: RealServer) -> None:
    fit(network(), TrainVitalsCallback(mode="online", server_url=server.url, name="whole"))
    tv.finish()
    run = server.only_run
    assert (run.summary.name, run.summary.status) == ("whole", "finished")
    assert len(server.points(run.summary.run_id, "loss")) == STEPS
