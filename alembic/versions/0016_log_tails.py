"""What is kept of the logs of attempts that failed."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; it stays empty until SUNDIAL_API_LOG_TAIL_BYTES is set."""
    op.execute(
        "CREATE TABLE scheduled_job_log_tails ("
        " execution_id uuid NOT NULL,"
        " attempt integer NOT NULL,"
        " pod_uid varchar(253) NOT NULL,"
        " job_id uuid NOT NULL,"
        " namespace varchar(63) NOT NULL,"
        " ended_at timestamptz NOT NULL,"
        " wanted_at timestamptz NOT NULL,"
        " due_at timestamptz,"
        " tries smallint NOT NULL DEFAULT 0,"
        " read_at timestamptz,"
        " container varchar(63),"
        " log_text text,"
        " is_cut boolean NOT NULL DEFAULT false,"
        " CONSTRAINT pk_scheduled_job_log_tails PRIMARY KEY (execution_id, attempt, pod_uid),"
        " CONSTRAINT ck_scheduled_job_log_tails_log_text"
        "  CHECK (log_text IS NULL OR (due_at IS NULL AND container IS NOT NULL)))"
    )
    op.execute(
        "CREATE INDEX ix_scheduled_job_log_tails_job_id ON scheduled_job_log_tails (job_id, ended_at DESC)"
    )
    op.execute("CREATE INDEX ix_scheduled_job_log_tails_wanted_at ON scheduled_job_log_tails (wanted_at)")
    op.execute(
        "CREATE INDEX ix_scheduled_job_log_tails_due"
        " ON scheduled_job_log_tails (due_at, namespace) WHERE due_at IS NOT NULL"
    )


def downgrade() -> None:
    """Drop it, and all that is kept of logs."""
    op.execute("DROP TABLE scheduled_job_log_tails")
