"""What cannot be imported is refused with what is wrong, where, and what to do; never with a traceback."""

from __future__ import annotations

import sqlite3
import tracemalloc
from pathlib import Path

import pytest

from trainvitals.command import main

BAD = {
    "empty.csv": ("", "it is empty"),
    "names.csv": ("step,loss\n", "it holds no metric: it is empty, or was written before any log"),
    "words.csv": ("step,phase\n0,train\n", "it holds no metric: besides steps it holds only 'phase'"),
    "bare.csv": ("0,1.5\n1,1.25\n", "line 1: it has numbers where names should be"),
    "twice.csv": ("step,loss,loss\n0,1,2\n", "line 1: columns with the same name: 'loss'"),
    "wide.csv": ("step,loss\n0,1\n1,1,7\n", "line 3: 3 cells under 2 names: '7' is one too many"),
    "name.csv": (f"{'x' * 200_000},loss\n1,2\n", "line 1: it cannot be taken apart (field larger than field limit"),
    "open.csv": ('"step,loss\n0,1\n', "line 2: it cannot be taken apart (unexpected end of data)"),
    "flag.jsonl": ('{"step": true, "loss": 1}\n', "step True is no number"),
    "quote.csv": ('step,loss\n0,1\n1,"2\n', "line 3: it cannot be taken apart"),
    "half.csv": ("step,loss\n0,1\n1.5,1\n", "line 3: steps are whole and count from 0, and step '1.5' is not whole"),
    "minus.csv": ("step,loss\n-1,1\n", "line 2: steps are whole and count from 0, and step '-1' is negative"),
    "far.csv": ("step,loss\n1e300,1\n", "step '1e300' is beyond"),
    "text.csv": ("step,loss\nfirst,1\n", "step 'first' is no number"),
    "runs.csv": ("run,step,loss\na,0,1\nb,0,2\n", "line 3: 'b' is a second run after 'a': put each run into a file"),
    "runs.jsonl": ('{"run": 0, "loss": 1}\n{"run": 1, "loss": 2}\n', "line 2: '1' is a second run"),
    "cut.jsonl": ('{"step": 0, "loss": 1}\n{"step": 1, "lo', "line 2: no whole JSON object"),
    "list.jsonl": ('{"step": 0, "loss": 1}\n[1]\n', "line 2: [1] is no JSON object: write one to a line"),
    "deep.jsonl": ('{"a":' * 100_000, "line 1: no whole JSON object"),
    "long.jsonl": ('{"step": 0, "loss": 1}\n{"step": ' + "9" * 5000 + "}\n", "line 2: no whole JSON object"),
    "cut.json": ('{\n "log_history": [\n  {"step"', "no whole JSON document"),
    "other.json": ('{\n "results": []\n}\n', "a JSON document without 'log_history'"),
    "array.json": ('[{"step": 0, "loss": 1}]', "Write one object to a line instead"),
    "odd.json": ('{"log_history": [1]}', "entry of log_history 1: it is no object"),
    "run-x1.wandb": ("", "W&B's own file is not read: export the run as CSV or JSON lines"),
    "run.tfevents": ("no events at all", "it holds no metric"),
}  # fmt: skip


def refusal(path: Path, capsys: pytest.CaptureFixture[str], *, word: str = "import") -> str:
    """What the terminal says, the file's name first."""
    assert main([word, str(path)]) == 1
    said = capsys.readouterr().err
    assert f"trainvitals: {path}" in said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("word", ["import", "diagnose"])
@pytest.mark.parametrize("file", BAD)
def test_a_bad_file_is_refused_in_words(
    file: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, words = BAD[file]
    (tmp_path / file).write_text(text)

    assert words in refusal(tmp_path / file, capsys, word=word)


@pytest.mark.parametrize(
    ("file", "data", "words"),
    [
        ("packed.csv", b"\x1f\x8b\x08\0rest", "it is no text in UTF-8: unpack it"),
        ("wide.csv", "step,loss\n0,1\n".encode("utf-16"), "it is no text in UTF-8"),
        ("latin.csv", "step,größe\n0,1\n".encode("latin-1"), "it is no text in UTF-8"),
        ("x.run.zst", b"\x28\xb5\x2f\xfd", "`trainvitals diagnose` judges a recorded run"),
    ],
)
def test_what_is_no_text_is_refused(
    file: str, data: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / file).write_bytes(data)

    assert words in refusal(tmp_path / file, capsys)


def test_what_is_too_large_is_refused_before_it_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "huge.csv").open("w") as file:
        file.write("step,loss\n" + "0,1\n" * 2000)
        file.truncate(2 * 1000**3)  # no block of it is on disk

    assert "it takes 2,000 MB, and at most 512 MB are read: keep the metrics that matter" in refusal(
        tmp_path / "huge.csv", capsys
    )


@pytest.mark.parametrize("file", ["huge.json", "trainer_state.json"])
def test_a_large_document_is_refused_before_it_is_read(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / file).open("w") as document:
        document.write("{" + " " * 5000 if file == "huge.json" else '{\n"log_history": [' + " " * 5000)
        document.truncate(4 * 1000**3)
    tracemalloc.start()

    assert "it takes 4,000 MB, and at most 64 MB are read" in refusal(tmp_path / file, capsys)
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


@pytest.mark.parametrize(("file", "text"), [("one.jsonl", '{"step": 0, "loss": 1}\n{"loss": "'), ("one.csv", "step,")])
def test_a_line_that_never_ends_is_refused(
    file: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / file).write_text(text + "," * 9_000_000)

    assert "it is longer than 8,000,000 characters: put each row into a line of its own" in refusal(
        tmp_path / file, capsys
    )


def test_what_is_large_in_a_run_of_mlflow_counts_wherever_it_lies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("metrics/loss", "params/a", "tags/b"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("1 2.5 0\n")
    for name in ("params/a", "tags/b"):
        with (tmp_path / name).open("a") as file:
            file.truncate(300 * 1000**2)

    assert "it takes 600 MB, and at most 512 MB are read" in refusal(tmp_path, capsys)


def test_a_database_of_trackio_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    connection = sqlite3.connect(tmp_path / "project.db")
    connection.execute("create table metrics (step integer)")
    connection.close()

    said = refusal(tmp_path / "project.db", capsys)
    assert "a database (of trackio, MLflow or others) is not read: export the run as CSV or JSON lines" in said


@pytest.mark.parametrize(
    ("folder", "file", "words"),
    [
        ("offline-run-20240101_1-x1", "run-x1.wandb", "W&B's own folder is not read: export"),
        ("version_0", "metrics.csv", "it is a folder: name the file, "),
        ("results", "model.pt", "nothing in it is known. What is read: CSV, JSON lines"),
    ],
)
def test_a_folder_that_is_no_run_is_refused(
    folder: str, file: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / file).touch()

    assert words in refusal(tmp_path / folder, capsys)


def test_a_line_of_mlflow_that_is_none_is_refused_by_its_own_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in {"metrics/loss": "17 1.5 0\n18 oops 1\n", "meta.yaml": ""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    assert f"{tmp_path}/metrics/loss, line 2: 'oops' is no number; lines are timestamp, value" in refusal(
        tmp_path, capsys
    )


def test_what_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no such file or folder" in refusal(tmp_path / "gone.csv", capsys)
