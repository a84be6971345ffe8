"""What every connection of the API is limited by, and what its errors do not tell."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.wires import lay_database_wire

from sundial_api.db import patience
from sundial_api.db.engine import UnusableUrl, build_engine, parse_url
from sundial_api.http.accounts import on_behalf_of
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.polling import until_async
from sundial_kube.deadline import within


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("statement_timeout", "4s"),
        ("lock_timeout", "3s"),
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
    assert shown == ["pg_catalog", "3s"]


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


@pytest.mark.parametrize("is_connected", [True, False], ids=["connected", "not yet"])
async def test_a_frozen_database_is_waited_for_until_the_deadline(
    fresh_database: str,
    is_connected: bool,  # noqa: FBT001
) -> None:
    with lay_database_wire(fresh_database) as (wire, url):
        engine = build_engine(DatabaseSettings(database_url=url))
        if is_connected:
            assert await _ask(engine) == 1
        wire.freeze()
        with within(0.3), pytest.raises(DBAPIError, match="did not answer in time"):
            await asyncio.wait_for(_ask(engine), 20)
        wire.clear()
        assert await _ask(engine) == 1
        await engine.dispose()


async def test_a_statement_under_way_ends_with_the_deadline_too(fresh_engine: AsyncEngine) -> None:
    with within(0.3), pytest.raises(DBAPIError, match="did not answer in time"):
        async with fresh_engine.connect() as connection:
            await connection.execute(text("SELECT pg_sleep(3)"))
    assert fresh_engine.pool.checkedout() == 0


async def test_nobody_waits_for_a_free_connection_beyond_the_deadline(fresh_database: str) -> None:
    settings = DatabaseSettings(
        database_url=fresh_database, database_connections=1, database_connect_seconds=60
    )
    engine = build_engine(settings)
    async with engine.connect():
        with within(0.2), pytest.raises(PoolTimeout):
            await asyncio.wait_for(_ask(engine), 20)
    await engine.dispose()


async def test_without_a_deadline_a_frozen_database_is_given_up_too(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LONGEST_SECONDS", 0.3)
    with lay_database_wire(fresh_database) as (wire, url):
        engine = build_engine(DatabaseSettings(database_url=url))
        async with engine.connect() as connection:
            wire.freeze()
            with pytest.raises(DBAPIError, match="did not answer in time"):
                await connection.execute(text("SELECT 1"))
        wire.clear()
        await engine.dispose()


async def test_a_connection_that_gave_no_answer_in_time_costs_no_other_one(fresh_database: str) -> None:
    engine = build_engine(DatabaseSettings(database_url=fresh_database, database_connections=2))
    pid = text("SELECT pg_backend_pid()")
    async with engine.connect() as one, engine.connect() as other:
        known = await other.scalar(pid)
        with within(0.2), pytest.raises(DBAPIError, match="did not answer in time"):
            await one.execute(text("SELECT pg_sleep(20)"))
    async with engine.connect() as one, engine.connect() as other:
        assert known in [await one.scalar(pid), await other.scalar(pid)]
    await engine.dispose()


async def test_an_account_has_half_the_connections(fresh_database: str) -> None:
    engine = build_engine(DatabaseSettings(database_url=fresh_database, database_connections=4))

    async def hold(account: str | None, until: asyncio.Event) -> None:
        with on_behalf_of(account) if account else nullcontext():
            async with engine.begin() as connection:
                await connection.execute(text("SELECT 1"))
                taken.append(account)
                await until.wait()

    taken: list[str | None] = []
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for account in ("greedy", "greedy", "greedy"):
            group.create_task(hold(account, over))
        await until_async(lambda: is_so(len(taken) == 2))
        with on_behalf_of("greedy"), within(0.2), pytest.raises(PoolTimeout, match="of an account"):
            await engine.begin().__aenter__()
        group.create_task(hold("modest", over))
        group.create_task(hold(None, over))
        await until_async(lambda: is_so(len(taken) == 4))
        assert (taken[:2], {*taken[2:]}) == (["greedy", "greedy"], {"modest", None})
        over.set()
    assert taken[4:] == ["greedy"]
    await engine.dispose()


async def is_so(value: bool) -> bool:  # noqa: FBT001
    return value
