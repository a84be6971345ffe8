"""What does a query give? Rows by column name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection

Row = Mapping[str, Any]
"""Values by column name; plain dictionaries, which models read several times as fast as SQLAlchemy's."""


async def fetch_all(connection: AsyncConnection, query: Select[Any]) -> Sequence[Row]:
    """Fetch every row."""
    result = await connection.execute(query)
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


async def fetch_first(connection: AsyncConnection, query: Select[Any]) -> Row | None:
    """Fetch the first row, if there is one."""
    rows = await fetch_all(connection, query)
    return rows[0] if rows else None
