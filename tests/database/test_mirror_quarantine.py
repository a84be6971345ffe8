"""What is kept of objects that the mirror cannot take: little of each, few of a namespace, and no secret."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from testkit.mirror_facts import build_pod_item, build_schedule_item
from testkit.mirror_sessions import Session
from testkit.scheduled_jobs import build_job_item, nest

from sundial_api.mirror.projection.batches import ObjectKind, parse_object
from sundial_api.mirror.projection.rejects import (
    MAX_EXCERPT_CHARS,
    Origin,
    Reject,
    build_reject,
)
from sundial_api.mirror.row_writer import is_refusal
from sundial_api.mirror.storage import quarantine

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SECRET = "hunter2"


@pytest.fixture
def connection(async_connection: AsyncConnection) -> AsyncConnection:
    """Give a connection whose transaction is rolled back."""
    return async_connection


def build(number: int, ns: str = "team") -> Reject:
    return build_reject(Origin("Pod", f"uid-{number}", ns, f"pod-{number}", number, 1), "it is odd")


async def read(connection: AsyncConnection, query: str) -> list[Any]:
    return [tuple(row) for row in await connection.execute(text(query))]


async def test_of_a_namespace_the_newest_are_kept(
    connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MAX_KEPT", 3)
    await quarantine.keep(connection, [build(100, "other")], NOW)
    for number in range(10):
        await quarantine.keep(connection, [build(number)], NOW + timedelta(seconds=number))
    kept = await read(connection, "SELECT namespace, key FROM scheduler_quarantine ORDER BY 1, last_seen")
    assert kept == [("other", "uid-100"), *(("team", f"uid-{number}") for number in (7, 8, 9))]


async def test_one_batch_is_capped_too(connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MAX_KEPT", 3)
    await quarantine.keep(connection, [build(number) for number in range(10)], NOW)
    assert await read(connection, "SELECT count(*) FROM scheduler_quarantine") == [(3,)]


async def test_what_can_be_read_again_is_let_go(connection: AsyncConnection) -> None:
    await quarantine.keep(connection, [build(1), build(2)], NOW)
    await quarantine.release(connection, [(ObjectKind.POD, "uid-1"), (ObjectKind.JOB, "uid-2")])
    assert await read(connection, "SELECT key FROM scheduler_quarantine") == [("uid-2",)]


def build_odd(kind: ObjectKind) -> dict[str, Any]:
    """Build an object that cannot be read, with a secret wherever somebody may have put one."""
    if kind is ObjectKind.SCHEDULED_JOB:
        item = build_schedule_item()
        item["spec"] |= {"args": {"key": SECRET}, "schedule": 7, "description": f"password={SECRET}"}
        container = {"env": [{"name": "KEY", "value": SECRET}]}
        item["spec"]["template"] = {"spec": {"template": {"spec": {"containers": [container]}}}}
        return item
    job = build_job_item(10)
    if kind is ObjectKind.JOB:
        job["metadata"]["labels"] = {}
        job["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = SECRET
        job["spec"]["template"] = {"spec": {"containers": [{"env": [{"name": "KEY", "value": SECRET}]}]}}
        return job
    pod = build_pod_item(job, terminated={"exitCode": 1, "message": SECRET})
    pod["metadata"]["annotations"] = {}
    pod["spec"]["containers"] = [{"name": "main", "env": [{"name": "KEY", "value": SECRET}]}]
    return pod


@pytest.mark.parametrize("kind", [ObjectKind.SCHEDULED_JOB, ObjectKind.JOB, ObjectKind.POD], ids=str)
def test_no_secret_is_kept(kind: ObjectKind) -> None:
    reject = parse_object(kind, build_odd(kind), 1)
    assert isinstance(reject, Reject)
    assert (reject.namespace, bool(reject.resource_name), bool(reject.error)) == ("team", True, True)
    assert len(reject.document["excerpt"]) > 50
    assert SECRET not in str(reject)


@pytest.mark.parametrize(
    "value", [nest(5000), 2**70, "x" * 100_000], ids=["too deep", "too large a number", "too long"]
)
def test_an_excerpt_is_short_whatever_the_object(value: Any) -> None:
    item = build_schedule_item()
    item["spec"] = {"odd": value}
    reject = parse_object(ObjectKind.SCHEDULED_JOB, item, 1)
    assert isinstance(reject, Reject)
    assert len(reject.document["excerpt"]) <= MAX_EXCERPT_CHARS


async def test_one_object_that_the_database_refuses_is_kept_and_the_others_are_written(
    fresh_engine: AsyncEngine,
) -> None:
    async with fresh_engine.connect() as connection:
        session = Session(connection)
        for number in range(7):
            uid = f"00000000-0000-4000-8000-00000000000{number}"
            item = build_schedule_item(version=number + 10, uid=uid)
            item["metadata"]["name"] = f"job-{number}"
            if number == 3:
                span = {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z", "count": 2}
                item["status"] = {"recentSlots": [span | {"verdict": "Skipped", "reason": "x"}]}
            session.feed.sinks[ObjectKind.SCHEDULED_JOB].put(item)
        await session.rows.write(session.feed)
        written = await read(connection, "SELECT resource_name FROM scheduled_jobs ORDER BY 1")
        kept = await read(connection, "SELECT kind, resource_name, error FROM scheduler_quarantine")
    assert written == [(f"job-{number}",) for number in (0, 1, 2, 4, 5, 6)]
    assert kept[0][:2] == ("ScheduledJob", "job-3")
    assert "the database refused it" in kept[0][2]


async def test_an_object_that_only_claims_a_run_stays_the_same_entry(fresh_engine: AsyncEngine) -> None:
    forged = build_job_item(10)
    forged["metadata"] |= {"namespace": "other", "uid": "forged"}
    async with fresh_engine.connect() as connection:
        session = Session(connection)
        session.feed.sinks[ObjectKind.SCHEDULED_JOB].put(build_schedule_item())
        for _ in range(2):
            session.feed.sinks[ObjectKind.JOB].put(forged)
            await session.rows.write(session.feed)
        kept = await read(connection, "SELECT key, seen_count FROM scheduler_quarantine")
    assert kept == [("forged", 2)]


async def test_a_deletion_that_the_database_refuses_is_one_all_the_same(fresh_engine: AsyncEngine) -> None:
    async with fresh_engine.connect() as connection:
        session = Session(connection)
        sink = session.feed.sinks[ObjectKind.SCHEDULED_JOB]
        sink.put(build_schedule_item(version=10))
        await session.rows.write(session.feed)
        gone = build_schedule_item(version=12)
        gone["spec"]["retry"] = {"count": 2**40}
        sink.remove(gone)
        await session.rows.write(session.feed)
        shown = await read(connection, "SELECT deleted_at IS NOT NULL, resource_version FROM scheduled_jobs")
        kept = await read(connection, "SELECT kind FROM scheduler_quarantine")
    assert (shown, kept) == ([(True, 12)], [("ScheduledJob",)])


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        pytest.param("SELECT CAST('x' AS int)", True, id="a value"),
        pytest.param("SELECT repeat('[', 100000)::json", True, id="too deep"),
        pytest.param("SELECT pg_terminate_backend(pg_backend_pid())", False, id="the connection"),
        pytest.param("SELECT pg_sleep(1)", False, id="it took too long"),
        pytest.param(
            "SELECT CAST('0001-01-01 BC' AS timestamptz)", True, id="a value that Python cannot hold"
        ),
        pytest.param("SELECT 1 FROM nowhere", False, id="a table that is missing"),
    ],
)
async def test_who_is_to_blame(
    fresh_engine: AsyncEngine,
    statement: str,
    expected: bool,  # noqa: FBT001
) -> None:
    async with fresh_engine.connect() as connection:
        await connection.execute(text("SET statement_timeout = '100ms'"))
        with pytest.raises(Exception) as raised:  # noqa: PT011 - the question is which one
            (await connection.execute(text(statement))).all()
    assert is_refusal(raised.value) is expected
