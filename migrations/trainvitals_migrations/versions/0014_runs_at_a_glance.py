"""What the table of runs is filtered and sorted by without reading whole runs, and names whatever their case.

Revision ID: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_run_glance", "run", ["deleted_at", "archived_at", "created_at", "loss_metric"])
    if op.get_bind().dialect.name == "postgresql":
        _make_folded()


def downgrade() -> None:
    op.drop_index("ix_run_glance", "run")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION folded(text)")


def _make_folded() -> None:
    # a database of locale C folds ASCII only; one that was built without ICU has no better collation
    known = op.get_bind().execute(sa.text("SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu'")).first()
    told = 'told COLLATE "und-x-icu"' if known else "told"
    kind = "RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE"
    op.execute(f"CREATE OR REPLACE FUNCTION folded(told text) {kind} AS 'SELECT lower({told})'")
