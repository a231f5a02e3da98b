"""What a run's training is asked to look at closely.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("capture", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("run", "capture")
