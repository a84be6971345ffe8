"""The history of an original installation becomes rows beside the mirror's, each once, and stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.original_installation import OriginalInstallation, original_id

from sundial_api.importing.history.executions import HistoryGround, HistoryPlace
from sundial_api.importing.history.repository import compare_executions, write_executions
from sundial_api.importing.history.service import HistoryImporter, HistoryReport
from sundial_api.importing.original.repository import NotTheOriginal, open_original
from sundial_clock.zones import load_zone

CAIRO = load_zone("Africa/Cairo")
NEW_JOB = "5d0ab6a5-0000-4a0e-9a52-0d5bd5a9a3c1"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def original(empty_database: str) -> OriginalInstallation:
    """Give an original installation with one job and no history."""
    installation = OriginalInstallation(empty_database)
    installation.add_job(1, {"hours": 1})
    return installation


def build_ground(after: datetime = LONG_AGO) -> HistoryGround:
    return HistoryGround({str(original_id(1)): HistoryPlace(NEW_JOB, "team")}, "history", CAIRO, after)


async def take(
    original: OriginalInstallation,
    engine: AsyncEngine | None,
    ground: HistoryGround | None = None,
    **how: Any,
) -> HistoryReport:
    """Import the history as the command does."""
    importer = HistoryImporter(ground or build_ground(), engine, how.get("write", write_executions))
    async with open_original(original.url) as opened:
        return await importer.run(opened, how.get("advance", lambda _: None))


async def read(engine: AsyncEngine, query: str) -> list[Any]:
    async with engine.begin() as connection:
        return [tuple(row) if len(row) > 1 else row[0] for row in await connection.execute(text(query))]


COUNTS = (
    "SELECT job_id::text, status, namespace, count FROM scheduler_execution_counts WHERE count > 0 ORDER BY 2"
)
ALL = "SELECT id::text, change FROM scheduled_job_executions ORDER BY 1"


async def test_an_execution_says_what_it_said_there(
    original: OriginalInstallation, fresh_engine: AsyncEngine
) -> None:
    user, instance = original_id(7), original_id(0)
    original.change(f"INSERT INTO users VALUES ('{user}')")
    original.add_instance(3600)
    old = original.add_execution(
        1,
        str(original_id(1)),
        status="failed",
        celery_task_id="a-task",
        started_at="2026-07-01 12:00:00.25",
        completed_at="2026-07-01 12:00:02.75",
        result='{"rows": 3}',
        error_message="خطأ: لا يوجد",
        error_traceback="Traceback: خطأ",
        triggered_by="manual",
        triggered_by_user_id=user,
        scheduler_instance_id=instance,
    )
    await take(original, fresh_engine)
    columns = (
        "job_id::text, namespace, celery_task_id, status, phase, started_at, duration_seconds, result,"
        " error_message, error_traceback, triggered_by, triggered_by_user_id, scheduler_instance_id,"
        " attempt, attempts, sources"
    )
    assert await read(fresh_engine, f"SELECT id::text, {columns} FROM scheduled_job_executions") == [
        (
            *(old, NEW_JOB, "team", "a-task", "failed", "Failed"),
            *(datetime(2026, 7, 1, 9, 0, 0, 250_000, UTC), 2.5, {"rows": 3}),
            *("خطأ: لا يوجد", "Traceback: خطأ", "manual", user, instance, 0, []),
            {"imported": {"jobId": str(original_id(1))}},
        )
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"status": "success"}, ("success", "Succeeded"), id="success"),
        pytest.param({"status": "timeout"}, ("timeout", "TimedOut"), id="timeout"),
        pytest.param({"status": " FAILED "}, ("failed", "Failed"), id="other-case"),
    ],
)
async def test_states_have_their_words_of_the_cluster(
    original: OriginalInstallation, fresh_engine: AsyncEngine, changes: Any, expected: Any
) -> None:
    original.add_execution(1, str(original_id(1)), **changes)
    await take(original, fresh_engine)
    assert await read(fresh_engine, "SELECT status, phase FROM scheduled_job_executions") == [expected]


ODD = [
    pytest.param({"status": "exploded"}, "its status is none of", id="status"),
    pytest.param({"status": None}, "its status is none of", id="no-status"),
    pytest.param({"started_at": None}, "it has no started_at", id="no-start"),
    pytest.param({"started_at": "infinity"}, "started_at is no time", id="infinity"),
    pytest.param({"started_at": "0044-03-15 12:00:00 BC"}, "started_at is no time", id="before-christ"),
    pytest.param({"started_at": "99999-01-01"}, "started_at is no time", id="five-digits"),
    pytest.param({"started_at": "0001-01-01 00:00:00"}, "started_at is no", id="first-day"),
]


@pytest.mark.parametrize(("changes", "said"), ODD)
async def test_an_odd_row_hurts_only_itself(
    original: OriginalInstallation, fresh_engine: AsyncEngine, changes: Any, said: str
) -> None:
    original.loosen()
    odd = original.add_execution(1, str(original_id(1)), **changes)
    good = original.add_execution(2, str(original_id(1)))
    report = await take(original, fresh_engine)
    assert await read(fresh_engine, "SELECT id::text FROM scheduled_job_executions") == [good]
    [(sort, examples)] = report.odd.examples.items()
    assert (said in sort, examples) == (True, [odd])


DEEP = '{"a":' * 300 + "1" + "}" * 300
NOTED = [
    pytest.param({"triggered_by": "cron"}, "triggered_by", "api", None, id="trigger"),
    pytest.param({"triggered_by": None}, "triggered_by", "api", None, id="no-trigger"),
    pytest.param({"result": '{"a": "\\ud800"}'}, "result", "scheduler", None, id="surrogate"),
    pytest.param({"result": DEEP}, "result", "scheduler", None, id="deep"),
    pytest.param({"result": '"' + "x" * 70_000 + '"'}, "result", "scheduler", None, id="long"),
    pytest.param({"result": "[1, 2]"}, None, "scheduler", {"result": [1, 2]}, id="list"),
    pytest.param({"result": '{"a": "\\u0000"}'}, None, "scheduler", {"a": "\ufffd"}, id="nul"),
    pytest.param({"result": "null"}, None, "scheduler", None, id="null"),
]


@pytest.mark.parametrize(("changes", "said", "trigger", "result"), NOTED)
async def test_what_is_odd_in_a_sound_row_is_left_out_and_told(
    original: OriginalInstallation,
    fresh_engine: AsyncEngine,
    changes: Any,
    said: str | None,
    trigger: str,
    result: Any,
) -> None:
    original.loosen()
    original.add_execution(1, str(original_id(1)), **changes)
    report = await take(original, fresh_engine)
    query = "SELECT triggered_by, result FROM scheduled_job_executions"
    assert await read(fresh_engine, query) == [(trigger, result)]
    assert [said is not None and said in sort for sort in report.odd.counts] == [True] * (said is not None)


@pytest.mark.parametrize(
    ("began", "ended", "duration", "expected"),
    [
        pytest.param("2026-10-29 23:59:00", "2026-10-29 23:01:00", None, 120, id="over-the-repeated-hour"),
        pytest.param("2026-07-01 12:00:00", None, 90.5, 90.5, id="duration-only"),
        pytest.param("2026-07-01 12:00:00", None, "NaN", None, id="no-duration"),
        pytest.param("2026-07-01 12:00:00", None, 1e300, None, id="endless"),
        pytest.param("2026-07-01 12:00:00", "2026-07-01 11:00:00", None, 0, id="before-it-began"),
    ],
)
async def test_how_long_it_took(
    original: OriginalInstallation,
    fresh_engine: AsyncEngine,
    began: str,
    ended: str | None,
    duration: Any,
    expected: float | None,
) -> None:
    times = {"started_at": began, "completed_at": ended, "duration_seconds": duration}
    original.add_execution(1, str(original_id(1)), **times)
    await take(original, fresh_engine)
    assert await read(fresh_engine, "SELECT duration_seconds FROM scheduled_job_executions") == [expected]


async def test_secrets_are_redacted(original: OriginalInstallation, fresh_engine: AsyncEngine) -> None:
    said = "cannot connect to postgresql://app:hunter2@db/app"
    original.add_execution(1, str(original_id(1)), status="failed", error_message=said, error_traceback=said)
    await take(original, fresh_engine)
    shown = await read(fresh_engine, "SELECT error_message || error_traceback FROM scheduled_job_executions")
    assert "hunter2" not in shown[0]


async def test_again_changes_nothing(original: OriginalInstallation, fresh_engine: AsyncEngine) -> None:
    original.fill(20, 2_500)
    first = await take(original, fresh_engine)
    rows, counts = await read(fresh_engine, ALL), await read(fresh_engine, COUNTS)
    second = await take(original, fresh_engine)
    assert (first.written.added, second.written.added, second.written.left) == (2_500, 0, 2_500)
    assert (await read(fresh_engine, ALL), await read(fresh_engine, COUNTS)) == (rows, counts)


async def test_an_interrupted_import_goes_on(
    original: OriginalInstallation, fresh_engine: AsyncEngine
) -> None:
    original.fill(20, 3_500)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await take(original, fresh_engine, advance=interrupt)
    assert await read(fresh_engine, "SELECT count(*) FROM scheduled_job_executions") == [1_000]
    report = await take(original, fresh_engine)
    assert (report.written.added, report.written.left) == (2_500, 1_000)
    assert await read(fresh_engine, "SELECT count(*) FROM scheduled_job_executions") == [3_500]


async def test_totals_agree(original: OriginalInstallation, fresh_engine: AsyncEngine) -> None:
    for number, status in enumerate(("success", "success", "failed", "timeout")):
        original.add_execution(number, str(original_id(1)), status=status)
    await take(original, fresh_engine)
    expected = [(NEW_JOB, status, "team", n) for status, n in (("failed", 1), ("success", 2), ("timeout", 1))]
    assert await read(fresh_engine, COUNTS) == expected


async def test_what_has_not_ended_is_taken_when_it_has(
    original: OriginalInstallation, fresh_engine: AsyncEngine
) -> None:
    old = original.add_execution(1, str(original_id(1)), status="running")
    first = await take(original, fresh_engine)
    assert (first.written.added, sum(first.not_taken.values())) == (0, 1)
    original.change(f"UPDATE scheduled_job_executions SET status = 'success' WHERE id = '{old}'")
    await take(original, fresh_engine)
    original.change(f"UPDATE scheduled_job_executions SET status = 'failed' WHERE id = '{old}'")
    assert (await take(original, fresh_engine)).written.changed == 1
    assert await read(fresh_engine, "SELECT status FROM scheduled_job_executions") == ["failed"]


async def test_the_history_of_a_deleted_job_is_kept_under_its_old_id(
    original: OriginalInstallation, fresh_engine: AsyncEngine
) -> None:
    original.loosen()
    original.add_execution(1, str(original_id(99)))
    report = await take(original, fresh_engine)
    query = "SELECT job_id, namespace FROM scheduled_job_executions"
    assert await read(fresh_engine, query) == [(original_id(99), "history")]
    assert report.odd.counts.total() == 1


async def test_the_history_of_a_job_that_is_left_out_waits_for_it(
    original: OriginalInstallation, fresh_engine: AsyncEngine
) -> None:
    original.add_execution(1, original.add_job(2, {"hours": 0}))
    ground = HistoryGround({}, "history", CAIRO, LONG_AGO, frozenset({str(original_id(2))}))
    report = await take(original, fresh_engine, ground)
    assert (report.written.added, sum(report.not_taken.values())) == (0, 1)


async def test_what_retention_would_delete_is_not_taken(
    original: OriginalInstallation, fresh_engine: AsyncEngine
) -> None:
    original.add_execution(1, str(original_id(1)))
    report = await take(original, fresh_engine, build_ground(datetime.now(UTC) + timedelta(days=1)))
    assert (report.written.added, sum(report.not_taken.values())) == (0, 1)


async def test_what_retention_has_deleted_does_not_come_back(
    original: OriginalInstallation, fresh_engine: AsyncEngine
) -> None:
    original.add_execution(1, str(original_id(1)), started_at="2026-07-01 12:00:00")
    kept = original.add_execution(2, str(original_id(1)), started_at="2026-07-01 12:00:01")
    floor = "INSERT INTO scheduled_jobs (id, namespace, resource_name, name, task_function_id, job_type_id,"
    floor += " schedule_config, created_at, updated_at, history_floor) VALUES (:id, 'team', 'job', 'job', 1,"
    floor += " 1, '{}', now(), now(), timestamptz '2026-07-01 09:00:00Z')"
    async with fresh_engine.begin() as connection:
        await connection.execute(text(floor), {"id": UUID(NEW_JOB)})
    wanted = await take(original, fresh_engine, write=compare_executions)
    assert (wanted.written.added, wanted.written.left) == (1, 1)
    assert (await take(original, fresh_engine)).written == wanted.written
    assert await read(fresh_engine, "SELECT id::text FROM scheduled_job_executions") == [kept]


async def test_a_row_of_the_mirror_is_not_touched(
    original: OriginalInstallation, fresh_engine: AsyncEngine
) -> None:
    old = original.add_execution(1, str(original_id(1)), status="failed")
    mine = "INSERT INTO scheduled_job_executions (id, job_id, namespace, status, phase, started_at,"
    mine += " triggered_by) VALUES (:id, :id, 'team', 'success', 'Succeeded', now(), 'api')"
    async with fresh_engine.begin() as connection:
        await connection.execute(text(mine), {"id": UUID(old)})
    before = await read(fresh_engine, "SELECT * FROM scheduled_job_executions")
    assert (await take(original, fresh_engine)).written.left == 1
    assert await read(fresh_engine, "SELECT * FROM scheduled_job_executions") == before


async def test_a_dry_run_writes_nothing(original: OriginalInstallation, fresh_engine: AsyncEngine) -> None:
    original.fill(5, 50)
    for engine in (None, fresh_engine):
        assert (await take(original, engine, write=compare_executions)).written.added == 50
    assert await read(fresh_engine, "SELECT count(*) FROM scheduled_job_executions") == [0]


async def test_the_original_is_only_read(original: OriginalInstallation) -> None:
    async with open_original(original.url) as opened:
        assert await opened._read_one("SHOW transaction_read_only") == "on"


async def test_sundials_own_database_is_refused(fresh_database: str) -> None:
    with pytest.raises(NotTheOriginal, match="Sundial's own database"):
        async with open_original(fresh_database):
            pass


async def test_a_database_without_the_tables_is_refused(empty_database: str) -> None:
    with pytest.raises(NotTheOriginal, match="has no table task_functions, scheduler_job_types"):
        async with open_original(empty_database):
            pass
