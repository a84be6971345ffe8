"""Can objects of another namespace, or strangers in the same, write into the history of a run?

What they claim comes at every place among the true objects; the rows are as if it had never come.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
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
from testkit.scheduled_jobs import at, build_job_item

from sundial_api.mirror.projection.batches import ObjectKind, parse_object, sort_values
from sundial_api.mirror.storage import apply
from sundial_clock.instants import format_instant
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OTHER_UID = "22222222-2222-4222-8222-222222222222"
SLOT = format_instant(at(10))
Claim = tuple[ObjectKind, JsonObject]


@pytest.fixture
def connection(async_connection: AsyncConnection) -> AsyncConnection:
    """Give a connection whose transaction is rolled back."""
    return async_connection


def list_true() -> list[Claim]:
    """Build a ScheduledJob, Job and Pod of its slot at 10 s, and what the status says of it in the end."""
    job = build_job_item(10, "Complete")
    told = {"slot": SLOT, "verdict": "Started", "runId": RUN_ID, "startedAt": SLOT}
    told |= {"result": "Succeeded", "completedAt": format_instant(at(15))}
    ended = build_termination(0, {"sundial": 1, "result": {"rows": 7}})
    return [
        (ObjectKind.SCHEDULED_JOB, build_schedule_item(version=10)),
        (ObjectKind.JOB, job),
        (ObjectKind.POD, build_pod_item(job, version=50, terminated=ended)),
        (ObjectKind.SCHEDULED_JOB, build_schedule_item(version=60, status={"recentSlots": [told]})),
    ]


def list_asked() -> list[Claim]:
    """Build a ScheduledJob and a ScheduledJobRun that started."""
    said = {"verdict": "Started", "startedAt": SLOT, "result": "Succeeded", "completedAt": SLOT}
    return [
        (ObjectKind.SCHEDULED_JOB, build_schedule_item(version=10)),
        (ObjectKind.SCHEDULED_JOB_RUN, build_run_item(said)),
    ]


def elsewhere(item: JsonObject, ns: str = "other", version: int = 90) -> JsonObject:
    moved = deepcopy(item)
    moved["metadata"] |= {"namespace": ns, "uid": f"{ns}-{version}", "resourceVersion": str(version)}
    return moved


def forged_pod(ns: str, job_uid: str = "no-such-job", attempt: str = "1") -> Claim:
    ended = build_termination(1, {"sundial": 1, "result": {"rows": "forged"}, "error": "forged"})
    pod = elsewhere(build_pod_item(build_job_item(10), name="forged", terminated=ended), ns)
    pod["metadata"]["annotations"] = pod["metadata"]["annotations"] | {names.ATTEMPT: attempt}
    pod["metadata"]["ownerReferences"] = [{"controller": True, "uid": job_uid}]
    return ObjectKind.POD, pod


def forged_job(**changes: Any) -> Claim:
    job = elsewhere(build_job_item(10, "Failed"), changes.pop("ns", "other"))
    job["metadata"] |= changes
    return ObjectKind.JOB, job


def forged_status(run_id: str, trigger: str) -> Claim:
    entry = {"slot": SLOT, "verdict": "Started", "runId": run_id, "startedAt": SLOT, "trigger": trigger}
    entry |= {"result": "Failed", "message": "forged", "completedAt": SLOT}
    item = build_schedule_item(version=91, uid=OTHER_UID, name="mine", status={"recentSlots": [entry]})
    item["metadata"]["namespace"] = "other"
    return ObjectKind.SCHEDULED_JOB, item


def forged_request() -> Claim:
    """Build a ScheduledJobRun that says it is of a ScheduledJob elsewhere."""
    item = build_run_item({"verdict": "Started", "result": "Failed", "completedAt": SLOT})
    item["metadata"] |= {"namespace": "other", "uid": OTHER_UID, "name": "forged"}
    return ObjectKind.SCHEDULED_JOB_RUN, item


async def read_rows(connection: AsyncConnection) -> list[dict[str, Any]]:
    rows = await connection.execute(text("SELECT * FROM scheduled_job_executions ORDER BY id"))
    return [{**row._mapping, "change": 0} for row in rows]


async def write(connection: AsyncConnection, objects: list[Claim]) -> None:
    for kind, item in objects:
        await apply.apply_batch(connection, sort_values([parse_object(kind, item, 1)]), NOW)


async def mirror(connection: AsyncConnection, objects: list[Claim]) -> list[dict[str, Any]]:
    """Write objects one by one; returns the executions, and takes all back."""
    point = await connection.begin_nested()
    await write(connection, objects)
    rows = await read_rows(connection)
    await point.rollback()
    return rows


@pytest.mark.parametrize(
    ("build_true", "forged"),
    [
        pytest.param(list_true, forged_pod("other"), id="a Pod of another namespace"),
        pytest.param(list_true, forged_pod("team"), id="a Pod of another Job in the namespace"),
        pytest.param(list_true, forged_job(), id="a Job of another namespace"),
        pytest.param(list_true, forged_job(ns="team", name="tick-other"), id="a Job of another name"),
        pytest.param(list_true, forged_status(RUN_ID, "schedule"), id="a status of another's slot"),
        pytest.param(list_asked, forged_status(ASKED_ID, "manual"), id="a status of another's request"),
        pytest.param(list_asked, forged_request(), id="a ScheduledJobRun for a job elsewhere"),
    ],
)
async def test_what_is_claimed_changes_no_row(
    connection: AsyncConnection, build_true: Callable[[], list[Claim]], forged: Claim
) -> None:
    objects = build_true()
    told = await mirror(connection, objects)
    assert len(told) == 1
    for place in range(len(objects) + 1):
        for again in ([], [forged]):
            mixed = [*objects[:place], forged, *objects[place:], *again]
            assert await mirror(connection, mixed) == told, f"at place {place}, {len(again)} times more"


@pytest.mark.parametrize(
    ("build_true", "forged", "kept"),
    [
        pytest.param(list_true, forged_pod("other"), ("Pod", "other"), id="a Pod elsewhere"),
        pytest.param(list_true, forged_pod("team"), ("Pod", "team"), id="a Pod of another Job"),
        pytest.param(list_true, forged_job(), ("Job", "other"), id="a Job"),
        pytest.param(list_asked, forged_status(ASKED_ID, "manual"), ("ScheduledJob", "other"), id="a status"),
        pytest.param(list_asked, forged_request(), ("ScheduledJobRun", "other"), id="a ScheduledJobRun"),
    ],
)
async def test_what_is_only_claimed_is_shown_to_people(
    connection: AsyncConnection,
    build_true: Callable[[], list[Claim]],
    forged: Claim,
    kept: tuple[str, str],
) -> None:
    await write(connection, [*build_true(), forged])
    found = await connection.execute(text("SELECT kind, namespace FROM scheduler_quarantine"))
    assert [tuple(row) for row in found] == [kept]


async def test_true_objects_may_come_in_any_order(connection: AsyncConnection) -> None:
    job, pod = list_true()[1:3]
    told = await mirror(connection, list_true())
    for objects in itertools.permutations(list_true()):
        rows = await mirror(connection, [*objects, job, pod])
        assert rows == told, [kind for kind, _ in objects]


async def test_a_pod_counts_through_its_job(connection: AsyncConnection) -> None:
    schedule, job, pod, told = list_true()
    (row,) = await mirror(connection, [schedule, job, forged_pod("team"), pod, told])
    assert (row["pod_name"], row["result"]) == ("pod-a", {"rows": 7})
    (row,) = await mirror(connection, [schedule, job, forged_pod("team"), told])
    assert (row["pod_name"], row["result"]) == (None, None)


@pytest.mark.parametrize("attempt", ["2", "100"])
async def test_a_pod_of_an_attempt_without_a_job_is_no_attempt(
    connection: AsyncConnection, attempt: str
) -> None:
    objects = list_true()
    (told,) = await mirror(connection, objects)
    for place in range(len(objects) + 1):
        (row,) = await mirror(
            connection, [*objects[:place], forged_pod("team", attempt=attempt), *objects[place:]]
        )
        assert {**row, "sources": None} == {**told, "sources": None}, f"at place {place}"


async def test_a_number_that_no_attempt_has_is_refused(connection: AsyncConnection) -> None:
    objects = list_true()
    told = await mirror(connection, objects)
    assert await mirror(connection, [*objects, forged_pod("team", attempt="101")]) == told


async def test_a_run_of_a_schedule_that_is_not_mirrored_yet_finds_its_namespace(
    connection: AsyncConnection,
) -> None:
    objects = [forged_job(), forged_pod("other"), *list_true()]
    assert await mirror(connection, objects) == await mirror(connection, list_true())
