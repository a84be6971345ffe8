"""What the ids of events begin with, and up to which change deleted jobs are forgotten."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

LOG = """
CREATE TABLE scheduler_event_log (
    id integer NOT NULL DEFAULT 1,
    log_id uuid NOT NULL DEFAULT gen_random_uuid(),
    forgotten_until bigint NOT NULL DEFAULT 0,
    CONSTRAINT pk_scheduler_event_log PRIMARY KEY (id),
    CONSTRAINT ck_scheduler_event_log_single CHECK (id = 1)
);
INSERT INTO scheduler_event_log DEFAULT VALUES;
"""

FORGETTING = """
CREATE FUNCTION scheduler_forget_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE scheduler_event_log
    SET forgotten_until = greatest(forgotten_until, (SELECT max(change) FROM gone));
    RETURN NULL;
END $$;
CREATE TRIGGER scheduler_forget_jobs AFTER DELETE ON scheduled_jobs
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION scheduler_forget_jobs();
"""


def upgrade() -> None:
    """Give the log its id, and note what is deleted from now on."""
    op.execute(LOG)
    op.execute(FORGETTING)


def downgrade() -> None:
    """Forget the id: another one is made by the next upgrade."""
    op.execute("DROP TRIGGER scheduler_forget_jobs ON scheduled_jobs; DROP FUNCTION scheduler_forget_jobs()")
    op.execute("DROP TABLE scheduler_event_log")
