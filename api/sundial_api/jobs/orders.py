"""In which orders can jobs be listed, and where did a page end?

An order is by values that are never null, the last of them the id: each has an index, and no two jobs are
at one place. A cursor tells the values at which a page ended as the database writes them, and their order.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    String,
    Uuid,
    cast,
    func,
    literal,
    literal_column,
    tuple_,
)
from sqlalchemy.types import TypeEngine

from sundial_api.db.fetch import Row
from sundial_api.db.tables import ScheduledJobRow
from sundial_api.http.errors import Invalid
from sundial_api.http.paging import Position, parse_cursor, write_cursor
from sundial_clock.instants import format_instant
from sundial_clock.sentences import say

JOBS = ScheduledJobRow.__table__
MAX_CURSOR_CHARS = 4000
"""What the longest name takes, with all of it escaped."""
NO_CURSOR = say(
    "is not a cursor of this list in this order; take nextCursor of the page before, with its sort"
)


class JobSort(StrEnum):
    """An order of jobs."""

    NEWEST = "newest"
    NEXT_RUN = "next_run"
    NAME = "name"
    LAST_RUN = "last_run"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class SortValue:
    """A value that jobs are ordered by, its type, and what a text of a cursor must be for it."""

    column: ColumnElement[Any]
    type: TypeEngine[Any]
    check: Callable[[str], object]
    """Raises ValueError."""

    def bind(self, given: str) -> ColumnElement[Any]:
        """Build the value that a cursor tells."""
        return cast(literal(given, String), self.type)


@dataclass(frozen=True, slots=True)
class JobOrder:
    """An order of jobs by values, all of them rising or all falling."""

    values: tuple[SortValue, ...]
    is_falling: bool

    def list_clauses(self) -> list[ColumnElement[Any]]:
        """List what a query is to be ordered by."""
        return [value.column.desc() if self.is_falling else value.column for value in self.values]

    def show_place(self) -> ColumnElement[Any]:
        """Select the place of a job: its values, as a list of texts."""
        shown = [cast(value.column, String) for value in self.values]
        return func.json_build_array(*shown).label("place")

    def is_after(self, place: list[str]) -> ColumnElement[bool]:
        """Select what comes after a place."""
        here = tuple_(*(value.column for value in self.values))
        there = tuple_(*(value.bind(given) for value, given in zip(self.values, place, strict=True)))
        return here < there if self.is_falling else here > there

    def check_place(self, place: Any) -> list[str]:
        """Check a place that a caller names; raises ValueError."""
        if not isinstance(place, list) or len(place) != len(self.values):
            raise ValueError("another number of values")
        for value, given in zip(self.values, place, strict=True):
            value.check(given)
        return place


def _check_instant(given: str) -> None:
    if given in ("infinity", "-infinity"):
        return
    if datetime.fromisoformat(given).utcoffset() != UTC.utcoffset(None):
        raise ValueError("is not in UTC")


def _check_count(given: str) -> None:
    if not -(2**63) <= int(given) < 2**63 or str(int(given)) != given:
        raise ValueError("is not a count")


def _check_text(given: str) -> None:
    if "\x00" in given:
        raise ValueError("has a NUL")


def _instant(column: ColumnElement[Any]) -> SortValue:
    return SortValue(column, DateTime(timezone=True), _check_instant)


def _or(column: ColumnElement[Any], instant: str) -> ColumnElement[Any]:
    """Build what an index has of a column: null stands at an end."""
    return func.coalesce(column, literal_column(f"'{instant}'::timestamptz"))


_ID = SortValue(JOBS.c.id, Uuid(), UUID)
_CREATED = _instant(JOBS.c.created_at)
NEXT_RUN = _or(JOBS.c.next_run_time, "infinity")
ORDERS: Mapping[JobSort, JobOrder] = {
    JobSort.NEWEST: JobOrder((_CREATED, _ID), is_falling=True),
    JobSort.NEXT_RUN: JobOrder((_instant(NEXT_RUN), _ID), is_falling=False),
    JobSort.NAME: JobOrder(
        (SortValue(func.lower(JOBS.c.name), String(), _check_text), _ID), is_falling=False
    ),
    JobSort.LAST_RUN: JobOrder((_instant(_or(JOBS.c.last_run_time, "-infinity")), _ID), is_falling=True),
    JobSort.FAILING: JobOrder(
        (SortValue(JOBS.c.consecutive_failures, BigInteger(), _check_count), _CREATED, _ID), is_falling=True
    ),
}


@dataclass(frozen=True, slots=True)
class JobPlace:
    """A place in an order: where a page ended."""

    sort: JobSort
    values: list[str]

    def is_before(self) -> ColumnElement[bool]:
        """Select what comes after it."""
        return ORDERS[self.sort].is_after(self.values)


def write_place(sort: JobSort, row: Row) -> str:
    """Write the place of a job in an order as an opaque text; that of newest first is as it always was."""
    if sort is JobSort.NEWEST:
        created_at, job_id = row["place"]
        return write_cursor(Position(datetime.fromisoformat(created_at), UUID(job_id)))
    return base64.urlsafe_b64encode(orjson.dumps([sort, *row["place"]])).decode().rstrip("=")


def parse_place(sort: JobSort, cursor: str | None) -> JobPlace | None:
    """Read a cursor of an order; raises Invalid when it is not one, or one of another order."""
    if cursor is None:
        return None
    if sort is JobSort.NEWEST:
        position = parse_cursor(cursor)
        return JobPlace(sort, [format_instant(position.instant), str(position.id)]) if position else None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not isinstance(found, list) or not all(isinstance(value, str) for value in found):
            raise ValueError("no list of texts")
        if found[:1] != [sort]:
            raise ValueError("another order")
        return JobPlace(sort, ORDERS[sort].check_place(found[1:]))
    except (ValueError, binascii.Error):
        raise Invalid(("query", "cursor"), NO_CURSOR) from None
