"""A script written for wandb runs as it stands, but for the import."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.optim import optimizer as hooks

import trainvitals as tv
from tests.real_server import RealServer
from tests.sdk.scripts import python, recorded
from trainvitals.active import current
from trainvitals.points import Intake

WRITTEN_FOR_WANDB = """
import argparse
import torch
from torch import nn
import trainvitals as wandb

torch.manual_seed(0)
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
args = parser.parse_args()

assert wandb.run is None
wandb.login()
assert len(wandb.util.generate_id()) == 8
run = wandb.init(
    project="wandb-project", entity="my-team", name="baseline", group="g", job_type="train", tags=["a", "b"],
    notes="as it was", config=args, save_code=True, settings=wandb.Settings(start_method="thread"),
)
assert wandb.run is run
wandb.config.update({"epochs": 3})
wandb.config.batch = 8
config = wandb.config
model = nn.Sequential(nn.Linear(4, config.batch), nn.ReLU(), nn.Linear(8, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
wandb.watch(model, criterion, log="all", log_freq=2)
wandb.define_metric("epoch", hidden=True)
wandb.define_metric("val/*", step_metric="epoch")
wandb.define_metric("val/accuracy", summary="max")
table = wandb.Table(columns=["prediction"])
best = 0.0
for epoch in range(config.epochs):
    for _ in range(20):
        inputs, labels = torch.randn(8, 4), torch.randint(0, 2, (8,))
        loss = criterion(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        wandb.log({"loss": loss.item(), "nested": {"twice": 2 * loss}})
    best = max(best, epoch / 10)
    table.add_data(1)
    wandb.log({
        "epoch": epoch, "val/accuracy": epoch / 10, "sample": wandb.Image(inputs), "text": "word",
        "distribution": wandb.Histogram([1, 2]), "rows": table,
    }, commit=False)
wandb.run.summary["best_accuracy"] = best
wandb.summary.update({"done": True})
wandb.alert(title="Low accuracy", text="too low", level=wandb.AlertLevel.WARN, wait_duration=300)
artifact = wandb.Artifact("model", type="model")
artifact.add_file("model.pt")
run.log_artifact(artifact).wait()
wandb.unwatch(model)
wandb.finish()
assert wandb.run is None
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text(WRITTEN_FOR_WANDB)
    return path


@pytest.mark.slow
def test_a_script_written_for_wandb_is_watched_to_its_end(server: RealServer, script: Path, tmp_path: Path) -> None:
    done = python(script, "--lr", "0.05", folder=tmp_path, TRAINVITALS_MODE="online", TRAINVITALS_SERVER_URL=server.url)

    assert done.returncode == 0, done.stderr
    run = server.only_run
    assert (run.summary.project, run.summary.name, run.summary.group) == ("wandb-project", "baseline", "g")
    assert (run.summary.tags, run.summary.status) == (["a", "b"], "finished")
    assert run.config == {"lr": 0.05, "epochs": 3, "batch": 8}
    assert [layer.name for layer in run.layers] == ["0", "1", "2"]
    assert (run.summary.last or {})["loss"].step == 59
    assert {"loss", "nested/twice", "epoch", "val/accuracy", "lr", "grad_norm"} <= set(run.metrics)
    assert not {"sample", "text", "distribution", "rows"} & set(run.metrics)
    assert run.notes.summary == {"best_accuracy": 0.2, "done": True}
    assert run.notes.metrics["val/accuracy"].summary == "max"
    (alert,) = run.notes.alerts
    assert (alert.title, alert.text, alert.level, alert.step) == ("Low accuracy", "too low", "warning", 59)


@pytest.mark.slow
def test_what_is_ignored_or_left_out_is_said_once(script: Path, tmp_path: Path) -> None:
    said = python(script, folder=tmp_path).stderr
    once = [
        "init() ignores keywords that mean nothing here: entity, job_type, notes, save_code, settings",
        "watch() ignores keywords that mean nothing here: log",
        "Image is of wandb's",
        "Table is of wandb's",
        "Artifact is of wandb's",
        "metric 'sample' is left out: its type is Image",
        "metric 'text' is left out: its type is str",
        "metric 'distribution' is left out: its type is Histogram",
        "metric 'rows' is left out: its type is Table",
    ]
    assert {line: said.count(line) for line in once} == dict.fromkeys(once, 1)


@pytest.mark.slow
def test_the_steps_between_snapshots_are_what_wandb_calls_log_freq(script: Path, tmp_path: Path) -> None:
    python(script, folder=tmp_path)
    steps = [step for step, _ in recorded(tmp_path).points("lr")]
    assert steps == [*range(50), 50, 52, 54, 56, 58]


@pytest.fixture(autouse=True)
def nothing_goes_on() -> Iterator[None]:
    """A run that is not ended would be the current one of tests to come."""
    yield
    while (run := current()) is not None:
        run.finish()


def disabled(**more: Any) -> tv.Run:
    return tv.init(mode="disabled", **more)


def test_a_slip_of_the_pen_is_refused_with_the_word_that_was_meant() -> None:
    with pytest.raises(
        TypeError, match=r"init\(\) got an unexpected keyword argument 'projct'.*did you mean 'project'"
    ):
        disabled(projct="mine")
    with pytest.raises(TypeError, match=r"watch\(\) got an unexpected keyword argument 'evry'.*did you mean 'every'"):
        disabled().watch(torch.nn.Linear(1, 1), evry=3)
    with pytest.raises(TypeError, match=r"log\(\) got an unexpected keyword argument 'stepp'.*did you mean 'step'"):
        disabled().log({"loss": 1.0}, stepp=3)


OF_WANDB = {  # that mean nothing here, as of 0.22 and a few versions before
    "init": [
        "allow_val_change", "anonymous", "config_exclude_keys", "config_include_keys", "dir", "entity", "force",
        "fork_from", "id", "job_type", "magic", "monitor_gym", "notes", "reinit", "resume", "resume_from", "save_code",
        "settings", "sync_tensorboard", "tensorboard",
    ],
    "watch": ["criterion", "idx", "log", "log_graph"],
    "log": ["sync"],
    "define_metric": ["hidden", "overwrite", "step_sync"],
    "alert": ["wait_duration"],
    "finish": ["quiet"],
    "of_tomorrow": ["whatever_comes_next"],
}  # fmt: skip


@pytest.mark.parametrize(("of", "word"), [(of, word) for of, words in OF_WANDB.items() for word in words])
def test_no_keyword_of_wandb_s_stops_a_script(of: str, word: str) -> None:
    run = disabled()
    calls: dict[str, Callable[..., object]] = {
        "watch": partial(run.watch, torch.nn.Linear(1, 1)),
        "log": partial(run.log, {"loss": 1.0}),
        "define_metric": partial(run.define_metric, "loss"),
        "alert": partial(run.alert, "low"),
        "finish": run.finish,
    }
    calls.get(of, disabled)(**{word: None})


def test_keywords_that_nobody_knows_are_ignored_with_one_notice(tmp_path: Path) -> None:
    code = """
import trainvitals as wandb
with wandb.init(mode="disabled", colour="blue", altitude=3) as run:
    for step in range(3):
        wandb.log({"loss": 1.0}, sync=False)
    wandb.finish(quiet=True)
"""
    done = python("-c", code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "ignores" in line] == [
        "trainvitals: init() ignores keywords that mean nothing here: altitude, colour",
        "trainvitals: log() ignores keywords that mean nothing here: sync",
        "trainvitals: finish() ignores keywords that mean nothing here: quiet",
    ]


def test_a_name_that_nothing_stands_for_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="trainvitals has no 'Tabel'"):
        tv.Tabel  # noqa: B018  # reading is the act
    with pytest.raises(AttributeError, match="a run of trainvitals has no 'fnish'"):
        disabled().fnish()
    assert not hasattr(tv, "sweep")


def test_settings_may_be_set_before_the_run_begins(tmp_path: Path) -> None:
    code = """
import trainvitals as wandb
wandb.config.seed = 3
wandb.config = {"lr": 1.0}
with wandb.init(mode="disabled", config={"lr": 0.1}) as run:
    assert run.config == wandb.config == {"seed": 3, "lr": 0.1}
"""
    assert python("-c", code, folder=tmp_path).returncode == 0


def test_a_run_tells_of_itself_in_wandb_s_words() -> None:
    run = disabled(project="mine", name="first")
    assert (run.id, run.name, run.project, run.get_url()) == (run.run_id, "first", "mine", run.url)


@pytest.mark.parametrize(("code", "status"), [(None, "finished"), (0, "finished"), (1, "failed")])
def test_an_exit_code_says_whether_the_run_failed(tmp_path: Path, code: int | None, status: str) -> None:
    run = tv.init(mode="offline", directory=tmp_path / "spool")
    run.finish(code)
    assert recorded(tmp_path).end.status == status


def test_words_of_the_package_are_never_hidden_by_its_modules(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with tv.init(mode="offline", directory=tmp_path) as run:
        for _ in range(2):
            tv.watch(model, optimizer)
        assert not isinstance(tv.watch, ModuleType)
        assert tv.run is run


def test_several_models_are_watched_as_one_with_all_their_optimizers(tmp_path: Path) -> None:
    generator, critic = torch.nn.Linear(2, 2), torch.nn.Sequential(torch.nn.Linear(2, 1))
    of_generator = torch.optim.SGD(generator.parameters(), lr=0.1)
    of_critic = torch.optim.Adam(critic.parameters(), lr=0.01)
    run = tv.init(mode="offline", directory=tmp_path / "spool")
    run.watch(generator)
    run.watch(critic)
    for _ in range(6):
        for optimizer in (of_critic, of_generator):
            optimizer.zero_grad()
            critic(generator(torch.randn(4, 2))).sum().backward()
            optimizer.step()
    run.finish()

    found = recorded(tmp_path)
    assert found.layers == ["Linear", "Sequential.0"]
    assert [optimizer.kind for optimizer in found.model.optimizers] == ["Adam", "SGD"]
    assert [step for step, _ in found.points("lr")] == list(range(6))
    assert all(norm > 0 for norm in found.stats(3)["grad_norm"].values())


def test_an_optimizer_that_takes_over_is_watched_in_the_place_of_the_first(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    run = tv.init(mode="offline", directory=tmp_path / "spool")
    run.watch(model)
    for kind in (torch.optim.SGD, torch.optim.Adam):
        optimizer = kind(model.parameters(), lr=0.1)
        for _ in range(3):
            model(torch.randn(4, 2)).sum().backward()
            optimizer.step()
    run.finish()

    found = recorded(tmp_path)
    assert [optimizer.kind for optimizer in found.model.optimizers] == ["Adam"]
    assert [step for step, _ in found.points("lr")] == list(range(6))


def test_nothing_of_a_run_that_ended_stays_in_torch(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    with tv.init(mode="offline", directory=tmp_path) as run:
        run.watch(model)
        assert hooks._global_optimizer_pre_hooks
    assert not hooks._global_optimizer_pre_hooks
    assert not hooks._global_optimizer_post_hooks


def test_a_stand_in_is_no_number() -> None:
    said: list[str] = []
    intake = Intake(say=lambda line, once: said.append(line))
    assert intake.take({"table": tv.Table(), "inner": {"loss": 1, "deeper": {"x": 2}}}) == {
        "inner/loss": 1.0,
        "inner/deeper/x": 2.0,
    }
    assert len(said) == 1
