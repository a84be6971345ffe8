"""Which way does Postgres take to answer a query? Read from EXPLAIN, for tests that a query has its index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import ClauseElement


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


def _walk(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _walk(inner)
