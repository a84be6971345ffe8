"""Results that their messages had no room for, as they are read from logs."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; the previous release writes rows of the purpose that was the only one."""
    op.execute(
        "ALTER TABLE scheduled_job_log_tails"
        " ADD COLUMN purpose varchar(20) NOT NULL DEFAULT 'tail', ADD COLUMN result json"
    )


def downgrade() -> None:
    """Drop them, with the results; what was wanted for them is not read as the end of a log."""
    op.execute("DELETE FROM scheduled_job_log_tails WHERE purpose <> 'tail'")
    op.execute("ALTER TABLE scheduled_job_log_tails DROP COLUMN purpose, DROP COLUMN result")
