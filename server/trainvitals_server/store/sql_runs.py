"""Lives of runs on a SQL database: how they begin, what is said of them, how they end, and the table of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from trainvitals.wire.answers import LookedInto, Looks, RunDetail, RunPage
from trainvitals.wire.capture import Capture, CaptureAnswer
from trainvitals.wire.looks import Look
from trainvitals.wire.messages import ModelInfo, RunEnd, RunStart
from trainvitals.wire.notes import Note
from trainvitals.wire.preflight import PreflightReport
from trainvitals_server.store import captures, looks, notes, run_rows, runs_table
from trainvitals_server.store.engine import Database
from trainvitals_server.store.interface import RunQuery
from trainvitals_server.store.runs_table import run_number


class SqlRuns:
    """The part of a Store that is about runs as wholes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start_run(self, run_id: str, start: RunStart, *, now: float) -> bool:
        """See Store."""
        with self._database.writing() as connection:
            return runs_table.start_run(connection, run_id, start, now=now)

    def set_model(self, run_id: str, model: ModelInfo) -> None:
        """See Store."""
        with self._database.writing() as connection:
            runs_table.change_run(connection, run_id, model=msgspec.msgpack.encode(model))

    def note(self, run_id: str, note: Note) -> bool:
        """See Store."""
        with self._database.writing() as connection:
            return notes.keep_note(connection, run_id, run_number(connection, run_id), note)

    def set_preflight(self, run_id: str, report: PreflightReport) -> None:
        """See Store."""
        with self._database.writing() as connection:
            runs_table.change_run(connection, run_id, preflight=msgspec.msgpack.encode(report))

    def ask_capture(self, run_id: str, *, now: float) -> Capture:
        """See Store."""
        with self._database.writing() as connection:
            return captures.ask(connection, run_id, now=now)

    def answer_capture(self, run_id: str, answer: CaptureAnswer) -> bool:
        """See Store."""
        with self._database.writing() as connection:
            return captures.answered(connection, run_id, answer)

    def capture(self, run_id: str) -> Capture | None:
        """See Store."""
        with self._database.reading() as connection:
            return captures.newest(connection, run_id)

    def keep_look(self, run_id: str, look: Look) -> None:
        """See Store."""
        with self._database.writing() as connection:
            looks.keep_look(connection, run_number(connection, run_id), look)

    def looks(self, run_id: str) -> Looks:
        """See Store."""
        with self._database.reading() as connection:
            return looks.load_looks(connection, run_id, run_number(connection, run_id))

    def pictures(self, run_id: str, layer: str, *, step: int | None = None) -> LookedInto:
        """See Store."""
        with self._database.reading() as connection:
            return looks.load_pictures(connection, run_id, run_number(connection, run_id), layer=layer, step=step)

    def end_run(self, run_id: str, end: RunEnd) -> bool:
        """See Store."""
        with self._database.writing() as connection:
            return runs_table.end_run(connection, run_id, end)

    def heartbeat(self, run_ids: Sequence[str], *, now: float) -> None:
        """See Store; unknown runs are passed over."""
        with self._database.writing() as connection:
            runs_table.heartbeat(connection, run_ids, now=now)

    def mark_lost(self, *, silent_since: float) -> list[str]:
        """See Store."""
        with self._database.writing() as connection:
            return runs_table.mark_lost(connection, silent_since=silent_since)

    def delete_run(self, run_id: str) -> None:
        """See Store."""
        runs_table.delete_run(self._database, run_id)

    def runs(self, query: RunQuery) -> RunPage:
        """See Store."""
        with self._database.reading() as connection:
            return run_rows.runs(connection, query)

    def run(self, run_id: str) -> RunDetail:
        """See Store."""
        with self._database.reading() as connection:
            return runs_table.run_detail(connection, run_id)

    def unjudged(self) -> list[str]:
        """See Store."""
        with self._database.reading() as connection:
            return runs_table.unjudged(connection)
