"""A number for each change of a job or an execution, in the order of their commits: event streams follow it.

The mirror's transactions take turns, so a number that is committed later is higher. The index of the big
table follows in 0002b.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("scheduled_jobs", "scheduled_job_executions")

NUMBERING = """
CREATE SEQUENCE scheduler_changes;
CREATE FUNCTION scheduler_number_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.change := nextval('scheduler_changes');
    RETURN NEW;
END $$;
"""

NUMBERED = """
ALTER TABLE {table} ADD COLUMN change bigint;
CREATE TRIGGER scheduler_number_change BEFORE INSERT OR UPDATE ON {table}
    FOR EACH ROW EXECUTE FUNCTION scheduler_number_change();
"""

PLAIN = """
DROP TRIGGER scheduler_number_change ON {table};
ALTER TABLE {table} DROP COLUMN change;
"""


def upgrade() -> None:
    """Number changes from now on; rows of before have no number until they change."""
    op.execute(NUMBERING)
    for table in TABLES:
        op.execute(NUMBERED.format(table=table))
    op.execute("CREATE INDEX ix_scheduled_jobs_change ON scheduled_jobs (change)")


def downgrade() -> None:
    """Number them no more."""
    for table in TABLES:
        op.execute(PLAIN.format(table=table))
    op.execute("DROP FUNCTION scheduler_number_change(); DROP SEQUENCE scheduler_changes;")
