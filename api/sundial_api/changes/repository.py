"""Which changes of a job does the database have? Newest first, from one index; at most a thousand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.fetch import Row, fetch_all
from sundial_api.db.mirror_tables import ScheduledJobChange
from sundial_api.db.tables import ScheduledJobRow
from sundial_api.http.paging import Page, Position

CHANGES = ScheduledJobChange.__table__


async def find_namespace(connection: AsyncConnection, job_id: UUID) -> str | None:
    """Find the namespace of a job, of a deleted one too."""
    query = select(ScheduledJobRow.namespace).where(ScheduledJobRow.id == job_id)
    found: str | None = await connection.scalar(query)
    return found


async def count_changes(connection: AsyncConnection, job_id: UUID) -> int:
    """Count the changes of a job."""
    return await connection.scalar(select(func.count()).where(CHANGES.c.job_id == job_id)) or 0


async def list_page(connection: AsyncConnection, job_id: UUID, page: Page) -> Sequence[Row]:
    """List a page, newest first."""
    return await fetch_all(connection, select_changes(job_id).offset(page.offset).limit(page.size))


async def list_after(
    connection: AsyncConnection, job_id: UUID, position: Position, size: int
) -> Sequence[Row]:
    """List what follows a position, newest first."""
    here = tuple_(CHANGES.c.seen_at, CHANGES.c.id) < (position.instant, position.id)
    return await fetch_all(connection, select_changes(job_id).where(here).limit(size))


def select_changes(job_id: UUID) -> Select[Any]:
    """Select the changes of a job, newest first."""
    query = select(CHANGES).where(CHANGES.c.job_id == job_id)
    return query.order_by(CHANGES.c.seen_at.desc(), CHANGES.c.id.desc())
