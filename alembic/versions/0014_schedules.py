"""The schedule of a job as its object has it: window and clock-change policy included."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; it is filled as the objects change."""
    op.execute("ALTER TABLE scheduled_jobs ADD COLUMN schedule json")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE scheduled_jobs DROP COLUMN schedule")
