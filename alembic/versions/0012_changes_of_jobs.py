"""The log of what was changed of jobs, and what was known of them last."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables; the log begins with the first change that is seen after this."""
    op.execute(
        "CREATE TABLE scheduled_job_changes ("
        " id uuid NOT NULL CONSTRAINT pk_scheduled_job_changes PRIMARY KEY,"
        " job_id uuid NOT NULL,"
        " namespace varchar(63) NOT NULL,"
        " kind varchar(20) NOT NULL CONSTRAINT ck_scheduled_job_changes_kind"
        "  CHECK (kind IN ('created', 'changed', 'deleted')),"
        " seen_at timestamptz NOT NULL,"
        " changed_at timestamptz,"
        " manager varchar(128),"
        " user_id uuid,"
        " user_name varchar(253),"
        " client_address varchar(45),"
        " generation bigint NOT NULL DEFAULT 0,"
        " change_count bigint NOT NULL DEFAULT 1 CONSTRAINT ck_scheduled_job_changes_change_count"
        "  CHECK (change_count > 0),"
        " fields jsonb NOT NULL DEFAULT '[]',"
        " from_version bigint NOT NULL DEFAULT 0,"
        " version bigint NOT NULL DEFAULT 0,"
        " epoch integer NOT NULL DEFAULT 1)"
    )
    op.execute(
        "CREATE INDEX ix_scheduled_job_changes_job_id"
        " ON scheduled_job_changes (job_id, seen_at DESC, id DESC)"
    )
    op.execute("CREATE INDEX ix_scheduled_job_changes_seen_at ON scheduled_job_changes (seen_at)")
    op.execute(
        "CREATE TABLE scheduler_job_states ("
        " job_id uuid NOT NULL CONSTRAINT pk_scheduler_job_states PRIMARY KEY,"
        " state jsonb NOT NULL)"
    )


def downgrade() -> None:
    """Drop both tables."""
    op.execute("DROP TABLE scheduler_job_states")
    op.execute("DROP TABLE scheduled_job_changes")
