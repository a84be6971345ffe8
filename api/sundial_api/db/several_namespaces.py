"""Which executions come first over several namespaces? Each namespace has its own order in an index.

Near to an end, the namespaces that can have a row on the page are found first: of the first n rows, the n
namespaces whose own first rows come first. Further away that would read n rows of each; there Postgres merges
their orders and reads no more than the rows before the end of the page; to plan that for many takes too long.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Select,
    String,
    cast,
    func,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.sql.selectable import LateralFromClause

from sundial_api.db.tables import ScheduledJobExecution

EXECUTIONS = ScheduledJobExecution.__table__
MAX_MERGED = 64
"""Of how many namespaces the orders are merged."""
MAX_ROWS_OF_MANY = 200
"""How far from an end is near; over more namespaces no page by number lies further, a cursor goes on."""

Order = Sequence[ColumnElement[Any]]


class End(Enum):
    """From which end a list is read."""

    NEWEST = "newest"
    OLDEST = "oldest"

    def order(self, rows: FromClause) -> Order:
        """Build the order in which rows come from that end."""
        keys = (rows.c.started_at, rows.c.id)
        return [key.desc() if self is End.NEWEST else key.asc() for key in keys]


def select_first(
    namespaces: Sequence[str], where: ColumnElement[bool], end: End, offset: int, size: int
) -> Select[Any]:
    """Select the ids of the rows that come from an end, some passed over; `where` is for each namespace."""
    count = offset + size
    is_far = count > MAX_ROWS_OF_MANY and len(namespaces) <= MAX_MERGED
    rows = _merge(namespaces, where) if is_far else _gather(namespaces, where, end, count)
    return select(rows.c.id).order_by(*end.order(rows)).offset(offset).limit(size)


def _merge(namespaces: Sequence[str], where: ColumnElement[bool]) -> FromClause:
    """Put the rows of namespaces behind each other; Postgres merges what is in the same order."""
    columns = (EXECUTIONS.c.id, EXECUTIONS.c.started_at)
    parts = (select(*columns).where(EXECUTIONS.c.namespace == ns, where) for ns in namespaces)
    return union_all(*parts).subquery("merged")


def _gather(namespaces: Sequence[str], where: ColumnElement[bool], end: End, count: int) -> FromClause:
    """Take so many rows of each namespace that can have one among so many."""
    listed = cast(literal(list(namespaces), ARRAY(String)), ARRAY(String))
    names = func.unnest(listed).table_valued("namespace", name="names").render_derived()
    first = _list_of(names.c.namespace, where, end, 1)
    begun = (
        select(names.c.namespace)
        .select_from(names.join(first, true()))
        .order_by(*end.order(first))
        .limit(count)
        .subquery("begun")
    )
    rows = _list_of(begun.c.namespace, where, end, count)
    return select(rows.c.id, rows.c.started_at).select_from(begun.join(rows, true())).subquery("gathered")


def _list_of(
    namespace: ColumnElement[str], where: ColumnElement[bool], end: End, count: int
) -> LateralFromClause:
    columns = select(EXECUTIONS.c.id, EXECUTIONS.c.started_at)
    found = columns.where(EXECUTIONS.c.namespace == namespace, where)
    return found.order_by(*end.order(EXECUTIONS)).limit(count).lateral()
