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


def test_packages_that_are_loaded_are_told_with_their_versions() -> None:
    pytest.importorskip("numpy")

    assert describe()["packages"]["numpy"]
