"""How many slots passed unseen: exactly those that the status had decided and no row tells of."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from testkit.mirror_rows import entry, full_status, job, mirror, read, schedule
from testkit.mirror_sessions import EPOCH, Session
from testkit.scheduled_jobs import UID, at, build_job_item

from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.projection.versions import Version
from sundial_api.mirror.storage import gaps
from sundial_api.mirror.storage import statements as sql
from sundial_clock.instants import format_instant
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject


@pytest.fixture
def connection(async_connection: AsyncConnection) -> AsyncConnection:
    """Give a connection whose transaction is rolled back."""
    return async_connection


async def close(connection: AsyncConnection, jobs: int = 1000) -> int:
    ids = await gaps.list_closable(connection, Version(1, jobs), sql.FIRST_ID)
    return await gaps.close_gaps(connection, ids)


async def test_slots_that_passed_unseen_become_one_row(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(10, status=full_status(1, 20)))
    assert await close(connection) == 0
    await mirror(connection, schedule(11, status=full_status(101, 120)))
    assert await close(connection) == 1
    assert await read(connection, "scheduler_slots", "count, verdict", "verdict = 'NotMirrored'") == [
        (80, "NotMirrored")
    ]
    assert await read(connection, "scheduler_slots", "sum(count)") == [120]


async def test_a_run_of_long_ago_at_the_end_of_a_list_hides_no_gap(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(10, status=full_status(1, 20)))
    status = full_status(101, 120)
    run = {"runId": names.build_run_id(UID, at(-9_999_999)), "trigger": "backfill"}
    asked = entry(-9_999_999, verdict="Started", startedAt=format_instant(at(100.5))) | run
    status["recentSlots"] = [*status["recentSlots"][:19], asked]
    await mirror(connection, schedule(11, status=status))
    assert await close(connection) == 1
    assert await read(connection, "scheduler_slots", "count", "verdict = 'NotMirrored'") == [81]


async def test_jobs_that_are_still_there_are_no_gap(connection: AsyncConnection) -> None:
    of_status = {"recentSlots": full_status(20, 21)["recentSlots"], "cursor": format_instant(at(39))}
    counters = {"counters": {"verdicts": {"started": 1, "skipped": {"AlreadyActive": 20}}}}
    await mirror(connection, schedule(10, status=of_status | counters), job("Complete"))
    assert await close(connection) == 0


async def test_a_run_that_no_status_tells_of_yet_fills_no_gap(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(10, status=full_status(1, 20)))
    ahead = build_job_item(121, "Complete", version=12)
    await mirror(connection, schedule(11, status=full_status(101, 120)), (ObjectKind.JOB, ahead))
    assert await close(connection) == 1
    assert await read(connection, "scheduler_slots", "sum(count)") == [120]


async def test_a_run_that_still_waited_fills_no_gap(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(10, status=full_status(1, 20)))
    queued = {"queued": [{"slot": format_instant(at(90)), "since": format_instant(at(90)), "reason": "x"}]}
    started = build_job_item(90, version=12)
    await mirror(connection, schedule(11, status=full_status(101, 120) | queued), (ObjectKind.JOB, started))
    assert await close(connection) == 1
    assert await read(connection, "scheduler_slots", "sum(count)") == [120]


async def test_a_gap_waits_for_the_jobs_of_its_time(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(10, status=full_status(1, 20)))
    await mirror(connection, schedule(11, status=full_status(101, 120)))
    await mirror(connection, schedule(12, status=full_status(102, 121)))
    assert await close(connection, jobs=10) == 0
    await mirror(connection, (ObjectKind.JOB, build_job_item(50, "Complete", version=9)))
    assert await close(connection, jobs=11) == 1
    assert await read(connection, "scheduler_slots", "sum(count)") == [120]


async def test_a_slot_that_waited_before_a_gap_is_a_part_of_it(connection: AsyncConnection) -> None:
    queued = {"queued": [{"slot": format_instant(at(19)), "since": format_instant(at(19)), "reason": "x"}]}
    before = full_status(1, 20)
    before["recentSlots"] = [one for one in before["recentSlots"] if one["slot"] != format_instant(at(19))]
    before["counters"]["verdicts"]["skipped"]["AlreadyActive"] = 19
    await mirror(connection, schedule(10, status=before | queued))
    started = build_job_item(19, "Complete", version=12)
    await mirror(connection, schedule(11, status=full_status(101, 120)), (ObjectKind.JOB, started))
    assert await close(connection) == 1
    assert await read(connection, "scheduler_slots", "sum(count)") == [119]
    assert await read(connection, "scheduled_job_executions", "count(*)") == [1]


async def test_a_slot_that_waits_through_one_gap_is_not_counted_in_the_next(
    connection: AsyncConnection,
) -> None:
    queued = {"queued": [{"slot": format_instant(at(90)), "since": format_instant(at(90)), "reason": "x"}]}
    await mirror(connection, schedule(10, status=full_status(1, 20)))
    await mirror(connection, schedule(11, status=full_status(101, 119) | queued))
    assert await close(connection) == 1
    started = build_job_item(90, "Complete", version=12)
    await mirror(connection, schedule(13, status=full_status(201, 220)), (ObjectKind.JOB, started))
    assert await close(connection) == 1
    assert await read(connection, "scheduler_slots", "sum(count)") == [219]
    assert await read(connection, "scheduled_job_executions", "count(*)") == [1]


async def test_a_slot_that_waited_and_of_which_nothing_tells_is_a_gap(connection: AsyncConnection) -> None:
    queued = {"queued": [{"slot": format_instant(at(3)), "since": format_instant(at(3)), "reason": "x"}]}
    before = full_status(4, 20)
    await mirror(connection, schedule(10, status=before | queued))
    assert await close(connection) == 0
    await mirror(connection, schedule(11, status=full_status(5, 22)))
    assert await close(connection) == 1
    assert await read(connection, "scheduler_slots", "sum(count)") == [22]


async def test_of_a_row_of_slots_that_has_grown_only_the_new_ones_count(connection: AsyncConnection) -> None:
    def build_row(last: int) -> JsonObject:
        span = {"from": format_instant(at(19)), "to": format_instant(at(last)), "count": last - 18}
        return span | {"verdict": "Skipped", "reason": "AlreadyActive"}

    queued = {"queued": [{"slot": format_instant(at(3)), "since": format_instant(at(3)), "reason": "x"}]}
    before = full_status(1, 19) | {"cursor": format_instant(at(20))}
    before["recentSlots"] = [build_row(20), *(entry(slot) for slot in range(18, 0, -1) if slot != 3)]
    await mirror(connection, schedule(10, status=before | queued))
    assert await close(connection) == 0
    after = full_status(21, 40) | {"cursor": format_instant(at(40))}
    after["recentSlots"] = [*(entry(slot) for slot in range(40, 21, -1)), build_row(21)]
    await mirror(connection, schedule(11, status=after))
    assert await close(connection) == 1
    assert await read(connection, "scheduler_slots", "sum(count)") == [40]


REFUSING = 60
"""More jobs whose gap the database refuses than are taken at once."""
REFUSE = f"""
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'not this one' USING ERRCODE = '22000'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON scheduler_slots FOR EACH ROW
WHEN (NEW.verdict = 'NotMirrored' AND NEW.job_id < '{UUID(int=REFUSING + 1)}') EXECUTE FUNCTION refuse()
"""


async def test_gaps_that_cannot_be_closed_hold_no_others(fresh_engine: AsyncEngine) -> None:
    ids = [str(UUID(int=number)) for number in range(1, REFUSING + 3)]
    async with fresh_engine.connect() as connection:
        await connection.execute(text(REFUSE))
        for version, status in ((10, full_status(1, 20)), (11, full_status(101, 120))):
            jobs = [schedule(version, uid=uid, name=f"tick-{uid[-4:]}", status=status) for uid in ids]
            await mirror(connection, *jobs)
        await connection.commit()
        session = Session(connection)
        session.rows.marks[ObjectKind.JOB] = 1000
        for _ in range(3):
            await session.rows.close_gaps(EPOCH)
        closed = await read(connection, "scheduler_slots", "job_id", "verdict = 'NotMirrored'")
        assert [str(job_id) for job_id in closed] == ids[REFUSING:]


async def test_a_job_has_a_bounded_number_of_slots(
    fresh_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaps, "MAX_SLOTS", 4)
    async with fresh_engine.connect() as connection:
        for version in range(5):
            entries = [entry(10 * version + slot) for slot in (5, 3, 1)]
            for uid in (UID, str(UUID(int=7))):
                job = schedule(10 + version, uid=uid, name=uid[-4:], status={"recentSlots": entries})
                await mirror(connection, job)
        left = await read(connection, "scheduler_slots", "first_slot, job_id")
    assert sorted({first for first, _ in left}) == [at(slot) for slot in (35, 41, 43, 45)]
    assert len(left) == 8
