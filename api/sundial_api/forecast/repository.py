"""Which jobs may start something soon? Read a few hundred at a time, with their schedules as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Text, case, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.conditions import Namespaces, is_in
from sundial_api.jobs.repository import JOBS, LIVE

MAX_JOBS = 20_000
"""How many jobs are looked at, those that run next first."""
ROWS_AT_ONCE = 200
"""How many rows are decoded in one turn of the event loop."""


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """When a job runs, as the mirror stored it.

    `schedule` is spec.schedule in JSON; where a row does not have that yet, `config` is the scheduleConfig.
    """

    id: UUID
    name: str
    namespace: str
    resource_name: str
    etag: str
    created_at: datetime
    paused_until: datetime | None
    schedule: str | None
    config: str | None
    job_type_id: int
    time_zone: str


async def list_schedules(
    connection: AsyncConnection, namespaces: Namespaces, until: datetime
) -> Sequence[StoredSchedule]:
    """List the jobs that are enabled at some time before an instant; at most one more than MAX_JOBS."""
    found: list[StoredSchedule] = []
    async with connection.stream(select_schedules(namespaces, until)) as result:
        async for rows in result.partitions(ROWS_AT_ONCE):
            found += [StoredSchedule(*row) for row in rows]
    return found


def select_schedules(namespaces: Namespaces, until: datetime) -> Select[Any]:
    """Select live jobs that are neither suspended nor refused; one that is paused must go on in time."""
    c = JOBS.c
    text = cast(c.schedule, Text)
    config = case((c.schedule.is_(None), cast(c.schedule_config, Text)))
    named = (c.id, c.name, c.namespace, c.resource_name, c.etag, c.created_at, c.paused_until)
    query = select(*named, text, config, c.job_type_id, c.time_zone).where(
        LIVE,
        ~c.suspended,
        or_(c.paused_until.is_(None), c.paused_until < until),
        c.is_ready.is_distinct_from(False),
    )
    if namespaces is not None:
        query = query.where(is_in(c.namespace, namespaces))
    return query.order_by(c.next_run_time.asc().nulls_last(), c.id).limit(MAX_JOBS + 1)
