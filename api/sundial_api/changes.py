"""What has changed since? Jobs and executions in the order of their commits, as server-sent events.

One reader a process asks the database, however many callers listen; a caller that comes back names the last
event it has seen and misses nothing that the rows still show: of several changes of one row the last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel
from sqlalchemy import RowMapping, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sundial_api.db.rows import fetch_all
from sundial_api.db.tables import ScheduledJob, ScheduledJobExecution
from sundial_api.deps import Asking, find_parts
from sundial_api.executions.schemas import ScheduledJobExecutionRead
from sundial_api.jobs.repository import select_jobs
from sundial_api.jobs.schemas import ScheduledJobRead
from sundial_api.paging import NamespaceName
from sundial_api.wire import Instant
from sundial_kube.resources import SCHEDULED_JOBS

log = structlog.get_logger()

JOBS = ScheduledJob.__table__
EXECUTIONS = ScheduledJobExecution.__table__

PERIOD_SECONDS = 0.5
"""How often the database is asked while somebody listens."""
MOST_AT_ONCE = 500


class ChangedJob(ScheduledJobRead):
    """A job after a change; one that was deleted says when."""

    deleted_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A row after a change, with the number of that change."""

    number: int
    ns: str
    event: str
    data: ChangedJob | ScheduledJobExecutionRead


class Newest:
    """Knows the number of the newest change, asked for once for all listeners."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._changed = asyncio.Condition()
        self.number = 0

    async def run(self) -> None:
        """Ask for ever; while the database is away nothing is new."""
        while True:
            with suppress(SQLAlchemyError):
                number = await self._read()
                async with self._changed:
                    self.number = number
                    self._changed.notify_all()
            await asyncio.sleep(PERIOD_SECONDS)

    async def pass_by(self, number: int) -> None:
        """Wait until there is a newer change than that."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.number > number)

    async def _read(self) -> int:
        async with self._engine.connect() as connection:
            return await find_newest(connection)


async def find_newest(connection: AsyncConnection) -> int:
    """Find the number of the newest change; 0 where there is none."""
    newest = [select(func.max(table.c.change)).scalar_subquery() for table in (JOBS, EXECUTIONS)]
    return int(await connection.scalar(select(func.greatest(*newest, 0))) or 0)


async def list_changes(connection: AsyncConnection, after: int, ns: str | None) -> list[Change]:
    """List what has changed after a number, in order, at most so many as are read at once."""
    jobs = await fetch_all(
        connection, select_jobs().where(JOBS.c.change > after).order_by(JOBS.c.change).limit(MOST_AT_ONCE)
    )
    runs = await fetch_all(
        connection,
        select(EXECUTIONS)
        .where(EXECUTIONS.c.change > after)
        .order_by(EXECUTIONS.c.change)
        .limit(MOST_AT_ONCE),
    )
    limit = min(_find_end(jobs), _find_end(runs))
    found = [Change(r["change"], r["namespace"], "job", ChangedJob.model_validate(r)) for r in jobs]
    found += [
        Change(r["change"], r["namespace"], "execution", ScheduledJobExecutionRead.model_validate(r))
        for r in runs
    ]
    ordered = sorted((one for one in found if one.number <= limit), key=lambda one: one.number)
    return [one for one in ordered if ns is None or one.ns == ns]


def _find_end(rows: Sequence[RowMapping]) -> float:
    """Find up to which number a list is complete."""
    return rows[-1]["change"] if len(rows) == MOST_AT_ONCE else float("inf")


class ChangeQuery(BaseModel):
    """Whose changes are wanted."""

    namespace: NamespaceName = None


router = APIRouter(tags=["events"])


async def find_beginning(
    request: Request,
    visitor: Asking,
    query: Annotated[ChangeQuery, Query()],
    last_event_id: Annotated[
        int | None, Header(ge=0, lt=2**63, description="The last event that was seen.")
    ] = None,
) -> int:
    """Find after which change a caller listens; what refuses does so here, before the answer begins."""
    await visitor.require("list", SCHEDULED_JOBS, query.namespace)
    if last_event_id is not None:
        return last_event_id
    async with find_parts(request).engine.connect() as connection:
        return await find_newest(connection)


@router.get("/events", response_class=EventSourceResponse)
async def stream_changes(
    request: Request,
    query: Annotated[ChangeQuery, Query()],
    number: Annotated[int, Depends(find_beginning)],
) -> AsyncIterator[ServerSentEvent]:
    """Follow changed jobs and executions (`event: job` and `event: execution`)."""
    parts = find_parts(request)
    while True:
        async with parts.engine.connect() as connection:
            changes = await list_changes(connection, number, query.namespace)
        for change in changes:
            yield ServerSentEvent(data=change.data, event=change.event, id=str(change.number))
        newest = parts.newest.number
        number = max([number, *(change.number for change in changes)])
        if not changes:
            number = max(number, newest)
            await parts.newest.pass_by(number)
