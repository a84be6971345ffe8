"""Rows of the mirror in a real Postgres: guards, tombstones, names, gaps, what the database refuses."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.mirror_facts import (
    ASKED_ID,
    RUN_ID,
    build_pod_item,
    build_run_item,
    build_schedule_item,
    build_termination,
)
from testkit.mirror_rows import NOW, entry, full_status, job, mirror, read, schedule
from testkit.scheduled_jobs import (
    UID,
    at,
    build_item,
    build_job_item,
)

from sundial_api.mirror.projection.batches import (
    Absence,
    ObjectKind,
    parse_object,
    sort_values,
)
from sundial_api.mirror.projection.versions import Version
from sundial_api.mirror.storage import apply
from sundial_api.mirror.storage.own_writes import take_answers, take_deletion
from sundial_api.mirror.storage.tombstones import (
    Missing,
    list_missing,
    needs_second_list,
    write_tombstones,
)
from sundial_clock.instants import format_instant
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject

OTHER = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def connection(async_connection: AsyncConnection) -> AsyncConnection:
    """Give a connection whose transaction is rolled back."""
    return async_connection


def function(version: int = 5, name: str = "reports", **spec: Any) -> tuple[ObjectKind, JsonObject]:
    item = build_item({"handler": {"container": {}}} | spec)
    uid = {"reports": UID}.get(name, OTHER)
    item["metadata"] |= {"uid": uid, "name": name, "resourceVersion": str(version)}
    return ObjectKind.TASK_FUNCTION, item


def started(second: float, **more: Any) -> JsonObject:
    run = names.build_run_id(UID, at(second))
    return entry(second, verdict="Started", runId=run, startedAt=format_instant(at(second))) | more


async def test_a_schedule_becomes_a_row(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(paused="true"))
    assert await read(
        connection, "scheduled_jobs", "name, task_function_id, timeout_seconds, is_enabled, is_paused"
    ) == [("tick", 1, 300, False, True)]


@pytest.mark.parametrize("order", [[10, 12, 11], [12, 10, 11], [11, 12, 10]], ids=str)
async def test_the_newest_version_stays(connection: AsyncConnection, order: list[int]) -> None:
    for version in order:
        await mirror(connection, schedule(version, spec_description=f"v{version}"))
    assert await read(connection, "scheduled_jobs", "description") == ["v12"]


async def test_versions_are_compared_as_numbers(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(100, spec_description="new"))
    await mirror(connection, schedule(99, spec_description="old"))
    assert await read(connection, "scheduled_jobs", "description") == ["new"]


async def test_a_row_of_a_release_that_read_less_is_written_again(connection: AsyncConnection) -> None:
    status = full_status(100, 20)
    helm = {"meta.helm.sh/release-name": "shop"}
    paused = schedule(100, status=status, paused="true", paused_reason="moving")
    paused[1]["metadata"]["annotations"] |= helm
    await mirror(connection, paused)
    older = "managed_by = NULL, pause_reason = NULL, projection = 0"
    await connection.execute(text(f"UPDATE scheduled_jobs SET {older}"))
    gaps = "has_gap, gap_version, covered_slots, covered_until"
    before = [
        await read(connection, "scheduled_jobs", gaps),
        await read(connection, "scheduler_slots", "first_slot, count"),
    ]
    await mirror(connection, schedule(99, status=status))
    assert await read(connection, "scheduled_jobs", "pause_reason") == [None]
    await mirror(connection, paused)
    found = await read(connection, "scheduled_jobs", "managed_by->>'name', pause_reason")
    assert found == [("shop", "moving")]
    assert before == [
        await read(connection, "scheduled_jobs", gaps),
        await read(connection, "scheduler_slots", "first_slot, count"),
    ]


async def test_a_row_that_is_whole_is_not_written_again(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(100))
    before = await read(connection, "scheduled_jobs", "change")
    await mirror(connection, schedule(100))
    assert await read(connection, "scheduled_jobs", "change") == before


async def test_a_restored_cluster_goes_before_what_was_there(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(900, spec_description="lost"))
    await mirror(connection, schedule(20, spec_description="restored"), epoch=2)
    await mirror(connection, schedule(901, spec_description="late"))
    assert await read(connection, "scheduled_jobs", "description") == ["restored"]


async def test_a_deletion_is_a_tombstone_that_no_older_event_undoes(
    connection: AsyncConnection,
) -> None:
    await mirror(connection, schedule(10))
    await take_deletion(connection, *schedule(12), NOW)
    await mirror(connection, schedule(11))
    assert await read(connection, "scheduled_jobs", "deleted_at") == [NOW]


async def test_a_name_that_is_used_again_is_another_row(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(10))
    await mirror(connection, schedule(20, uid=OTHER))
    live = await read(connection, "scheduled_jobs", "id", "deleted_at IS NULL")
    assert ([str(one) for one in live], len(await read(connection, "scheduled_jobs", "id"))) == (
        [OTHER],
        2,
    )


async def test_a_late_answer_about_an_earlier_object_of_a_name(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(20, uid=OTHER))
    await mirror(connection, schedule(10))
    live = await read(connection, "scheduled_jobs", "id", "deleted_at IS NULL")
    assert [str(one) for one in live] == [OTHER]


async def test_a_dangling_function_has_its_id_before_it_exists(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(10, function="reports"))
    before = await read(connection, "scheduled_jobs", "task_function_id, timeout_seconds")
    await mirror(connection, function(11, defaultTimeoutSeconds=60))
    assert await read(connection, "task_functions", "id", "uid IS NOT NULL") == [before[0][0]]
    assert await read(connection, "scheduled_jobs", "timeout_seconds") == [60]


async def test_a_function_made_again_keeps_its_id(connection: AsyncConnection) -> None:
    await mirror(connection, function(5))
    ids = await read(connection, "task_functions", "id", "uid IS NOT NULL")
    await take_deletion(connection, *function(6), NOW)
    assert await read(connection, "task_functions", "deleted_at", "uid IS NOT NULL") == [NOW]
    await mirror(connection, function(7, displayName="again"))
    assert await read(connection, "task_functions", "id, display_name", "deleted_at IS NULL") == [
        (1, "Inline template"),
        (ids[0], "again"),
    ]


async def test_functions_of_one_name_for_people_do_not_clash(connection: AsyncConnection) -> None:
    second = function(6, "reports-2")
    second[1]["spec"]["name"] = "reports"
    await mirror(connection, function(5), second)
    assert await read(connection, "task_functions", "name", "uid IS NOT NULL") == ["reports", "reports"]


RUNNING = {"running": {"startedAt": format_instant(at(11))}}
FAILED = {"terminated": build_termination(3, {"sundial": 1, "error": "no"})}
ENDED = {
    "cursor": format_instant(at(10)),
    "recentSlots": [started(10, result="Failed", reason="Error")],
}
RUN_STORY = [
    job(),
    job(ready=True, version=21),
    (ObjectKind.POD, build_pod_item(build_job_item(10), version=22, **RUNNING)),
    job("Failed", reason="BackoffLimitExceeded", version=24),
    (
        ObjectKind.POD,
        build_pod_item(
            build_job_item(10), version=23, terminated=build_termination(3, {"sundial": 1, "error": "no"})
        ),
    ),
    schedule(
        25,
        status={
            "cursor": format_instant(at(10)),
            "recentSlots": [started(10, result="Failed", reason="Error")],
        },
    ),
]


@pytest.mark.parametrize("order", range(0, 720, 60))
async def test_a_run_ends_up_the_same_in_any_order(connection: AsyncConnection, order: int) -> None:
    for event in next(itertools.islice(itertools.permutations(RUN_STORY), order, None)):
        await mirror(connection, event)
    assert await read(
        connection, "scheduled_job_executions", "status, error_message, exit_code, node, attempt"
    ) == [("failed", "no", 3, "node-1", 1)]
    assert await read(connection, "scheduler_execution_counts", "status, count", "count > 0") == [
        ("failed", 1)
    ]


async def test_all_events_of_a_run_in_one_batch(connection: AsyncConnection) -> None:
    await mirror(connection, *RUN_STORY)
    assert await read(connection, "scheduled_job_executions", "status, exit_code") == [("failed", 3)]


async def test_a_run_between_two_attempts_is_running(connection: AsyncConnection) -> None:
    active = {"cursor": format_instant(at(10)), "active": [{"runId": RUN_ID}]}
    await mirror(connection, schedule(30, status=active), job("Failed"))
    assert await read(connection, "scheduled_job_executions", "status, phase") == [("running", "Waiting")]


async def test_a_run_whose_job_went_unseen(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(10), job(ready=True))
    absence = Absence(ObjectKind.JOB, Version(1, 50), frozenset())
    missing = await list_missing(connection, absence)
    await write_tombstones(connection, absence, missing.uids, NOW)
    assert await read(connection, "scheduled_job_executions", "status") == ["running"]
    await mirror(connection, schedule(60, status={"cursor": format_instant(at(10))}))
    shown = await read(connection, "scheduled_job_executions", "status, reason, completed_at")
    assert shown == [("failed", "OutcomeUnknown", None)]


async def test_deleting_a_schedule_ends_its_open_runs(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(10), job(ready=True))
    await take_deletion(connection, *schedule(30), NOW)
    assert await read(connection, "scheduled_job_executions", "status, error_message, completed_at") == [
        ("failed", "cancelled: its job was deleted", NOW)
    ]


async def test_a_trigger_is_read_at_once(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(10))
    asked = build_run_item({"scheduledJobUid": None})
    await take_answers(connection, [(ObjectKind.SCHEDULED_JOB_RUN, asked)], NOW)
    rows = await read(connection, "scheduled_job_executions", "id, job_id, status, triggered_by")
    assert [tuple(map(str, row)) for row in rows] == [(ASKED_ID, UID, "pending", "manual")]


async def test_a_request_for_a_job_that_is_not_there_waits(connection: AsyncConnection) -> None:
    await mirror(connection, (ObjectKind.SCHEDULED_JOB_RUN, build_run_item({"scheduledJobUid": None})))
    assert await read(connection, "scheduled_job_executions", "id") == []


async def test_a_request_that_was_withdrawn_ended_when_that_was_seen(connection: AsyncConnection) -> None:
    asked = build_run_item({"scheduledJobUid": None})
    await mirror(connection, schedule(10), (ObjectKind.SCHEDULED_JOB_RUN, asked))
    for seconds, version in ((0, "61"), (5, "62")):
        gone = asked | {"metadata": asked["metadata"] | {"resourceVersion": version}}
        now = NOW + timedelta(seconds=seconds)
        await take_deletion(connection, ObjectKind.SCHEDULED_JOB_RUN, gone, now)
    assert await read(connection, "scheduled_job_executions", "status, phase, completed_at") == [
        ("failed", "Cancelled", NOW)
    ]


async def test_a_request_that_a_list_does_not_name_ended_then(connection: AsyncConnection) -> None:
    asked = build_run_item({"scheduledJobUid": None})
    await mirror(connection, schedule(10), (ObjectKind.SCHEDULED_JOB_RUN, asked))
    absence = Absence(ObjectKind.SCHEDULED_JOB_RUN, Version(1, 50), frozenset())
    await write_tombstones(connection, absence, (await list_missing(connection, absence)).uids, NOW)
    assert await read(connection, "scheduled_job_executions", "phase, completed_at") == [("Cancelled", NOW)]


async def test_slots_that_started_nothing(connection: AsyncConnection) -> None:
    span = {"from": format_instant(at(1)), "to": format_instant(at(3)), "count": 3}
    missed = {**span, "verdict": "Missed", "reason": "TooLate"}
    await mirror(connection, schedule(10, status={"recentSlots": [entry(5), missed]}))
    assert await read(connection, "scheduler_slots", "first_slot, verdict, reason, count") == [
        (at(1), "Missed", "TooLate", 3),
        (at(5), "Skipped", "AlreadyActive", 1),
    ]


async def test_a_verdict_that_is_corrected_to_started(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(10, status={"recentSlots": [entry(20), entry(10), entry(0)]}))
    corrected = [entry(20), started(10), entry(0)]
    await mirror(connection, schedule(11, status={"recentSlots": corrected}))
    assert await read(connection, "scheduler_slots", "first_slot") == [at(0), at(20)]
    assert await read(connection, "scheduled_job_executions", "scheduled_for") == [at(10)]


async def test_slots_outlive_the_list_in_the_status(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(10, status={"recentSlots": [entry(5)]}))
    await mirror(connection, schedule(11, status={}))
    await mirror(connection, schedule(12, status={"recentSlots": [entry(50)]}))
    assert await read(connection, "scheduler_slots", "first_slot") == [at(5), at(50)]


@pytest.mark.parametrize("trigger", ["backfill", "manual"])
async def test_slots_outlive_a_list_that_ends_with_a_run_of_long_ago(
    connection: AsyncConnection, trigger: str
) -> None:
    before = [entry(second) for second in range(20, 0, -1)]
    await mirror(connection, schedule(10, status={"recentSlots": before}))
    newest = [entry(second) for second in range(40, 21, -1)]
    asked = started(-9_999_999, trigger=trigger, startedAt=format_instant(at(21.5)))
    await mirror(connection, schedule(11, status={"recentSlots": [*newest, asked]}))
    assert await read(connection, "scheduler_slots", "count(*)") == [39]


async def test_what_a_list_does_not_name_is_gone(connection: AsyncConnection) -> None:
    await mirror(connection, schedule(10), schedule(60, uid=OTHER, name="young"), function(7))
    for kind, gone in ((ObjectKind.SCHEDULED_JOB, {UID}), (ObjectKind.TASK_FUNCTION, {UID})):
        absence = Absence(kind, Version(1, 50), frozenset())
        missing = await list_missing(connection, absence)
        assert missing.uids == gone
        await write_tombstones(connection, absence, missing.uids, NOW)
    assert await read(connection, "scheduled_jobs", "resource_name", "deleted_at IS NULL") == ["young"]
    assert await read(connection, "task_functions", "name", "deleted_at IS NULL") == ["inline"]


@pytest.mark.parametrize(
    ("missing", "total", "expected"),
    [
        pytest.param(50, 60, False, id="few"),
        pytest.param(51, 1000, False, id="a small part"),
        pytest.param(51, 254, True, id="many, and a large part"),
    ],
)
def test_a_list_that_misses_many_is_doubted(missing: int, total: int, expected: bool) -> None:  # noqa: FBT001
    assert needs_second_list(Missing(frozenset(map(str, range(missing))), total)) is expected


async def test_what_cannot_be_read_is_quarantined_until_it_can(connection: AsyncConnection) -> None:
    bad = build_schedule_item(version=10)
    bad["spec"]["schedule"] = {"moon": "full\x00"}
    await mirror(connection, (ObjectKind.SCHEDULED_JOB, bad))
    await mirror(connection, (ObjectKind.SCHEDULED_JOB, bad))
    assert await read(connection, "scheduler_quarantine", "kind, key, seen_count") == [
        ("ScheduledJob", UID, 2)
    ]
    kind, item = schedule(11)
    await apply.apply_batch(connection, sort_values([parse_object(kind, item, 1)], [(kind, UID)]), NOW)
    assert await read(connection, "scheduler_quarantine", "key") == []


async def test_history_that_retention_deleted_does_not_come_back(connection: AsyncConnection) -> None:
    status = {"recentSlots": [entry(8), started(6, result="Succeeded", completedAt=format_instant(at(7)))]}
    await mirror(connection, schedule(10))
    await connection.execute(text("UPDATE scheduled_jobs SET history_floor = :at"), {"at": at(9)})
    await mirror(connection, schedule(11, status=status))
    assert await read(connection, "scheduled_job_executions", "id") == []
    assert await read(connection, "scheduler_slots", "first_slot") == []


async def test_a_rebuilt_database_gives_functions_the_same_ids(connection: AsyncConnection) -> None:
    both = (function(5), function(6, "other"))
    await mirror(connection, *both)
    ids = await read(connection, "task_functions", "resource_name, id", "id > 1")
    for table in ("task_functions", "scheduler_task_function_ids"):
        await connection.execute(text(f"DELETE FROM {table} WHERE id > 1"))
    await mirror(connection, schedule(10, function="other"))
    await mirror(connection, *reversed(both))
    assert await read(connection, "task_functions", "resource_name, id", "id > 1") == ids


async def test_a_run_that_a_status_does_not_list_goes_on(connection: AsyncConnection) -> None:
    told = {"cursor": format_instant(at(400)), "recentSlots": [entry(slot) for slot in range(400, 370, -1)]}
    ranges = [{"from": format_instant(at(1)), "to": format_instant(at(100))}]
    omitted = {"activeOmitted": {"count": 100, "oldestSlot": format_instant(at(1)), "ranges": ranges}}
    await mirror(connection, schedule(30, status=told | omitted), job("Complete"))
    assert await read(connection, "scheduled_job_executions", "status") == ["running"]
    await mirror(connection, schedule(31, status=told))
    assert await read(connection, "scheduled_job_executions", "status") == ["success"]
