"""Which task functions and job types does the database have?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.conditions import Namespaces, is_in
from sundial_api.db.fetch import Row, fetch_all, fetch_first
from sundial_api.db.mirror_tables import TaskFunctionId
from sundial_api.db.tables import INLINE_FUNCTION, SchedulerJobType, TaskFunctionRow
from sundial_api.http.paging import Page

FUNCTIONS = TaskFunctionRow.__table__
IDS = TaskFunctionId.__table__
TYPES = SchedulerJobType.__table__
ALL = tuple(column.name for column in FUNCTIONS.c)


@dataclass(frozen=True, slots=True)
class FunctionFilter:
    """Which functions are wanted; None is any."""

    is_active: bool | None = None
    namespaces: Namespaces = None
    text: str | None = None
    """A part of the name, the display name or the description, in any case."""


async def list_functions(
    connection: AsyncConnection, wanted: FunctionFilter, page: Page, names: Iterable[str]
) -> Sequence[Row]:
    """List live functions by name, with the columns of these names."""
    query = (
        _select_functions([*names, "namespace", "name"])
        .where(_where(wanted))
        .order_by(FUNCTIONS.c.name, FUNCTIONS.c.id)
        .offset(page.offset)
        .limit(page.size)
    )
    return await fetch_all(connection, query)


async def count_functions(connection: AsyncConnection, wanted: FunctionFilter) -> int:
    """Count the functions that match."""
    return await connection.scalar(select(func.count()).select_from(FUNCTIONS).where(_where(wanted))) or 0


async def find_function(connection: AsyncConnection, function_id: int) -> Row | None:
    """Find a function by its number, deleted ones included."""
    return await fetch_first(connection, _select_functions().where(FUNCTIONS.c.id == function_id))


async def describe_missing(connection: AsyncConnection, function_id: int) -> Mapping[str, Any]:
    """Describe a function that jobs refer to and that never was there: by its name, not active."""
    found = await fetch_first(connection, select(IDS).where(IDS.c.id == function_id))
    ns, name = (found["namespace"], found["resource_name"]) if found else ("", "unknown")
    known = {"id": function_id, "namespace": ns, "resource_name": name, "name": name, "display_name": name}
    return known | {
        "description": "There is no such task function.",
        "handler_path": "",
        "handler_type": "container",
        "default_timeout_seconds": 300,
        "is_active": False,
        "is_system": False,
        "created_at": datetime.fromtimestamp(0, UTC),
    }


async def list_job_types(connection: AsyncConnection) -> Sequence[Row]:
    """List the kinds of schedules."""
    query = select(TYPES).where(TYPES.c.is_active).order_by(TYPES.c.id)
    return await fetch_all(connection, query)


async def find_job_type(connection: AsyncConnection, type_id: int) -> Row | None:
    """Find a kind of schedule."""
    return await fetch_first(connection, select(TYPES).where(TYPES.c.id == type_id))


def _select_functions(names: Iterable[str] = ALL) -> Select[Any]:
    """Select the columns of these names."""
    return select(*(FUNCTIONS.c[name] for name in dict.fromkeys(names)))


def _where(wanted: FunctionFilter) -> ColumnElement[bool]:
    """Leave out what is deleted, and the function that stands for templates."""
    clauses: list[ColumnElement[bool]] = [FUNCTIONS.c.deleted_at.is_(None), FUNCTIONS.c.id != INLINE_FUNCTION]
    if wanted.is_active is not None:
        clauses.append(FUNCTIONS.c.is_active.is_(wanted.is_active))
    if wanted.namespaces is not None:
        clauses.append(is_in(FUNCTIONS.c.namespace, wanted.namespaces))
    if wanted.text:
        searched = (FUNCTIONS.c.name, FUNCTIONS.c.display_name, FUNCTIONS.c.description)
        clauses.append(or_(*(column.icontains(wanted.text, autoescape=True) for column in searched)))
    return and_(*clauses)
