"""How many transactions the mirror has committed: by that it sees that the database was restored."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; the previous release leaves it alone."""
    op.execute("ALTER TABLE scheduler_mirror_state ADD COLUMN step bigint NOT NULL DEFAULT 0")


def downgrade() -> None:
    """Drop the column."""
    op.execute("ALTER TABLE scheduler_mirror_state DROP COLUMN step")
