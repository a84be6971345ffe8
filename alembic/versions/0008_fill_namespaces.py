"""Say of each counter of executions of which namespace they are: that of any execution of its job.

A counter of a job without executions is 0, and goes. A thousand counters a transaction, in the
turn of those who write executions; a migration that broke off goes on.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOST = 1000
TURN = 0x53_75_6E_4D_69_72_77
FILL = f"""
DO $$ BEGIN
    PERFORM pg_advisory_xact_lock({TURN});
    WITH empty AS MATERIALIZED (
        SELECT job_id, status, (
            SELECT namespace FROM scheduled_job_executions AS run WHERE run.job_id = total.job_id LIMIT 1
        ) AS run_namespace
        FROM scheduler_execution_counts AS total WHERE namespace = '' LIMIT {MOST}
    ), gone AS (
        DELETE FROM scheduler_execution_counts AS total USING empty
        WHERE empty.job_id = total.job_id AND empty.status = total.status AND run_namespace IS NULL
    )
    UPDATE scheduler_execution_counts AS total SET namespace = run_namespace FROM empty
    WHERE empty.job_id = total.job_id AND empty.status = total.status AND run_namespace IS NOT NULL;
END $$
"""


def upgrade() -> None:
    """Fill until all are filled; the few that come behind us are left to 0009."""
    with op.get_context().autocommit_block():
        count = "SELECT count(*) FROM scheduler_execution_counts WHERE namespace = ''"
        left: int = op.get_bind().exec_driver_sql(count).scalar_one()
        for _ in range(0, left, MOST):
            op.execute(FILL)


def downgrade() -> None:
    """Leave them: the column is dropped next."""
