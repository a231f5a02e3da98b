"""The store on a SQL database: each promise of the interface, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from trainvitals.wire.answers import Curve, Heatmap, LayerHistograms, RankCurves, Snapshot
from trainvitals.wire.histograms import ValueKind
from trainvitals.wire.journal import JournalChange, Written
from trainvitals.wire.messages import Finding
from trainvitals.wire.rules import RuleChange, RuleSettings
from trainvitals_server.store import findings as findings_table
from trainvitals_server.store import frames as frames_table
from trainvitals_server.store import journals, merging, reading, rule_settings, runs_table
from trainvitals_server.store.engine import Database
from trainvitals_server.store.histograms import layer_histograms
from trainvitals_server.store.interface import ReceivedFrame, Span
from trainvitals_server.store.runs_table import run_number
from trainvitals_server.store.sql_runs import SqlRuns
from trainvitals_server.store.sql_table import SqlTable


class SqlStore(SqlRuns, SqlTable):
    """See Store. ``clock`` tells when a run is idle."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(database)
        self._clock = clock
        self._unmergeable: set[int] = set()
        self._appender = frames_table.Appender(database)

    def append(self, frames: Sequence[ReceivedFrame]) -> list[bool]:
        """See Store."""
        return self._appender.append(frames)

    def merge(self, *, force: bool = False) -> int:
        """See Store; frames of one run, at most 64 MiB of them."""
        return merging.merge_once(self._database, now=self._clock(), force=force, unmergeable=self._unmergeable)

    def metric_curve(self, run_id: str, metric: str, *, span: Span, points: int, rank: int = 0) -> Curve:
        """See Store."""
        with self._database.reading() as connection:
            number = run_number(connection, run_id)
            return reading.metric_curve(connection, run_id, number, metric=metric, span=span, points=points, rank=rank)

    def rank_curves(self, run_id: str, metric: str, *, points: int) -> RankCurves:
        """See Store."""
        with self._database.reading() as connection:
            number = run_number(connection, run_id)
            return reading.rank_curves(connection, run_id, number, metric=metric, points=points)

    def stat_curve(self, run_id: str, stat: str, layer: str, *, span: Span, points: int, rank: int = 0) -> Curve:
        """See Store."""
        with self._database.reading() as connection:
            number = run_number(connection, run_id)
            return reading.stat_curve(
                connection, run_id, number, stat=stat, layer=layer, span=span, points=points, rank=rank
            )

    def heatmap(self, run_id: str, stat: str, *, span: Span, buckets: int, rank: int = 0) -> Heatmap:
        """See Store."""
        with self._database.reading() as connection:
            number = run_number(connection, run_id)
            return reading.heatmap(connection, run_id, number, stat=stat, span=span, buckets=buckets, rank=rank)

    def histograms(
        self, run_id: str, kind: ValueKind, layer: str, *, span: Span, columns: int, rank: int = 0
    ) -> LayerHistograms:
        """See Store."""
        with self._database.reading() as connection:
            number = run_number(connection, run_id)
            return layer_histograms(
                connection, run_id, number, kind=kind, layer=layer, span=span, columns=columns, rank=rank
            )

    def snapshot(self, run_id: str, *, rank: int = 0) -> Snapshot | None:
        """See Store."""
        with self._database.reading() as connection:
            return reading.snapshot(connection, run_id, run_number(connection, run_id), rank=rank)

    def save_findings(
        self,
        run_id: str,
        findings: Sequence[Finding],
        *,
        health: int | None,
        little_known: bool = False,
        is_last: bool = False,
    ) -> None:
        """See Store."""
        judged = {"judged": 1} if is_last else {}
        with self._database.writing() as connection:
            runs_table.change_run(connection, run_id, health=health, little_known=int(little_known), **judged)
            findings_table.save_findings(connection, run_number(connection, run_id), findings)

    def findings(self, run_id: str) -> list[Finding]:
        """See Store."""
        with self._database.reading() as connection:
            return findings_table.load_findings(connection, run_number(connection, run_id))

    def set_rules(self, project: str, change: RuleChange, *, now: float) -> RuleSettings:
        """See Store."""
        with self._database.writing() as connection:
            return rule_settings.set_rules(connection, project, change, now=now)

    def rules(self, project: str, *, most: int = 1) -> list[RuleSettings]:
        """See Store."""
        with self._database.reading() as connection:
            return rule_settings.load_rules(connection, project, most=most)

    def write_journal(self, run_id: str, change: JournalChange, *, now: float) -> Written:
        """See Store."""
        with self._database.writing() as connection:
            return journals.write(connection, run_id, change, now=now)

    def journal(self, run_id: str, *, most: int = 1) -> list[Written]:
        """See Store."""
        with self._database.reading() as connection:
            return journals.load(connection, run_id, most=most)

    def ping(self) -> None:
        """See Store."""
        with self._database.writing() as connection:
            # one that is written, as only writing shows that the disk has room
            connection.execute(sa.text("UPDATE alembic_version SET version_num = version_num"))

    def close(self) -> None:
        """See Store."""
        self._database.close()
