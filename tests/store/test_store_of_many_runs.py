"""What the table of runs asks of SQLite reads no run's settings, environment and model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.sample_frames import metric_frame, start
from trainvitals_server.store import engine
from trainvitals_server.store.interface import RunQuery, Store
from trainvitals_server.store.opening import open_store

RUNS = 60
LARGE = 200_000  # bytes of each run's settings
READ = Path("/proc/self/io")


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Runs with large settings, in a database that is read anew from its file each time."""
    nothing_kept = ("PRAGMA mmap_size=0", "PRAGMA cache_size=1")
    monkeypatch.setattr(engine, "SQLITE_PRAGMAS", (*engine.SQLITE_PRAGMAS, *nothing_kept))
    store = open_store(f"sqlite:///{tmp_path}/runs.sqlite3")
    for number in range(RUNS):
        start(store, f"r{number:02}", name=f"net {number}", config={"lr": 0.1, "notes": "x" * LARGE})
        store.append([metric_frame(0, [1], [number / 10], run_id=f"r{number:02}")])
    return store


def bytes_read() -> int:
    return int(READ.read_text().split()[1])


@pytest.mark.skipif(not READ.exists(), reason="only Linux counts what a process reads")
@pytest.mark.parametrize("sort_by", ["created", "loss", "metric:loss", "setting:lr"])
def test_a_block_of_rows_and_its_columns_leave_most_of_the_runs_unread(large: Store, sort_by: str) -> None:
    query = RunQuery(sort_by=sort_by, hides_archived=True, limit=5, offset=20)
    large.runs(query)
    before = bytes_read()
    assert len(large.runs(query).runs) == 5
    large.columns(RunQuery(hides_archived=True))
    assert bytes_read() - before < RUNS * LARGE / 4
    large.close()
