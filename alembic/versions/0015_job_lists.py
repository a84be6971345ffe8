"""Who looks after a job, why it is paused, and lists of jobs in other orders and of one namespace."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE scheduled_jobs
    ADD COLUMN pause_reason varchar(300),
    ADD COLUMN managed_by json,
    ADD COLUMN projection smallint NOT NULL DEFAULT 0
"""

INDEXES = {
    "live_next_run": "(coalesce(next_run_time, 'infinity'::timestamptz), id)",
    "live_name": "(lower(name), id)",
    "live_last_run": "(coalesce(last_run_time, '-infinity'::timestamptz) DESC, id DESC)",
    "live_failing": "(consecutive_failures DESC, created_at DESC, id DESC)",
    "live_namespace": (
        "(namespace, created_at DESC, id DESC)"
        " INCLUDE (suspended, paused_until, next_run_time, last_status, consecutive_failures, active_count)"
    ),
    "gone_namespace": "(namespace)",
}

COVERED = "ix_scheduled_jobs_namespace_newest"
"""live_namespace begins with the same columns."""


def upgrade() -> None:
    """Add them; rows of before are written again when the new release lists their objects."""
    op.execute(COLUMNS)
    for name, what in INDEXES.items():
        rows = "deleted_at IS NULL" if name.startswith("live") else "deleted_at IS NOT NULL"
        op.execute(f"CREATE INDEX ix_scheduled_jobs_{name} ON scheduled_jobs {what} WHERE {rows}")
    op.execute(f"DROP INDEX {COVERED}")


def downgrade() -> None:
    """Drop them, and make again what they cover."""
    op.execute(
        f"CREATE INDEX {COVERED} ON scheduled_jobs (namespace, created_at DESC, id DESC)"
        " WHERE deleted_at IS NULL"
    )
    for name in INDEXES:
        op.execute(f"DROP INDEX ix_scheduled_jobs_{name}")
    op.execute(
        "ALTER TABLE scheduled_jobs DROP COLUMN pause_reason, DROP COLUMN managed_by, DROP COLUMN projection"
    )
