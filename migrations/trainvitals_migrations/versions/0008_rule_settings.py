"""What projects say of their rules, and which rules a script muted for its run.

Revision ID: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rule_settings",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "version", name="pk_rule_settings"),
        sqlite_with_rowid=False,
    )
    op.add_column("run", sa.Column("muted", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("run", "muted")
    op.drop_table("rule_settings")
