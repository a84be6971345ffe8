"""Which active runs a status does not list: without that, those would count as ended."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; a row of before lists all of its runs."""
    op.execute("ALTER TABLE scheduled_jobs ADD COLUMN active_omitted jsonb")


def downgrade() -> None:
    """Drop the column."""
    op.execute("ALTER TABLE scheduled_jobs DROP COLUMN active_omitted")
