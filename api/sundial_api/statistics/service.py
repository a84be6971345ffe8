"""How did the runs of a job do in the last days? Days are those of a zone, clock changes included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.fetch import Row
from sundial_api.http.errors import Invalid
from sundial_api.statistics import repository
from sundial_api.statistics.schemas import (
    DayStatistics,
    JobStatistics,
    Percentiles,
    RunStatistics,
    StatisticsQuery,
)
from sundial_clock.errors import ScheduleError
from sundial_clock.zones import load_zone

Numbers = Row | Mapping[str, Any]
NUMBERS = ("runs", "succeeded", "failed", "timed_out", "unknown", "open")
NONE: Mapping[str, Any] = dict.fromkeys(NUMBERS, 0) | {"durations": None, "lateness": None}
"""What a day without a run has."""


async def describe_runs(
    connection: AsyncConnection, job: Row, query: StatisticsQuery, now: datetime
) -> JobStatistics:
    """Tell how the runs of a job did; raises Invalid for a zone that there is none of."""
    name = query.time_zone or job["time_zone"]
    days = list_days(find_zone(name), query.days, now)
    begins = [begin.astimezone(UTC) for begin in days]
    found = {row["day"]: row for row in await repository.count_by_day(connection, job["id"], begins)}
    complete_since = find_complete_since(job["history_floor"], found.get(None), begins[0])
    by_day = [(day.date(), found.get(number, NONE)) for number, day in enumerate(days)]
    return JobStatistics(
        job_id=job["id"],
        time_zone=name,
        since=begins[0],
        until=now,
        is_complete=complete_since <= begins[0],
        complete_since=complete_since,
        total=RunStatistics(**describe(found.get(None, NONE))),
        days=[DayStatistics(day=day, **describe(row)) for day, row in by_day],
    )


def find_zone(name: str) -> ZoneInfo:
    """Find a zone; raises Invalid."""
    try:
        return load_zone(name)
    except ScheduleError as error:
        raise Invalid(("query", "time_zone"), error.sentence) from None


def list_days(zone: ZoneInfo, count: int, now: datetime) -> Sequence[datetime]:
    """List the instants at which days begin in a zone, today last."""
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return [today - timedelta(days=ago) for ago in range(count - 1, -1, -1)]


def find_complete_since(floor: datetime | None, total: Numbers | None, since: datetime) -> datetime:
    """Find from when on all runs are counted: none was deleted, or left out as too many."""
    is_cut = total is not None and total["runs"] >= repository.MAX_RUNS
    known = [since, floor, total["oldest"] if is_cut and total is not None else None]
    return max(instant for instant in known if instant is not None)


def describe(row: Numbers) -> dict[str, Any]:
    """Describe some runs as the answer has them."""
    ended = row["succeeded"] + row["failed"] + row["timed_out"]
    return {name: row[name] for name in NUMBERS} | {
        "success_rate": row["succeeded"] / ended if ended else None,
        "duration_seconds": _show(row["durations"]),
        "lateness_seconds": _show(row["lateness"]),
    }


def _show(percentiles: Sequence[float] | None) -> Percentiles:
    p50, p95 = percentiles or (None, None)
    return Percentiles(p50=p50, p95=p95)
