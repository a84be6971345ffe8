"""Many jobs and executions, made by the server itself: the same for the same numbers, and fast for millions.

Executions are a second apart, numbered from the newest; only some of the newest 2,000 have not ended. Jobs
are busy to different degrees: the first has one execution in the square root of the number of jobs. They
are spread over namespaces; the last job alone is in `tiny`, with 30 executions from the newest to the oldest.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

TINY, TINY_RUNS = "tiny", 30
TABLE = "scheduled_job_executions"
JOBS = """
INSERT INTO scheduled_jobs (
    id, namespace, resource_name, name, description, task_function_id, job_type_id, schedule_config,
    suspended, paused_until, next_run_time, created_at, updated_at, resource_version
)
SELECT
    md5('job' || n)::uuid, CASE n WHEN :jobs THEN 'tiny' ELSE 'team-' || n % :teams END, 'job-' || n,
    'Nightly report ' || n,
    'Builds the report of customer ' || n, 2 + n % 6, 1 + n % 3, '{"hour": "9", "day_of_week": "mon-fri"}',
    n % 10 = 0,
    CASE WHEN n % 20 = 1 THEN timestamptz 'infinity' END, :until + n * interval '1 second',
    :until - n * interval '1 hour', :until, n
FROM generate_series(1, :jobs) AS n
"""
EXECUTIONS = """
INSERT INTO scheduled_job_executions (
    id, job_id, namespace, celery_task_id, status, phase, reason, scheduled_for, started_at, completed_at,
    result, error_message, error_traceback, triggered_by, attempt, attempts, job_name, pod_name, node,
    exit_code, job_resource_version, pod_resource_version
)
SELECT
    md5('execution' || n)::uuid, md5('job' || job)::uuid,
    CASE job WHEN :jobs THEN 'tiny' ELSE 'team-' || job % :teams END, md5('execution' || n), status, phase,
    CASE status WHEN 'failed' THEN 'Error' WHEN 'timeout' THEN 'DeadlineExceeded' END, started, started,
    CASE WHEN status NOT IN ('running', 'pending') THEN started + (1 + n % 90) * interval '1 second' END,
    CASE status WHEN 'success' THEN json_build_object('rows', n, 'file', 'report-' || n || '.csv') END,
    CASE WHEN status IN ('failed', 'timeout') THEN 'ValueError: line ' || n || ' cannot be read' END,
    CASE status WHEN 'failed' THEN repeat('  File "tasks/reports.py", line 42, in build' || chr(10), 12) END,
    CASE n % 20 WHEN 0 THEN 'manual' ELSE 'scheduler' END, 1,
    jsonb_build_array(jsonb_build_object(
        'attempt', 1,
        'job', jsonb_build_object(
            'name', 'job-' || job || '-abcdefghij', 'created_at', started, 'phase', phase
        ),
        'pod', jsonb_build_object('name', 'job-' || job || '-abcdefghij-x7k2p', 'node', 'node-' || n % 50)
    )),
    'job-' || job || '-abcdefghij', 'job-' || job || '-abcdefghij-x7k2p', 'node-' || n % 50, 0, n, n
FROM (
    SELECT
        n, :until - n * interval '1 second' AS started,
        CASE
            WHEN n % :stride = 0 THEN :jobs
            ELSE 1 + floor((:jobs - 1) * (((n * 2654435761) % 4294967296) / 4294967296.0) ^ 2)::bigint
        END AS job,
        CASE
            WHEN n % 1000 >= 15 THEN CASE WHEN n % 1000 < 70 THEN 'failed' ELSE 'success' END
            WHEN n <= 2000 THEN CASE n % 3 WHEN 0 THEN 'pending' ELSE 'running' END
            ELSE 'timeout'
        END AS status,
        CASE
            WHEN n % 1000 >= 15 THEN CASE WHEN n % 1000 < 70 THEN 'Failed' ELSE 'Succeeded' END
            WHEN n <= 2000 THEN 'Running'
            ELSE 'TimedOut'
        END AS phase
    FROM generate_series(CAST(1 AS bigint), :executions) AS n
) AS numbered
"""
COUNTS = """
INSERT INTO scheduler_execution_counts (job_id, status, namespace, count)
SELECT job_id, status, namespace, count(*) FROM scheduled_job_executions GROUP BY job_id, status, namespace
"""


def job_id(number: int) -> UUID:
    """Return the id of a generated job, from 1, the busiest."""
    return UUID(hashlib.md5(f"job{number}".encode()).hexdigest())


def execution_id(number: int) -> UUID:
    """Return the id of a generated execution, from 1, the newest."""
    return UUID(hashlib.md5(f"execution{number}".encode()).hexdigest())


def generate(
    connection: Connection, jobs: int, executions: int, until: datetime, namespaces: int = 1_000
) -> None:
    """Fill the tables of an empty database and commit; indexes and totals are made afterwards, at once."""
    numbers = {"jobs": jobs, "executions": executions, "until": until}
    numbers |= {"teams": namespaces - 1, "stride": max(executions // TINY_RUNS, 1)}
    connection.execute(text("SET statement_timeout = 0"))
    connection.execute(text(JOBS), numbers)
    indexes = _drop_indexes(connection)
    connection.execute(text(f"ALTER TABLE {TABLE} DISABLE TRIGGER USER"))
    connection.execute(text(EXECUTIONS), numbers)
    connection.execute(text(f"ALTER TABLE {TABLE} ENABLE TRIGGER USER"))
    for index in indexes:
        connection.execute(text(index))
    connection.execute(text(COUNTS))
    connection.commit()
    connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))


def _drop_indexes(connection: Connection) -> list[str]:
    """Drop the indexes of the executions, the primary key's excepted; returns how to make them again."""
    found = f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename = '{TABLE}' AND indexname LIKE 'ix%'"
    rows = connection.execute(text(found)).all()
    for name, _ in rows:
        connection.execute(text(f"DROP INDEX {name}"))
    return [definition for _, definition in rows]
