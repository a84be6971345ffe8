"""How did the runs of a job do? Added up by the database, of a bounded number of rows, in one query."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Select,
    and_,
    case,
    cast,
    extract,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.fetch import Row, fetch_all
from sundial_api.executions.repository import EXECUTIONS, NEWEST
from sundial_core.resources.reasons import Reason

MAX_RUNS = 50_000
"""How many of the newest runs are read at most."""
COLUMNS = ("status", "reason", "started_at", "scheduled_for", "duration_seconds", "triggered_by")
OPEN = ("pending", "running")


async def count_by_day(connection: AsyncConnection, job_id: UUID, days: Sequence[datetime]) -> Sequence[Row]:
    """Add up the newest runs by day, and in all; `days` are the instants at which they begin, oldest first.

    `day` is the number of a day from 0, and none in the row of all.
    """
    return await fetch_all(connection, select_by_day(job_id, days))


def select_by_day(job_id: UUID, days: Sequence[datetime]) -> Select[Any]:
    """Select the numbers of runs and the percentiles of each day, and of all days."""
    columns = [EXECUTIONS.c[name] for name in COLUMNS]
    where = and_(EXECUTIONS.c.job_id == job_id, EXECUTIONS.c.started_at >= days[0])
    newest = select(*columns).where(where).order_by(*NEWEST).limit(MAX_RUNS).subquery("newest")
    begins = cast(array(days), ARRAY(DateTime(timezone=True)))
    numbered = select(newest, (func.width_bucket(newest.c.started_at, begins) - 1).label("day"))
    run = numbered.subquery("run")
    unknown = run.c.reason.is_not_distinct_from(Reason.OUTCOME_UNKNOWN.value)
    is_of_slot = and_(run.c.triggered_by == "scheduler", run.c.scheduled_for.is_not(None))
    return select(
        run.c.day,
        func.count().label("runs"),
        func.min(run.c.started_at).label("oldest"),
        _count(run.c.status == "success").label("succeeded"),
        _count(and_(run.c.status == "failed", ~unknown)).label("failed"),
        _count(run.c.status == "timeout").label("timed_out"),
        _count(and_(run.c.status == "failed", unknown)).label("unknown"),
        _count(run.c.status.in_(OPEN)).label("open"),
        _find_percentiles(case((~unknown, run.c.duration_seconds))).label("durations"),
        _find_percentiles(case((is_of_slot, _lateness(run)))).label("lateness"),
    ).group_by(func.grouping_sets(tuple_(run.c.day), tuple_()))


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(condition)


def _lateness(run: Any) -> ColumnElement[float]:
    """Find the seconds from slot to start; the API server writes whole seconds, so it may look early."""
    return func.greatest(extract("epoch", run.c.started_at - run.c.scheduled_for), 0)


def _find_percentiles(seconds: ColumnElement[Any]) -> ColumnElement[Any]:
    """Find the median and the 95th of 100; what is null counts for nothing."""
    return func.percentile_cont(array([0.5, 0.95])).within_group(seconds)
