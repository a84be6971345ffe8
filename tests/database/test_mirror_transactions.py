"""The mirror's transactions follow each other; a database that went back takes none, and begins an epoch."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from testkit.mirror_facts import build_schedule_item
from testkit.mirror_sessions import Session

from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.row_writer import is_refusal
from sundial_api.mirror.storage.transactions import DatabaseRestored, MirrorTransactions, StepLost

JOBS = "SELECT count(*) FROM scheduled_jobs"
STATE = "SELECT step, epoch, highest_resource_version FROM scheduler_mirror_state"
LOG_ID = "SELECT log_id FROM scheduler_event_log"


async def read(connection: AsyncConnection, query: str) -> Any:
    async with connection.begin():
        row = (await connection.execute(text(query))).one()
    return tuple(row) if len(row) > 1 else row[0]


async def change(connection: AsyncConnection, statement: str) -> None:
    async with connection.begin():
        await connection.execute(text(statement))


async def test_each_transaction_is_a_step(fresh_engine: AsyncEngine) -> None:
    async with fresh_engine.connect() as connection:
        transactions = MirrorTransactions(connection)
        await transactions.enter()
        for _ in range(3):
            async with transactions.begin():
                pass
        assert (transactions.step, (await read(connection, STATE))[0]) == (3, 3)
        again = MirrorTransactions(connection)
        await again.enter()
        again.compare(3)
        async with again.begin():
            pass
        assert (await read(connection, STATE))[0] == 4


async def test_one_that_fails_is_none(fresh_engine: AsyncEngine) -> None:
    async with fresh_engine.connect() as connection:
        transactions = MirrorTransactions(connection)
        with pytest.raises(KeyError):
            async with transactions.begin():
                raise KeyError
        assert (transactions.step, (await read(connection, STATE))[0]) == (0, 0)


@pytest.mark.parametrize(
    ("left", "error"),
    [pytest.param(4, DatabaseRestored, id="back"), pytest.param(6, StepLost, id="by somebody else")],
)
async def test_what_was_written_into_another_past_is_not_committed(
    fresh_engine: AsyncEngine, left: int, error: type[Exception]
) -> None:
    async with fresh_engine.connect() as connection:
        session = Session(connection)
        session.transactions.step = 5
        await change(connection, f"UPDATE scheduler_mirror_state SET step = {left}")
        session.feed.sinks[ObjectKind.SCHEDULED_JOB].put(build_schedule_item())
        with pytest.raises(StepLost) as raised:
            await session.rows.write(session.feed)
        assert raised.type is error
        assert await read(connection, JOBS) == 0
        assert await read(connection, "SELECT count(*) FROM scheduler_quarantine") == 0


async def test_who_takes_over_is_behind_all_steps_and_begins_an_epoch_and_a_log(
    fresh_engine: AsyncEngine,
) -> None:
    async with fresh_engine.connect() as connection:
        await change(connection, "UPDATE scheduler_mirror_state SET step = 7, highest_resource_version = 9")
        log_id = await read(connection, LOG_ID)
        transactions = MirrorTransactions(connection)
        await transactions.enter()
        transactions.compare(7)
        with pytest.raises(DatabaseRestored):
            transactions.compare(20)
        assert await transactions.take_over() == 2
        assert (transactions.step, await read(connection, STATE)) == (21, (21, 2, 0))
        assert await read(connection, LOG_ID) != log_id


async def test_a_cluster_that_went_back_begins_a_log_too(fresh_engine: AsyncEngine) -> None:
    async with fresh_engine.connect() as connection:
        log_id = await read(connection, LOG_ID)
        assert await MirrorTransactions(connection).begin_epoch() == 2
        assert await read(connection, STATE) == (1, 2, 0)
        assert await read(connection, LOG_ID) != log_id


@pytest.mark.parametrize("error", [DatabaseRestored(), StepLost()])
def test_no_object_is_to_blame(error: StepLost) -> None:
    assert not is_refusal(error)
