"""Which way does Postgres take to answer a query, and how much does it read? By EXPLAIN, for tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, Executable, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import ClauseElement

JsonObject = Mapping[str, Any]
Sent = tuple[str, Any]
"""A statement and its values."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a plan is made of: its kinds of steps, and the indexes that they read."""

    steps: frozenset[str]
    indexes: frozenset[str]


def read_plan(connection: Connection, statement: Executable) -> Plan:
    """Return the plan that Postgres chooses for a statement with its values."""
    assert isinstance(statement, ClauseElement)
    compiled = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}").scalar_one()
    nodes = list(_walk(explained[0]["Plan"]))
    indexes = frozenset(node["Index Name"] for node in nodes if "Index Name" in node)
    return Plan(frozenset(node["Node Type"] for node in nodes), indexes)


@dataclass(frozen=True, slots=True)
class MeasuredPlan(Plan):
    """A plan after it was run, with the blocks of 8 KiB that it looked at, in memory or not."""

    blocks: int


def measure_plan(connection: Connection, statement: Executable) -> MeasuredPlan:
    """Run a statement with its values; returns its plan."""
    assert isinstance(statement, ClauseElement)
    compiled = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    how = "ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF, FORMAT JSON"
    top = connection.exec_driver_sql(f"EXPLAIN ({how}) {compiled}").scalar_one()[0]["Plan"]
    nodes = list(_walk(top))
    indexes = frozenset(node["Index Name"] for node in nodes if "Index Name" in node)
    blocks = top["Shared Hit Blocks"] + top["Shared Read Blocks"]
    return MeasuredPlan(frozenset(node["Node Type"] for node in nodes), indexes, blocks)


@contextmanager
def note_statements(engine: Engine) -> Iterator[list[Sent]]:
    """Note each statement that an engine sends, with its values."""
    noted: list[Sent] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, _x: Any, _many: bool) -> None:  # noqa: FBT001
        noted.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    yield noted
    event.remove(engine, "before_cursor_execute", note)


def count_read(connection: psycopg.Connection[Any], sent: Sent) -> Counter[str]:
    """Run a statement once more, and count how many rows it read of each table, those thrown away included.

    The connection needs `cursor_factory=psycopg.ClientCursor`: EXPLAIN takes no values from elsewhere.
    """
    statement, values = sent
    explain = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}"
    row = connection.execute(explain.encode(), values).fetchone()
    assert row
    read: Counter[str] = Counter()
    for node in _walk(row[0][0]["Plan"]):
        table = node.get("Relation Name") or _find_table(connection, node)
        if table:
            read[table] += _count_rows(node)
    return read


def _find_table(connection: psycopg.Connection[Any], node: JsonObject) -> str | None:
    """Find the table of a step that reads nothing but an index."""
    if "Index Name" not in node:
        return None
    found = "SELECT tablename FROM pg_indexes WHERE indexname = %s"
    row = connection.execute(found, [node["Index Name"]]).fetchone()
    return row and str(row[0])


def _count_rows(node: JsonObject) -> int:
    kinds = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return sum(round(node.get(kind, 0)) for kind in kinds) * round(node["Actual Loops"])


def _walk(node: JsonObject) -> Iterator[JsonObject]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _walk(inner)
