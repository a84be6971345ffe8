"""Which logs are wanted, in which order they are read, how long they stay; a real Postgres, no cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from testkit.kept_logs import TAILS, failed_run, read_tails, want_logs
from testkit.mirror_facts import RUN_ID, build_pod_item, build_schedule_item, build_termination
from testkit.mirror_rows import read
from testkit.mirror_sessions import NOW, Session
from testkit.rows import NOON, execution_row, log_tail_row, numbered
from testkit.scheduled_jobs import UID, at, build_job_item

from sundial_api.db.mirror_tables import ExecutionLogTail
from sundial_api.db.tables import ScheduledJobExecution
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.projection.log_texts import LogTail
from sundial_api.mirror.storage import log_tails
from sundial_api.mirror.storage import statements as sql
from sundial_api.mirror.storage.history_retention import RetentionPolicy, delete_batch
from sundial_api.mirror.storage.log_tails import LogPurpose

Objects = list[tuple[ObjectKind, dict[str, Any]]]


def list_failed(attempt: int = 1, condition: str = "Failed", pod: str = "pod-a", **how: Any) -> Objects:
    """Build the Job of an attempt of the slot at 10 s, and its Pod, which has ended."""
    job = build_job_item(10, condition, attempt=attempt, **how)
    ended = build_pod_item(job, name=pod, terminated=build_termination(1))
    return [(ObjectKind.JOB, job), (ObjectKind.POD, ended)]


async def mirror(session: Session, objects: Objects) -> None:
    """Have objects come one after the other, as the mirror does."""
    for kind, item in objects:
        session.feed.sinks[kind].put(item)
        await session.rows.write(session.feed)


@pytest.fixture
async def session(fresh_engine: AsyncEngine) -> AsyncIterator[Session]:
    """Give a session of the mirror that knows the ScheduledJob, where logs are kept."""
    async with fresh_engine.connect() as connection:
        known = Session(connection, frozenset(LogPurpose))
        await mirror(known, [(ObjectKind.SCHEDULED_JOB, build_schedule_item())])
        yield known


async def test_a_log_is_wanted_when_job_and_pod_are_known(
    session: Session, fresh_engine: AsyncEngine
) -> None:
    job, pod = list_failed()
    await mirror(session, [(ObjectKind.JOB, build_job_item(10, version=19)), pod])
    assert await read_tails(fresh_engine) == []
    await mirror(session, [job])
    columns = "execution_id::text, attempt, pod_uid, job_id::text, namespace, ended_at, wanted_at, due_at"
    assert await read_tails(fresh_engine, columns) == [
        (RUN_ID, 1, "uid-pod-a", UID, "team", at(15), NOW, NOW),
    ]


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        pytest.param(list_failed(), 1, id="failed"),
        pytest.param(list_failed(reason="DeadlineExceeded"), 1, id="timed-out"),
        pytest.param(list_failed(condition="FailureTarget", reason="DeadlineExceeded"), 1, id="timing-out"),
        pytest.param(list_failed()[::-1], 1, id="the-pod-first"),
        pytest.param([*list_failed(), *list_failed(2, pod="pod-b")], 2, id="two-attempts"),
        pytest.param(list_failed(condition="Complete"), 0, id="succeeded"),
        pytest.param(list_failed(condition=""), 0, id="running"),
        pytest.param(
            list_failed(reason="DeadlineExceeded", marks={"sundial.dev/ended": "Cancelled"}),
            0,
            id="cancelled",
        ),
        pytest.param(list_failed()[:1], 0, id="without-a-pod"),
        pytest.param(list_failed()[1:], 0, id="without-a-job"),
    ],
)
async def test_whose_logs_are_wanted(
    session: Session, fresh_engine: AsyncEngine, objects: Objects, expected: int
) -> None:
    await mirror(session, objects)
    assert len(await read_tails(fresh_engine)) == expected


async def test_without_the_setting_nothing_is_wanted(fresh_engine: AsyncEngine) -> None:
    async with fresh_engine.connect() as connection:
        plain = Session(connection)
        await mirror(plain, [(ObjectKind.SCHEDULED_JOB, build_schedule_item()), *list_failed()])
        async with connection.begin():
            assert await read(connection, "scheduled_job_executions", "phase") == ["Waiting"]
    assert await read_tails(fresh_engine) == []


async def test_a_log_is_wanted_in_the_transaction_of_its_row(
    session: Session, fresh_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    async def crash(*_: Any) -> None:
        raise Crash

    await mirror(session, [(ObjectKind.JOB, build_job_item(10, version=19))])
    with monkeypatch.context() as patched:
        patched.setattr(log_tails, "want", crash)
        for kind, item in list_failed():
            session.feed.sinks[kind].put(item)
        with pytest.raises(Crash):
            await session.rows.write(session.feed)
    async with fresh_engine.begin() as connection:
        assert await read(connection, "scheduled_job_executions", "phase") == ["Pending"]
    await mirror(session, list_failed())
    assert await read_tails(fresh_engine) == [(1, "uid-pod-a")]


async def test_what_was_read_or_given_up_is_not_wanted_again(
    session: Session, fresh_engine: AsyncEngine
) -> None:
    await mirror(session, [*list_failed(), *list_failed(2, pod="pod-b")])
    async with fresh_engine.begin() as connection:
        first, second = await log_tails.take_due(connection, NOW, 8, [])
        await log_tails.keep(connection, first, "main", LogTail("text", is_cut=False), NOW)
        await log_tails.give_up(connection, second)
    await mirror(session, [*list_failed(version=99), *list_failed(3, pod="pod-c")])
    assert await read_tails(fresh_engine, "attempt, log_text, due_at IS NULL") == [
        (1, "text", True),
        (2, None, True),
        (3, None, False),
    ]


def forge(kind: ObjectKind, item: dict[str, Any], **changes: Any) -> tuple[ObjectKind, dict[str, Any]]:
    metadata = item["metadata"] | {"uid": "forged", "name": "forged", "resourceVersion": "90"} | changes
    return kind, item | {"metadata": metadata}


async def test_a_foreign_pod_that_claims_a_run_is_not_read(
    session: Session, fresh_engine: AsyncEngine
) -> None:
    (_, job), (_, pod) = list_failed()
    stranger = [{"controller": True, "uid": "of another Job"}]
    claims = [
        forge(ObjectKind.POD, pod, ownerReferences=stranger),
        forge(ObjectKind.POD, pod, namespace="other", ownerReferences=stranger),
        forge(ObjectKind.JOB, job, namespace="other"),
    ]
    await mirror(session, [*claims, (ObjectKind.JOB, job), *claims])
    assert await read_tails(fresh_engine) == []
    await mirror(session, [(ObjectKind.POD, pod)])
    assert await read_tails(fresh_engine) == [(1, "uid-pod-a")]


async def test_what_was_claimed_before_the_job_was_known_goes_and_blocks_nothing(
    fresh_engine: AsyncEngine,
) -> None:
    async with fresh_engine.connect() as connection:
        session = Session(connection, frozenset(LogPurpose))
        (_, job), (_, pod) = list_failed()
        owned = [{"controller": True, "uid": "claimed"}]
        claimed = job | {"metadata": job["metadata"] | {"namespace": "other", "uid": "claimed"}}
        its_pod = forge(ObjectKind.POD, pod, namespace="other", ownerReferences=owned)
        await mirror(session, [(ObjectKind.JOB, claimed), its_pod])
        assert await read_tails(fresh_engine) == [(1, "forged")]
        await mirror(session, [(ObjectKind.SCHEDULED_JOB, build_schedule_item())])
        assert await read_tails(fresh_engine) == []
        await mirror(session, list_failed())
    assert await read_tails(fresh_engine) == [(1, "uid-pod-a")]


async def test_of_a_job_the_attempts_that_ended_last_are_kept(async_connection: AsyncConnection) -> None:
    for number in (*range(20, 71), *range(20)):
        await want_logs(async_connection, failed_run(number))
    uids = await read(async_connection, TAILS, "pod_uid")
    assert set(uids) == {f"p-{number}-1" for number in range(21, 71)}


async def test_a_run_of_very_many_attempts_wants_no_more(async_connection: AsyncConnection) -> None:
    await want_logs(async_connection, failed_run(1, attempts=100))
    assert sorted(await read(async_connection, TAILS, "attempt")) == list(range(51, 101))


async def test_a_row_that_somebody_holds_stops_neither_mirror_nor_reader(
    fresh_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_tails, "MAX_KEPT", 1)
    async with fresh_engine.begin() as connection:
        await want_logs(connection, failed_run(1))
    async with fresh_engine.begin() as holder, fresh_engine.begin() as other:
        await holder.execute(text(f"SELECT FROM {TAILS} FOR UPDATE"))
        await want_logs(other, failed_run(2), failed_run(3))
        assert [due.pod_uid for due in await log_tails.take_due(other, NOW, 8, [])] == ["p-3-1"]
    async with fresh_engine.begin() as connection:
        await want_logs(connection, failed_run(4))
    assert await read_tails(fresh_engine, "pod_uid") == ["p-4-1"]


async def test_logs_are_taken_oldest_first_a_few_of_each_namespace(async_connection: AsyncConnection) -> None:
    for second, (number, ns) in enumerate([(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "c"), (6, "b")]):
        await want_logs(async_connection, failed_run(number, ns=ns), now=NOW + timedelta(seconds=second))
    late = NOW + timedelta(seconds=9)
    assert await log_tails.take_due(async_connection, NOW - timedelta(seconds=1), 8, []) == []
    first = await log_tails.take_due(async_connection, late, 3, ["b"])
    assert sorted(due.pod_uid for due in first) == ["p-1-1", "p-2-1", "p-5-1"]
    assert {due.pod_uid for due in await log_tails.take_due(async_connection, late, 8, [])} == {
        *("p-3-1", "p-4-1", "p-6-1")
    }
    assert await log_tails.take_due(async_connection, late, 8, []) == []


async def test_what_was_taken_is_due_again_later_each_time(async_connection: AsyncConnection) -> None:
    await want_logs(async_connection, failed_run(1))
    now = NOW
    for seconds in (10, 20, 40):
        (due,) = await log_tails.take_due(async_connection, now, 8, [])
        soon = now + timedelta(seconds=seconds - 1)
        assert await log_tails.take_due(async_connection, soon, 8, []) == []
        assert not await log_tails.note_failure(async_connection, due, 4)
        now += timedelta(seconds=seconds)
    (due,) = await log_tails.take_due(async_connection, now, 8, [])
    assert await log_tails.note_failure(async_connection, due, 4)
    assert await log_tails.take_due(async_connection, now + timedelta(days=1), 8, []) == []


async def test_only_the_pod_that_is_proved_now_is_read(async_connection: AsyncConnection) -> None:
    await want_logs(async_connection, failed_run(1), failed_run(2), failed_run(3), failed_run(4))
    change = "UPDATE scheduled_job_executions SET {} WHERE id = :id"
    for number, what in [
        (1, "namespace = 'other'"),
        (2, "attempts = jsonb_set(attempts, '{0,pod,uid}', '\"another\"')"),
        (3, "attempts = jsonb_set(attempts, '{0,job,uid}', '\"another\"')"),
    ]:
        await async_connection.execute(text(change.format(what)), {"id": numbered(number)})
    await async_connection.execute(
        text("DELETE FROM scheduled_job_executions WHERE id = :id"), {"id": numbered(4)}
    )
    for _ in range(2):
        for due in await log_tails.take_due(async_connection, NOW, 8, []):
            assert due.pod is None


async def test_tails_go_with_their_execution_and_by_their_age(async_connection: AsyncConnection) -> None:
    await async_connection.execute(insert(ScheduledJobExecution), [execution_row(1), execution_row(2)])
    tails = [
        log_tail_row(1),
        log_tail_row(2),
        log_tail_row(3, wanted_at=NOON - timedelta(days=9)),
        log_tail_row(4),
    ]
    await async_connection.execute(insert(ExecutionLogTail), tails)
    keep = RetentionPolicy(NOON + timedelta(hours=1), 9)
    assert await delete_batch(async_connection, RetentionPolicy(NOON - timedelta(days=1), 1)) == 2
    left = set(await read(async_connection, TAILS, "execution_id"))
    assert left == {numbered(1_000_002), numbered(1_000_004)}
    while await delete_batch(async_connection, keep):
        pass
    assert await read(async_connection, TAILS, "attempt") == []


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        pytest.param(
            sql.TAKE_DUE_TAILS,
            {
                "now": NOW,
                "busy": ["other"],
                "among": 200,
                "share": 2,
                "most": 8,
                "seconds": 10,
                "purposes": ["tail"],
            },
            "ix_scheduled_job_log_tails_due",
            id="due",
        ),
        pytest.param(
            sql.CAP_TAILS,
            {"ids": [str(numbered(7))], "most": 50},
            "ix_scheduled_job_log_tails_job_id",
            id="cap",
        ),
        pytest.param(
            text(f"SELECT FROM {TAILS} WHERE wanted_at <= :after ORDER BY wanted_at LIMIT 1000"),
            {"after": NOON},
            "ix_scheduled_job_log_tails_wanted_at",
            id="old",
        ),
    ],
)
async def test_a_query_has_its_index(
    async_connection: AsyncConnection, statement: Any, values: dict[str, Any], index: str
) -> None:
    filled = (
        f"INSERT INTO {TAILS}"
        " (execution_id, attempt, pod_uid, job_id, namespace, ended_at, wanted_at, due_at)"
        " SELECT gen_random_uuid(), 1, n, gen_random_uuid(), 'team-' || n % 100, now(), now(),"
        " CASE WHEN n % 500 = 0 THEN now() END FROM generate_series(1, 20000) AS n"
    )
    await async_connection.execute(text(filled))
    await async_connection.execute(text(f"ANALYZE {TAILS}"))
    plan = await async_connection.scalar(text(f"EXPLAIN (FORMAT JSON) {statement}"), values)
    assert f"'{index}'" in str(plan)
    assert "'Seq Scan', 'Parent" not in str(plan)
