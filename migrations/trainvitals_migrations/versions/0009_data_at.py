"""When a run's last data came, and how far apart they usually come.

Revision ID: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("data_at", sa.Double(), nullable=True))
    op.add_column("run", sa.Column("data_every", sa.Double(), nullable=True))
    op.execute("UPDATE run SET data_at = heartbeat_at WHERE last_step IS NOT NULL")  # the nearest that is known


def downgrade() -> None:
    op.drop_column("run", "data_every")
    op.drop_column("run", "data_at")
