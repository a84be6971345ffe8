"""How do values get into and out of statements? Rows as one JSON document, answers as mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection

Row = Mapping[str, Any]
Name = tuple[str, str]
"""A namespace and the name of an object in it."""


async def read_rows(connection: AsyncConnection, statement: TextClause, **values: Any) -> list[Row]:
    """Read all rows of a statement."""
    return [*(await connection.execute(statement, values)).mappings()]


def to_row(value: Any) -> dict[str, Any]:
    """Turn a row value into its columns."""
    return {name: getattr(value, name) for name in value.__slots__}


def dump(rows: Any) -> str:
    """Write rows as the JSON document that a statement takes."""
    return orjson.dumps(rows).decode()
