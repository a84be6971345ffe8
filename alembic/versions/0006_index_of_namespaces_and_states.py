"""Lists of one namespace and state have their index."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NAME = "ix_scheduled_job_executions_namespace_status"


def upgrade() -> None:
    """Make the index; what a broken-off migration left of it is not valid."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
        op.execute(
            f"CREATE INDEX CONCURRENTLY {NAME}"
            " ON scheduled_job_executions (namespace, status, started_at DESC, id DESC)"
        )


def downgrade() -> None:
    """Drop the index."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
