"""The database of an original installation: its tables as its models make them, and rows for them.

Times without an offset are Cairo's, as the original writes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid5

import psycopg

FAMILY = UUID("3f0c2f0e-50f5-4b8e-b1a6-3a7f5a7f8f11")
SCHEMA = """
CREATE TABLE users (id uuid PRIMARY KEY);
CREATE TABLE task_functions (
    id serial PRIMARY KEY, name varchar(100) NOT NULL UNIQUE, display_name varchar(200) NOT NULL,
    description varchar(500), handler_path varchar(500) NOT NULL, handler_type varchar(20) NOT NULL,
    queue varchar(50), default_timeout_seconds integer NOT NULL DEFAULT 300,
    is_active boolean NOT NULL DEFAULT true, is_system boolean NOT NULL DEFAULT false,
    created_at timestamp NOT NULL DEFAULT localtimestamp, updated_at timestamp NOT NULL DEFAULT localtimestamp
);
CREATE INDEX ix_task_functions_name ON task_functions (name);
CREATE INDEX ix_task_functions_is_active ON task_functions (is_active);
CREATE TABLE scheduler_job_types (
    id serial PRIMARY KEY, name varchar(50) NOT NULL UNIQUE, display_name varchar(100) NOT NULL,
    description varchar(500), is_active boolean NOT NULL DEFAULT true
);
INSERT INTO scheduler_job_types (id, name, display_name)
    VALUES (1, 'interval', 'Interval'), (2, 'cron', 'Cron');
CREATE TABLE scheduled_jobs (
    id uuid PRIMARY KEY, name varchar(200) NOT NULL, description varchar(1000),
    task_function_id integer NOT NULL REFERENCES task_functions (id),
    job_type_id integer NOT NULL REFERENCES scheduler_job_types (id),
    schedule_config json, task_args json, max_instances integer NOT NULL DEFAULT 1,
    timeout_seconds integer NOT NULL DEFAULT 300, retry_count integer NOT NULL DEFAULT 3,
    retry_delay_seconds integer NOT NULL DEFAULT 60, is_enabled boolean NOT NULL DEFAULT true,
    is_paused boolean NOT NULL DEFAULT false, next_run_time timestamp, last_run_time timestamp,
    last_status varchar(20), created_by uuid REFERENCES users (id), updated_by uuid REFERENCES users (id),
    created_at timestamp NOT NULL DEFAULT localtimestamp, updated_at timestamp NOT NULL DEFAULT localtimestamp
);
CREATE INDEX ix_scheduled_jobs_is_enabled ON scheduled_jobs (is_enabled);
CREATE INDEX ix_scheduled_jobs_next_run_time ON scheduled_jobs (next_run_time);
CREATE INDEX ix_scheduled_jobs_task_function_id ON scheduled_jobs (task_function_id);
CREATE TABLE scheduler_instances (
    id uuid PRIMARY KEY, hostname varchar(255) NOT NULL, pid integer NOT NULL,
    is_leader boolean NOT NULL DEFAULT false, leader_since timestamp, last_heartbeat timestamp NOT NULL,
    started_at timestamp NOT NULL DEFAULT localtimestamp, version varchar(50) NOT NULL DEFAULT '1.0'
);
CREATE INDEX ix_scheduler_instances_is_leader ON scheduler_instances (is_leader);
CREATE INDEX ix_scheduler_instances_last_heartbeat ON scheduler_instances (last_heartbeat);
CREATE TABLE scheduled_job_executions (
    id uuid PRIMARY KEY, job_id uuid NOT NULL REFERENCES scheduled_jobs (id), celery_task_id varchar(100),
    status varchar(20) NOT NULL, started_at timestamp NOT NULL DEFAULT localtimestamp, completed_at timestamp,
    duration_seconds double precision, result json, error_message varchar(2000), error_traceback text,
    triggered_by varchar(50) NOT NULL, triggered_by_user_id uuid REFERENCES users (id),
    scheduler_instance_id uuid REFERENCES scheduler_instances (id)
);
CREATE INDEX ix_scheduled_job_executions_job_id ON scheduled_job_executions (job_id);
CREATE INDEX ix_scheduled_job_executions_status ON scheduled_job_executions (status);
CREATE INDEX ix_scheduled_job_executions_started_at ON scheduled_job_executions (started_at);
"""
LOOSE = """
ALTER TABLE scheduled_job_executions DROP CONSTRAINT scheduled_job_executions_job_id_fkey;
ALTER TABLE scheduled_job_executions ALTER status DROP NOT NULL, ALTER started_at DROP NOT NULL,
    ALTER triggered_by DROP NOT NULL;
"""
"""What somebody did to the tables who forced rows into them that the models refuse."""

FUNCTIONS = """
INSERT INTO task_functions (name, display_name, handler_path, handler_type, queue, default_timeout_seconds,
    is_system) VALUES
('sync_domain_users', 'Domain User Sync', 'tasks.ad_sync_tasks.sync_domain_users_task', 'celery_task',
    'ad_queue', 600, true),
('cleanup_tokens', 'تنظيف الرموز', 'services.auth_service.cleanup', 'async_function', NULL, 300, false)
"""
MANY_JOBS = """
INSERT INTO scheduled_jobs (id, name, task_function_id, job_type_id, schedule_config, task_args, is_enabled,
    next_run_time)
SELECT md5('original job' || n)::uuid, 'Report of customer ' || n, 1 + n % 2, 1 + n % 2,
    CASE n % 2 WHEN 0 THEN json_build_object('hours', 0, 'minutes', 5 + n % 50, 'seconds', 0)
    ELSE json_build_object('hour', (n % 24)::text, 'minute', n % 60, 'day_of_week', 'mon-fri') END,
    json_build_object('customer', n), n % 10 <> 0, timestamp '2026-01-01 09:00:00' + n * interval '1 second'
FROM generate_series(1, {jobs}) AS n
"""
MANY_EXECUTIONS = """
INSERT INTO scheduled_job_executions (id, job_id, celery_task_id, status, started_at, completed_at,
    duration_seconds, result, error_message, error_traceback, triggered_by)
SELECT md5('original execution' || n)::uuid, md5('original job' || 1 + n % {jobs})::uuid,
    md5('task' || n), CASE WHEN n % 20 = 0 THEN 'failed' WHEN n % 97 = 0 THEN 'timeout' ELSE 'success' END,
    began, began + 30 * interval '1 second', 30,
    CASE WHEN n % 20 <> 0 THEN json_build_object('rows', n, 'file', 'report-' || n || '.csv') END,
    CASE n % 20 WHEN 0 THEN 'ValueError: line ' || n || ' cannot be read' END,
    CASE n % 20 WHEN 0 THEN repeat('  File "tasks/reports.py", line 42, in build' || chr(10), 12) END,
    CASE n % 50 WHEN 0 THEN 'manual' ELSE 'scheduler' END
FROM (
    SELECT n, (now() AT TIME ZONE 'Africa/Cairo') - interval '1 hour' - n * interval '5 seconds' AS began
    FROM generate_series(1, {executions}) AS n
) AS numbered
"""


def original_id(number: int) -> UUID:
    """Return a UUID that is the same for the same number."""
    return uuid5(FAMILY, str(number))


class OriginalInstallation:
    """The original's database, to be filled."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.change(SCHEMA)
        self.change(FUNCTIONS)

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection[Any]]:
        """Connect to it; committed in the end."""
        with psycopg.connect(self.url) as connection:
            yield connection

    def change(self, statement: str, **values: Any) -> None:
        """Change what is in it."""
        with self.connect() as connection:
            connection.execute(statement.encode(), values or None)

    def loosen(self) -> None:
        """Drop the constraints that odd rows would break."""
        self.change(LOOSE)

    def add_job(self, number: int, config: Any, **changes: Any) -> str:
        """Add a job, an interval unless `job_type_id` says otherwise; returns its id."""
        row = {
            "id": original_id(number),
            "name": f"Job {number}",
            "task_function_id": 1,
            "job_type_id": 1,
            "schedule_config": json.dumps(config),
        } | changes
        self._insert("scheduled_jobs", row)
        return str(row["id"])

    def add_execution(self, number: int, job_id: str, **changes: Any) -> str:
        """Add an execution, a success of 30 s an hour ago; returns its id."""
        row = {"id": original_id(1_000_000 + number), "job_id": job_id, "status": "success"}
        row |= {"triggered_by": "scheduler"} | changes
        self._insert("scheduled_job_executions", row)
        if "started_at" not in changes:
            began = "(now() AT TIME ZONE 'Africa/Cairo') - interval '1 hour'"
            times = f"started_at = {began}, completed_at = {began} + interval '30 seconds'"
            self.change(f"UPDATE scheduled_job_executions SET {times} WHERE id = '{row['id']}'")
        return str(row["id"])

    def add_instance(self, seconds_ago: float) -> None:
        """Add a scheduler whose last heartbeat was so long ago."""
        beat = f"(now() AT TIME ZONE 'Africa/Cairo') - interval '{seconds_ago} seconds'"
        self.change(
            "INSERT INTO scheduler_instances (id, hostname, pid, last_heartbeat)"
            f" VALUES ('{original_id(0)}', 'old-host', 1, {beat})"
        )

    def fill(self, jobs: int, executions: int) -> None:
        """Add many jobs and executions."""
        self.change(MANY_JOBS.format(jobs=jobs))
        self.change(MANY_EXECUTIONS.format(jobs=jobs, executions=executions))

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        places = ", ".join(f"%({name})s" for name in row)
        self.change(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", **row)
