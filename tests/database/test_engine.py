"""What every connection of the API is limited by, and what its errors do not tell."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from sundial_api.db.engine import UnusableUrl, build_engine, parse_url
from sundial_api.settings import DatabaseSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("statement_timeout", "10s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("TimeZone", "UTC"),
        ("application_name", "sundial-api"),
    ],
)
async def test_a_connection_is_limited(fresh_engine: AsyncEngine, name: str, value: str) -> None:
    async with fresh_engine.connect() as connection:
        assert await connection.scalar(text(f"SHOW {name}")) == value


async def test_options_in_the_url_hold_beside_ours(fresh_database: str) -> None:
    url = f"{fresh_database}&options=-csearch_path%3Dpg_catalog"
    engine = build_engine(DatabaseSettings(database_url=url))
    async with engine.connect() as connection:
        shown = [await connection.scalar(text(f"SHOW {name}")) for name in ("search_path", "lock_timeout")]
    await engine.dispose()
    assert shown == ["pg_catalog", "5s"]


async def test_a_statement_that_takes_too_long_is_ended(fresh_database: str) -> None:
    engine = build_engine(DatabaseSettings(database_url=fresh_database, statement_seconds=0.1))
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError, match="statement timeout"):
            await connection.execute(text("SELECT pg_sleep(20)"))
    await engine.dispose()


async def test_the_pool_is_bounded(fresh_database: str) -> None:
    settings = DatabaseSettings(
        database_url=fresh_database, database_connections=1, database_connect_seconds=1
    )
    engine = build_engine(settings)
    async with engine.connect():
        with pytest.raises(PoolTimeout):
            await engine.connect()
    await engine.dispose()


async def test_a_connection_that_the_server_ended_is_not_handed_out(fresh_engine: AsyncEngine) -> None:
    async with fresh_engine.connect() as second:
        async with fresh_engine.connect() as first:
            pid = await first.scalar(text("SELECT pg_backend_pid()"))
        await second.execute(text(f"SELECT pg_terminate_backend({pid}, 1000)"))
    answers = await asyncio.gather(*(_ask(fresh_engine) for _ in range(3)))
    assert answers == [1, 1, 1]


async def _ask(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(text("SELECT 1")) or 0)


async def test_an_error_does_not_show_the_values(fresh_engine: AsyncEngine) -> None:
    async with fresh_engine.connect() as connection:
        with pytest.raises(DBAPIError, match="division by zero") as caught:
            await connection.execute(text("SELECT CAST(:value AS text), 1 / 0"), {"value": "s3cret"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["postgres://a@b/c", "postgresql://a@b/c", "postgresql+psycopg://a@b/c"],
    ids=["old", "plain", "full"],
)
def test_every_form_of_the_url_means_the_same_driver(text: str) -> None:
    assert parse_url(text).drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    "text", ["", "sqlite://", "postgresql+asyncpg://b/c"], ids=["empty", "sqlite", "asyncpg"]
)
def test_another_url_is_refused(text: str) -> None:
    with pytest.raises(UnusableUrl):
        parse_url(text)
