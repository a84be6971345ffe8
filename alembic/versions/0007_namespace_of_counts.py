"""Each counter of executions is to say of which namespace they are; lists of jobs of one have their index."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty: the previous release counts on without it, and 0008 fills it."""
    op.execute("ALTER TABLE scheduler_execution_counts ADD COLUMN namespace varchar(63) NOT NULL DEFAULT ''")
    op.execute(
        "CREATE INDEX ix_scheduled_jobs_namespace_newest"
        " ON scheduled_jobs (namespace, created_at DESC, id DESC) WHERE deleted_at IS NULL"
    )


def downgrade() -> None:
    """Drop the column and the index."""
    op.execute("DROP INDEX ix_scheduled_jobs_namespace_newest")
    op.execute("ALTER TABLE scheduler_execution_counts DROP COLUMN namespace")
