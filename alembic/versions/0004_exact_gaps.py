"""Which slots the cursor does not tell of, since when there is a gap; no whole objects in quarantine."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and empty the documents: they held whole Pods."""
    op.execute(
        "ALTER TABLE scheduled_jobs"
        " ADD COLUMN out_of_order timestamptz[] NOT NULL DEFAULT '{}',"
        " ADD COLUMN covered_out_of_order timestamptz[] NOT NULL DEFAULT '{}',"
        " ADD COLUMN covered_tail_from timestamptz,"
        " ADD COLUMN covered_tail_count bigint NOT NULL DEFAULT 0,"
        " ADD COLUMN gap_version bigint NOT NULL DEFAULT 0"
    )
    op.execute("UPDATE scheduler_quarantine SET document = '{}'")
    op.execute(
        "CREATE INDEX ix_scheduler_quarantine_namespace ON scheduler_quarantine (namespace, last_seen)"
    )


def downgrade() -> None:
    """Drop the columns and the index."""
    op.execute("DROP INDEX ix_scheduler_quarantine_namespace")
    op.execute(
        "ALTER TABLE scheduled_jobs"
        " DROP COLUMN out_of_order, DROP COLUMN covered_out_of_order, DROP COLUMN covered_tail_from,"
        " DROP COLUMN covered_tail_count, DROP COLUMN gap_version"
    )
