"""Many jobs over many namespaces, in every state, made by the server itself: the same for the same number.

A fifth of them is in the namespace `team-0`, the others are spread over `team-1` to `team-999`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

NAMESPACES = 1_000
BIG = "team-0"

FILL = """
INSERT INTO scheduled_jobs (
    id, namespace, resource_name, name, description, task_function_id, job_type_id, schedule_config,
    suspended, paused_until, next_run_time, last_run_time, last_status, consecutive_failures, active_count,
    created_at, updated_at, deleted_at, resource_version, recent_slots
)
SELECT
    md5('job' || n)::uuid, 'team-' || CASE WHEN n % 5 = 0 THEN 0 ELSE 1 + n % 999 END, 'job-' || n,
    CASE n % 2 WHEN 0 THEN 'Nightly report ' ELSE 'backup ' END || md5('name' || n),
    'Builds the report of customer ' || n, 2 + n % 6, 1 + n % 3, '{"hour": "9", "day_of_week": "mon-fri"}',
    n % 10 = 0,
    CASE n % 100 WHEN 1 THEN timestamptz 'infinity' WHEN 2 THEN :now + interval '1 hour' END,
    CASE WHEN n % 10 <> 0 THEN
        :now + CASE n % 200 WHEN 3 THEN interval '-1 hour' ELSE n % 1440 * interval '1 minute' END
    END,
    CASE WHEN n % 7 <> 0 THEN :now - n % 100000 * interval '1 second' END,
    CASE WHEN n % 1000 = 9 THEN 'running' WHEN n % 50 = 7 THEN 'failed' WHEN n % 50 <> 8 THEN 'success' END,
    CASE n % 33 WHEN 7 THEN n % 5 + 1 ELSE 0 END, CASE n % 1000 WHEN 9 THEN 1 ELSE 0 END,
    :now - n * interval '1 minute', :now, CASE WHEN n % 20 = 19 THEN :now END, n,
    jsonb_build_array(jsonb_build_object('verdict', 'Started', 'message', repeat('x', 300)))
FROM generate_series(1, :jobs) AS n
"""


RUNS = """
INSERT INTO scheduled_job_executions (
    id, job_id, namespace, status, phase, started_at, completed_at, triggered_by, attempt
)
SELECT
    md5('run' || n)::uuid, jobs.id, jobs.namespace, status, 'Ended',
    :now - n * interval '1 second',
    CASE WHEN status <> 'running' THEN :now - n * interval '1 second' + interval '20 seconds' END,
    'scheduler', 1
FROM generate_series(CAST(1 AS bigint), :runs) AS n
CROSS JOIN LATERAL (
    SELECT CASE WHEN n % 20 = 7 THEN 'failed' WHEN n < 500 AND n % 5 = 1 THEN 'running' ELSE 'success' END
) AS ends (status)
JOIN scheduled_jobs jobs ON jobs.id = md5('job' || (1 + n * 7919 % :jobs))::uuid
"""


def fill_runs(connection: Connection, jobs: int, runs: int, now: datetime) -> None:
    """Give so many jobs that are there so many runs, a second apart, and commit."""
    connection.execute(text("SET statement_timeout = 0"))
    connection.execute(text(RUNS), {"jobs": jobs, "runs": runs, "now": now})
    connection.commit()
    connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))


def fill_jobs(connection: Connection, jobs: int, now: datetime) -> None:
    """Fill the table of an empty database and commit; one in twenty jobs is deleted."""
    connection.execute(text("SET statement_timeout = 0"))
    # VACUUM marks no page as visible to all whose commit may not be on the disk yet
    connection.execute(text("SET synchronous_commit = on"))
    connection.execute(text(FILL), {"jobs": jobs, "now": now})
    connection.commit()
    connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE scheduled_jobs"))
