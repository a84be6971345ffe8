"""The index of the executions' changes, which 0002 made itself once, while nobody could write.

A database that went through 0002 then has the index, and keeps it. One that a broken-off migration left is
not valid, and is made anew.
"""

from __future__ import annotations

from alembic import op

revision = "0002b"
down_revision = "0002"
branch_labels = None
depends_on = None

DROP_INVALID = """
DO $$ BEGIN
    IF EXISTS (
        SELECT FROM pg_index
        WHERE indexrelid = to_regclass('ix_scheduled_job_executions_change') AND NOT indisvalid
    ) THEN
        DROP INDEX ix_scheduled_job_executions_change;
    END IF;
END $$
"""


def upgrade() -> None:
    """Make the index unless it is there."""
    op.execute(DROP_INVALID)
    with op.get_context().autocommit_block():
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_scheduled_job_executions_change"
            " ON scheduled_job_executions (change)"
        )


def downgrade() -> None:
    """Drop the index."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_scheduled_job_executions_change")
