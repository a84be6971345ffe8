"""For which slots runs were asked for: a slot of the past is not to run twice."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index the few runs that were asked for and name a slot; one that was left half made goes first."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_scheduled_job_executions_asked_slot")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_scheduled_job_executions_asked_slot"
            " ON scheduled_job_executions (job_id, scheduled_for)"
            " WHERE triggered_by <> 'scheduler' AND scheduled_for IS NOT NULL"
        )


def downgrade() -> None:
    """Drop the index."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_scheduled_job_executions_asked_slot")
