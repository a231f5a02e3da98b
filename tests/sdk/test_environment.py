"""Where a run runs: the code's revision, and by what changes that were not committed are known again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from trainvitals.environment import describe

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file, committed, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("lr = 1\n")
    for words in (("init", "-q"), ("add", "train.py"), ("commit", "-q", "-m", "Begin")):
        subprocess.run([*GIT, *words], check=True, cwd=tmp_path)
    return tmp_path


def test_committed_code_has_a_revision_and_no_changes(repository: Path) -> None:
    found = describe()

    assert len(found["revision"]) == 12
    assert found["diff"] is None


def test_changes_are_known_again_by_their_fingerprint(repository: Path) -> None:
    seen = []
    for line in ("lr = 2\n", "lr = 3\n", "lr = 2\n"):
        (repository / "train.py").write_text(line)
        seen.append(describe())

    assert all(one["revision"].endswith("-dirty") for one in seen)
    assert seen[0]["diff"] == seen[2]["diff"] != seen[1]["diff"]
    assert "lr" not in seen[0]["diff"]


def test_changes_are_kept_as_git_tells_them_only_where_that_is_asked_for(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "train.py").write_text("lr = 2\n")
    kept = {}
    for said in ("", "0", "1"):
        monkeypatch.setenv("TRAINVITALS_KEEP_DIFF", said)
        kept[said] = describe()["patch"]

    assert kept["0"] is None
    assert kept[""] is None
    assert "-lr = 1\n+lr = 2" in kept["1"]


def test_long_changes_are_kept_up_to_a_limit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINVITALS_KEEP_DIFF", "1")
    kept = {}
    for lines in (5_000, 500_000):
        (repository / "train.py").write_text("lr = 2\n" * lines)
        kept[lines] = describe()["patch"]

    assert kept[5_000].count("+lr = 2") == 5_000
    assert len(kept[500_000]) == 200_000
    assert kept[500_000].endswith("…")


def test_the_branch_is_told(repository: Path) -> None:
    subprocess.run([*GIT, "switch", "-q", "-c", "warm-up"], check=True, cwd=repository)

    assert describe()["branch"] == "warm-up"


def test_packages_that_are_loaded_are_told_with_their_versions() -> None:
    pytest.importorskip("numpy")

    assert describe()["packages"]["numpy"]
