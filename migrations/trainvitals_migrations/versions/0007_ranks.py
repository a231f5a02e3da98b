"""How many ranks a run has, whose words describe it, and which of them failed.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("ranks", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("run", sa.Column("told_by", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("run", sa.Column("failed_rank", sa.Integer(), nullable=True))


def downgrade() -> None:
    for name in ("failed_rank", "told_by", "ranks"):
        op.drop_column("run", name)
