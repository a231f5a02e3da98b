"""What was found before the training.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("preflight", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("run", "preflight")
