"""How many slots passed unseen: exactly those that the status had decided and no row tells of."""

from __future__ import annotations

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.mirror_rows import entry, full_status, job, mirror, read, schedule
from testkit.scheduled_jobs import at, build_job_item

from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.projection.versions import Version
from sundial_api.mirror.storage import gaps
from sundial_clock.instants import format_instant
from sundial_core.resources.raw import JsonObject


@pytest.fixture
def connection(async_connection: AsyncConnection) -> AsyncConnection:
    """Give a connection whose transaction is rolled back."""
    return async_connection


async def close(connection: AsyncConnection, jobs: int = 1000) -> int:
    return await gaps.close_gaps(connection, Version(1, jobs))


async def test_slots_that_passed_unseen_become_one_row(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(10, status=full_status(1, 20)))
    assert await close(connection) == 0
    await mirror(connection, schedule(11, status=full_status(101, 120)))
    assert await close(connection) == 1
    assert await read(connection, "scheduler_slots", "count, verdict", "verdict = 'NotMirrored'") == [
        (80, "NotMirrored")
    ]
    assert await read(connection, "scheduler_slots", "sum(count)") == [120]


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
