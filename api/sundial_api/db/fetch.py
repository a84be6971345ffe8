"""What does a query give? Rows by column name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, Select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


async def fetch_all(connection: AsyncConnection, query: Select[Any]) -> Sequence[RowMapping]:
    """Fetch every row."""
    rows: Sequence[RowMapping] = (await connection.execute(query)).mappings().all()
    return rows


async def fetch_first(connection: AsyncConnection, query: Select[Any]) -> RowMapping | None:
    """Fetch the first row, if there is one."""
    row: RowMapping | None = (await connection.execute(query)).mappings().first()
    return row


async def ping(engine: AsyncEngine) -> None:
    """Ask the database for nothing; raises SQLAlchemyError or OSError when it is away."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
