"""What a script notes while its run goes on reaches the server, and is kept."""

from __future__ import annotations

import argparse
import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import trainvitals as tv
from tests.real_server import RealServer, wait_until
from tests.sdk.conftest import records
from trainvitals.wire import coding
from trainvitals.wire.notes import Note


@pytest.fixture
def run(server: RealServer, tmp_path: Path) -> Iterator[tv.Run]:
    running = tv.init(
        project="tests",
        name="noting",
        config={"lr": 0.1, "seed": 1},
        server_url=server.url,
        directory=tmp_path / "spool",
    )
    yield running
    running.finish()


def notes_of(directory: Path) -> list[Note]:
    return [coding.decode(record.payload, Note) for record in records(directory) if record.kind == "note"]


def test_settings_may_change_while_the_run_goes_on(server: RealServer, run: tv.Run) -> None:
    run.config.lr = 0.01
    run.config["layers"] = {"width": 8}
    run.config.update({"batch": 32}, allow_val_change=True)
    run.config.update(argparse.Namespace(amp=True))
    wait_until(lambda: server.runs and "amp" in server.only_run.config, what="the settings")
    assert server.only_run.config == {"lr": 0.01, "seed": 1, "layers": {"width": 8}, "batch": 32, "amp": True}


def test_settings_are_read_as_they_were_given() -> None:
    device = torch.device("cpu")
    with tv.init(mode="disabled", config=SimpleNamespace(lr=0.1, device=device)) as run:
        assert (run.config.lr, run.config["lr"], run.config.get("none", 7)) == (0.1, 0.1, 7)
        assert run.config.device is device
        assert {**run.config} == run.config.as_dict() == {"lr": 0.1, "device": device}
        assert "lr" in run.config
        with pytest.raises(AttributeError, match="'momentum' was not set: there is lr, device"):
            run.config.momentum  # noqa: B018  # reading is the act
        with pytest.raises(TypeError, match="not taken back"):
            del run.config["lr"]


def test_settings_in_a_checkpoint_are_a_plain_dictionary() -> None:
    with tv.init(mode="disabled", config={"lr": 0.1}) as run:
        assert type(pickle.loads(pickle.dumps(run.config))) is dict
        assert copy.deepcopy(run.config) == {"lr": 0.1}


def test_a_summary_a_definition_and_an_alert_are_kept(
    server: RealServer, run: tv.Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.summary["best"] = torch.tensor(0.5)
    run.summary.update({"confusion": {"cat": 3}})
    run.define_metric("val/*", step_metric="epoch", summary="max", goal="maximize")
    run.log({"loss": 1.0}, step=0)
    run.alert("low accuracy", "below 0.5 for an hour", level="error")
    wait_until(lambda: server.runs and server.only_run.notes.alerts, what="the alert")

    notes = server.only_run.notes
    assert notes.summary == {"best": 0.5, "confusion": {"cat": 3}}
    assert (notes.metrics["val/*"].summary, notes.metrics["val/*"].step_metric) == ("max", "epoch")
    (alert,) = notes.alerts
    assert (alert.title, alert.text, alert.level, alert.step) == (
        "low accuracy",
        "below 0.5 for an hour",
        "critical",
        0,
    )
    assert "noting: critical at step 0: low accuracy: below 0.5 for an hour" in capsys.readouterr().err


def test_words_that_are_none_cost_nothing_but_a_line(offline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with offline.init() as run:
        run.alert("odd", level="dreadful")
        run.define_metric("loss", goal="up", role="boss")
        run.summary["huge"] = "x" * 1000
        run.summary["\ud800"] = object()
    (note,) = notes_of(offline.directory)
    defined = note.metrics["loss"]
    assert (note.alerts[0].level, defined.goal, defined.role) == ("warning", None, None)
    said = capsys.readouterr().err
    assert "alert level 'dreadful' is none" in said
    assert "goal 'up' is left out" in said
    assert "role 'boss' is left out: it is loss or validation_loss" in said


def test_what_is_noted_at_every_step_is_sent_together(offline: Any) -> None:
    with offline.init() as run:
        for step in range(1000):
            run.summary["step"] = step
    notes = notes_of(offline.directory)
    assert len(notes) < 20
    assert [note.seq for note in notes] == list(range(len(notes)))
    assert notes[-1].summary == {"step": 999}


def test_data_in_place_of_settings_are_left_out_and_said(offline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with offline.init() as run:
        run.config.update({f"image {number}": "x" * 1000 for number in range(2000)})
    assert notes_of(offline.directory) == []
    assert "note settings, not data" in capsys.readouterr().err


def test_a_flood_of_alerts_is_held_back(offline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with offline.init() as run:
        for number in range(1000):
            run.alert(f"number {number}")
    assert sum(len(note.alerts) for note in notes_of(offline.directory)) < 500
    assert "the rest of them is only told here" in capsys.readouterr().err


def test_module_functions_note_of_the_latest_run(offline: Any) -> None:
    offline.init()
    tv.alert("from afar")
    tv.define_metric("loss", summary="min")
    tv.finish()
    (note,) = notes_of(offline.directory)
    assert (note.alerts[0].title, list(note.metrics)) == ("from afar", ["loss"])


def test_what_log_takes_is_said_where_it_was_given_something_else(
    run: tv.Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.log("hello")  # type: ignore[arg-type]  # that is the test
    assert "it takes numbers by name" in capsys.readouterr().err
