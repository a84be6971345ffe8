"""What is read of the original's database? In one read-only session; history by a cursor of the server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import class_row

from sundial_api.importing.original.rows import (
    OriginalExecution,
    OriginalFunction,
    OriginalInstance,
    OriginalJob,
)

OPTIONS = (
    "-c default_transaction_read_only=on -c timezone=UTC -c datestyle=ISO"
    " -c statement_timeout=0 -c idle_in_transaction_session_timeout=0"
)
CONNECT_SECONDS = 10

FUNCTIONS: LiteralString = """
SELECT id::text, name::text, display_name::text, description::text, handler_path::text, handler_type::text,
    queue::text, default_timeout_seconds::text, is_active::text, is_system::text
FROM task_functions ORDER BY id
"""
JOBS: LiteralString = """
SELECT job.id::text, job.name::text, job.description::text, job.task_function_id::text,
    kind.name::text AS job_type, left(job.schedule_config::text, 65537) AS schedule_config,
    left(job.task_args::text, 65537) AS task_args, job.max_instances::text, job.timeout_seconds::text,
    job.retry_count::text, job.retry_delay_seconds::text, job.is_enabled::text, job.is_paused::text,
    job.next_run_time::text
FROM scheduled_jobs job LEFT JOIN scheduler_job_types kind ON kind.id = job.job_type_id
ORDER BY job.name, job.id
"""
EXECUTIONS: LiteralString = """
SELECT id::text, job_id::text, left(celery_task_id::text, 101) AS celery_task_id, status::text,
    started_at::text, completed_at::text, duration_seconds::text, left(result::text, 65537) AS result,
    left(error_message, 4000) AS error_message, left(error_traceback, 65536) AS error_traceback,
    triggered_by::text, triggered_by_user_id::text, scheduler_instance_id::text
FROM scheduled_job_executions
"""
INSTANCES: LiteralString = "SELECT hostname::text, last_heartbeat::text FROM scheduler_instances"
COUNT: LiteralString = "SELECT count(*) FROM scheduled_job_executions"
MISSING: LiteralString = """
SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(quote_ident(name)) IS NULL
"""
IS_OURS: LiteralString = "SELECT to_regclass('scheduler_mirror_state') IS NOT NULL"
TABLES = (
    "task_functions",
    "scheduler_job_types",
    "scheduled_jobs",
    "scheduled_job_executions",
    "scheduler_instances",
)
BATCH = 1_000

Value = TypeVar("Value")


class NotTheOriginal(Exception):
    """The database is not that of an original installation; the text says what is not there."""


@asynccontextmanager
async def open_original(url: str) -> AsyncIterator[Original]:
    """Connect to the original's database, and see that it is one; raises NotTheOriginal and psycopg.Error."""
    connection = await psycopg.AsyncConnection.connect(
        url, options=OPTIONS, connect_timeout=CONNECT_SECONDS, application_name="sundial-import"
    )
    async with connection:
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        original = Original(connection)
        await original.check()
        yield original


class Original:
    """The original's tables as they were when the first of them was read."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def check(self) -> None:
        """Check that the five tables are there; raises NotTheOriginal."""
        if await self._read_one(IS_OURS):
            raise NotTheOriginal("SUNDIAL_IMPORT_DATABASE_URL is Sundial's own database; give the original's")
        found = await self._connection.execute(MISSING, [list(TABLES)])
        missing = [name for (name,) in await found.fetchall()]
        if missing:
            raise NotTheOriginal(f"SUNDIAL_IMPORT_DATABASE_URL has no table {', '.join(missing)}")

    async def read_functions(self) -> Sequence[OriginalFunction]:
        """Read all task functions."""
        return await self._read_all(OriginalFunction, FUNCTIONS)

    async def read_jobs(self) -> Sequence[OriginalJob]:
        """Read all jobs."""
        return await self._read_all(OriginalJob, JOBS)

    async def read_instances(self) -> Sequence[OriginalInstance]:
        """Read the schedulers that have announced themselves."""
        return await self._read_all(OriginalInstance, INSTANCES)

    async def count_executions(self) -> int:
        """Count the rows of history."""
        return int(await self._read_one(COUNT))

    async def list_executions(self) -> AsyncIterator[Sequence[OriginalExecution]]:
        """Give the history batch by batch, however long it is."""
        cursor = self._connection.cursor("history", row_factory=class_row(OriginalExecution))
        async with cursor:
            await cursor.execute(EXECUTIONS)
            while batch := await cursor.fetchmany(BATCH):
                yield batch

    async def _read_all(self, kind: type[Value], query: LiteralString) -> Sequence[Value]:
        cursor = self._connection.cursor(row_factory=class_row(kind))
        return await (await cursor.execute(query)).fetchall()

    async def _read_one(self, query: LiteralString) -> Any:
        row = await (await self._connection.execute(query)).fetchone()
        return row[0] if row else None
