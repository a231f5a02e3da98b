"""What people do with the table of runs, on a SQL database."""

from __future__ import annotations

from trainvitals.wire.answers import RunSummary
from trainvitals.wire.table import Columns, Groups, RunsChange, View
from trainvitals_server.store import run_changes, run_groups, saved_views
from trainvitals_server.store.engine import Database
from trainvitals_server.store.interface import RunQuery


class SqlTable:
    """The part of a Store that is about the table of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def change_runs(self, change: RunsChange, *, now: float) -> list[RunSummary]:
        """See Store."""
        with self._database.writing() as connection:
            return run_changes.change_runs(connection, change, now=now)

    def deleted_runs(self, *, before: float) -> list[str]:
        """See Store."""
        with self._database.reading() as connection:
            return run_changes.deleted_runs(connection, before=before)

    def columns(self, query: RunQuery) -> Columns:
        """See Store."""
        with self._database.reading() as connection:
            return run_groups.columns(connection, query)

    def groups(self, query: RunQuery, *, by: str, metric: str) -> Groups:
        """See Store."""
        with self._database.reading() as connection:
            return run_groups.groups(connection, query, by=by, metric=metric)

    def views(self) -> list[View]:
        """See Store."""
        with self._database.reading() as connection:
            return saved_views.load_views(connection)

    def save_view(self, view: View) -> None:
        """See Store."""
        with self._database.writing() as connection:
            saved_views.save_view(connection, view)

    def delete_view(self, name: str) -> None:
        """See Store."""
        with self._database.writing() as connection:
            saved_views.delete_view(connection, name)
