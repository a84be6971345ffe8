"""Event streams: what changes arrives in order, and who comes back misses nothing or is told so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import jsonschema_rs
import pytest
from sqlalchemy import create_engine, delete, event, insert, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool
from testkit.databases import copy_database
from testkit.event_streams import Serving, StreamEvent, add_job, add_run, listen, serve_on_port, write
from testkit.rows import NOON, job_row, numbered, running_row

from sundial_api.db.engine import build_engine
from sundial_api.db.tables import ScheduledJobExecution, ScheduledJobRow
from sundial_api.events import change_log, places, repository, streams, tail
from sundial_api.events.change_log import ChangeLog, Portion
from sundial_api.events.repository import list_changed, read_state
from sundial_api.events.schemas import write_changes
from sundial_api.mirror.storage import history_retention
from sundial_api.mirror.storage.history_retention import RetentionPolicy
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.postgres import Postgres

COUNT_UP = update(ScheduledJobRow).values(active_count=ScheduledJobRow.active_count + 1)
DOCUMENT = json.loads(Path("docs/openapi.json").read_text())


@pytest.fixture
async def serving(fresh_database: str) -> AsyncIterator[Serving]:
    async with serve_on_port(fresh_database) as found:
        yield found


@pytest.fixture
def url(serving: Serving) -> str:
    return serving.url


async def read_log_id(engine: AsyncEngine) -> str:
    async with engine.connect() as connection:
        return (await read_state(connection)).log_id


async def read_events(url: str, count: int, last_event_id: str | None, **query: str) -> list[StreamEvent]:
    async with listen(url, last_event_id, **query) as stream:
        return await stream.read_events(count)


async def test_changes_are_numbered_in_the_order_of_their_commits(fresh_engine: AsyncEngine) -> None:
    await add_job(fresh_engine)
    await write(fresh_engine, insert(ScheduledJobExecution).values(running_row(1)))
    await write(fresh_engine, COUNT_UP)
    async with fresh_engine.connect() as connection:
        changes = write_changes(await list_changed(connection, 0, 99, None), "log", "claimed")
        assert [change.text.split()[1] for change in changes] == [b"execution", b"job"]
        for after, namespaces in ((changes[-1].number, None), (0, {"elsewhere"})):
            assert not write_changes(await list_changed(connection, after, 99, namespaces), "log", "claimed")


async def test_what_is_committed_between_two_queries_is_not_passed_over(fresh_engine: AsyncEngine) -> None:
    await add_job(fresh_engine)
    sent: list[str] = []
    with create_engine(fresh_engine.url, poolclass=NullPool).connect() as between:

        def change_both(_connection: Any, _cursor: Any, statement: str, *_how: Any) -> None:
            sent.append(statement)
            if len(sent) == 2:
                between.execute(COUNT_UP)
                between.execute(insert(ScheduledJobExecution).values(running_row(1)))
                between.commit()

        async with fresh_engine.connect() as connection:
            before = await read_state(connection)
            event.listen(fresh_engine.sync_engine, "before_cursor_execute", change_both)
            first = await list_changed(connection, 0, before.newest, None)
            after = await read_state(connection)
            second = await list_changed(connection, first.end, after.newest, None)
    assert [change.number for change in write_changes(second, "log", "claimed")] == [
        before.newest + 1,
        after.newest,
    ]


async def test_who_comes_back_gets_what_has_changed_meanwhile(url: str, fresh_engine: AsyncEngine) -> None:
    await add_job(fresh_engine)
    await add_run(fresh_engine)
    first, second = await read_events(url, 2, f"{await read_log_id(fresh_engine)}-0")
    assert [first.event, second.event] == ["job", "execution"]
    assert [first.data["id"], second.data["jobId"]] == [str(numbered(1))] * 2
    assert await read_events(url, 1, first.id) == [second]


async def test_who_has_heard_nothing_yet_comes_back_and_misses_nothing(
    url: str, fresh_engine: AsyncEngine
) -> None:
    await add_job(fresh_engine)
    async with listen(url) as stream:
        greeting = await stream.read()
    assert (greeting.data, 2_000 <= int(greeting.retry) <= 6_000) == (None, True)
    await add_run(fresh_engine)
    assert [found.event for found in await read_events(url, 1, greeting.id)] == ["execution"]


async def test_listener_hears_what_changes_in_its_namespace(url: str, fresh_engine: AsyncEngine) -> None:
    async with listen(url) as everything, listen(url, namespace="mine") as own:
        for stream in (everything, own):
            await stream.read()
        for number, ns in enumerate(("mine", "other", "mine")):
            await add_job(fresh_engine, number, namespace=ns)
        heard = await everything.read_events(3)
        assert [found.data["namespace"] for found in heard] == ["mine", "other", "mine"]
        assert await own.read_events(2) == [heard[0], heard[2]]


async def test_events_are_those_of_the_document(url: str, fresh_engine: AsyncEngine) -> None:
    await add_job(fresh_engine, task_args={"snake_case": 1}, paused_until=NOON, deleted_at=NOON)
    await add_run(fresh_engine, result={"rows": 7}, error_message="two\nlines", reason="a\x85b\u2028c\u2029d")
    found = await read_events(url, 2, f"{await read_log_id(fresh_engine)}-0")
    found += await read_events(url, 1, "7")
    assert [one.event for one in found] == ["job", "execution", "reset"]
    for one in found:
        check_by_document("StreamedEvent", {"event": one.event, "id": one.id, "data": json.dumps(one.data)})
        described = DOCUMENT["components"]["schemas"][f"{one.event.title()}Event"]["properties"]["data"]
        name = described["contentSchema"]["$ref"].rpartition("/")[2]
        check_by_document(name, one.data)
        assert set(one.data) == set(DOCUMENT["components"]["schemas"][name]["properties"]) - {"recent"}
        assert not [key for key in one.data if "_" in key]
    assert [found[1].data[key] for key in ("errorMessage", "reason")] == [
        "two\nlines",
        "a\x85b\u2028c\u2029d",
    ]


def check_by_document(name: str, value: Any) -> None:
    """Check a value by a schema of the document; raises ValidationError."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    jsonschema_rs.validate(schema, value)


async def test_a_deletion_is_a_change(url: str, fresh_engine: AsyncEngine) -> None:
    await add_job(fresh_engine)
    async with listen(url) as stream:
        await stream.read()
        await write(fresh_engine, update(ScheduledJobRow).values(deleted_at=NOON))
        heard = (await stream.read_events(1))[0]
    assert (heard.event, heard.data["deletedAt"]) == ("job", "2026-11-01T12:00:00Z")


async def test_job_tells_up_to_when_its_history_is_deleted(url: str, fresh_engine: AsyncEngine) -> None:
    await add_job(fresh_engine)
    for number in (1, 2, 3):
        await add_run(fresh_engine, number)
    async with listen(url) as stream:
        await stream.read()
        async with fresh_engine.begin() as connection:
            await history_retention.delete_batch(connection, RetentionPolicy(NOON + timedelta(minutes=2), 99))
        heard = (await stream.read_events(1))[0]
    assert (heard.event, heard.data["historyFloor"]) == ("job", "2026-11-01T12:02:00Z")


@pytest.mark.parametrize(
    ("event_id", "reason"),
    [
        pytest.param("7", "UnknownId", id="a plain number, as before"),
        pytest.param("nonsense", "UnknownId", id="nonsense"),
        pytest.param("{log}-", "UnknownId", id="no number"),
        pytest.param("{log}--1", "UnknownId", id="a negative number"),
        pytest.param("{log}-999999999999999999", "UnknownId", id="a number that is to come"),
        pytest.param("{log}-9999999999999999999", "UnknownId", id="more than any column holds"),
        pytest.param("{log}-\u0661", "UnknownId", id="another script's digit"),
        pytest.param("x" * 20_000, "UnknownId", id="long"),
        pytest.param("0123456789abcdef0123456789abcdef-1", "OtherDatabase", id="of another database"),
    ],
)
async def test_who_cannot_go_on_is_told_and_begins_anew(
    url: str, fresh_engine: AsyncEngine, event_id: str, reason: str
) -> None:
    await add_job(fresh_engine)
    log_id = await read_log_id(fresh_engine)
    sent = event_id.format(log=log_id).encode()
    async with listen(url, sent) as stream:
        reset = (await stream.read_events(1))[0]
        await add_run(fresh_engine)
        following = (await stream.read_events(1))[0]
    assert (reset.event, reset.data, reset.id) == ("reset", {"reason": reason}, f"{log_id}-1")
    assert (following.event, following.id) == ("execution", f"{log_id}-2")


async def test_a_copy_of_the_database_has_another_log(fresh_engine: AsyncEngine, postgres: Postgres) -> None:
    await add_job(fresh_engine)
    own = await read_log_id(fresh_engine)
    await fresh_engine.dispose()  # a database that is in use cannot be copied
    with copy_database(postgres, str(fresh_engine.url.database)) as copy:
        engine = build_engine(DatabaseSettings(database_url=copy))
        assert await read_log_id(engine) != own
        async with serve_on_port(copy) as serving:
            assert (await read_events(serving.url, 1, f"{own}-1"))[0].data == {"reason": "OtherDatabase"}
        await engine.dispose()


async def test_a_log_that_becomes_another_one_resets_those_who_listen(
    url: str, fresh_engine: AsyncEngine
) -> None:
    async with listen(url) as stream:
        await stream.read()
        await add_job(fresh_engine)
        known = (await stream.read_events(1))[0]
        await write(fresh_engine, text("UPDATE scheduler_event_log SET log_id = gen_random_uuid()"))
        reset = (await stream.read_events(1))[0]
    assert (known.event, reset.event, reset.data) == ("job", "reset", {"reason": "OtherDatabase"})
    assert reset.id == f"{await read_log_id(fresh_engine)}-1"


async def test_numbers_that_go_back_reset_those_who_listen(url: str, fresh_engine: AsyncEngine) -> None:
    for number in range(3):
        await add_job(fresh_engine, number)
    log_id = await read_log_id(fresh_engine)
    async with listen(url) as stream, listen(url, f"{log_id}-1") as behind:
        assert (await stream.read()).id == f"{log_id}-3"
        await behind.read_events(2)
        back = "SELECT setval('scheduler_changes', 1)"
        await write(fresh_engine, delete(ScheduledJobRow).where(ScheduledJobRow.change > 1), text(back))
        await write(fresh_engine, text("UPDATE scheduler_event_log SET forgotten_until = 0"))
        for listener in (stream, behind):
            reset = (await listener.read_events(1))[0]
            assert (reset.data, reset.id) == ({"reason": "UnknownId"}, f"{log_id}-1")
        await add_job(fresh_engine, 7)
        for listener in (stream, behind):
            heard = (await listener.read_events(1))[0]
            assert (heard.id, heard.data["name"]) == (f"{log_id}-2", "Job 7")


async def test_a_log_knows_its_rows_while_its_sequence_is_not_restored_yet(fresh_engine: AsyncEngine) -> None:
    for number in range(3):
        await add_job(fresh_engine, number)
    await write(fresh_engine, text("SELECT setval('scheduler_changes', 1)"))
    async with fresh_engine.connect() as connection:
        state = await read_state(connection)
    assert (state.newest, state.issued) == (3, 3)


async def test_who_comes_before_the_reader_has_looked_goes_on_from_there(
    fresh_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "PERIOD_SECONDS", 3600)
    changes = ChangeLog(fresh_engine, SimpleNamespace(authorship="claimed"))
    has_looked = changes.get_news(0)
    reading = asyncio.create_task(changes.run())
    await has_looked.wait()
    await add_job(fresh_engine)
    place = (await changes.read_state()).end
    assert await changes.read(place, None) == Portion(b"", place)
    reading.cancel()
    await asyncio.wait([reading])


async def test_who_has_missed_too_much_is_told(
    url: str, fresh_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MAX_BEHIND", 2)
    for number in range(4):
        await add_job(fresh_engine, number)
    log_id = await read_log_id(fresh_engine)
    assert (await read_events(url, 1, f"{log_id}-1"))[0].data == {"reason": "TooFarBehind"}
    assert [found.event for found in await read_events(url, 2, f"{log_id}-2")] == ["job", "job"]


async def test_who_was_away_while_a_deleted_job_was_forgotten_is_told(
    url: str, fresh_engine: AsyncEngine
) -> None:
    await add_job(fresh_engine)
    await write(fresh_engine, update(ScheduledJobRow).values(deleted_at=NOON))
    log_id = await read_log_id(fresh_engine)
    async with fresh_engine.begin() as connection:
        await history_retention.delete_batch(connection, RetentionPolicy(NOON, 99))
    await add_job(fresh_engine, 2)
    assert (await read_events(url, 1, f"{log_id}-1"))[0].data == {"reason": "TooFarBehind"}
    assert [found.event for found in await read_events(url, 1, f"{log_id}-2")] == ["job"]


async def test_who_is_told_so_while_much_is_still_to_be_read_is_told_once(
    url: str, fresh_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "MAX_NEWS", 1)
    monkeypatch.setattr(repository, "MAX_ROWS", 1)
    async with listen(url) as stream:
        await stream.read()
        rows = [insert(ScheduledJobRow).values(job_row(number)) for number in (1, 2, 3, 4)]
        forgotten = delete(ScheduledJobRow).where(ScheduledJobRow.id == numbered(3))
        await write(fresh_engine, *rows[:3], forgotten, rows[3])
        reset, following = await stream.read_events(2)
    assert (reset.event, reset.id.rpartition("-")[2]) == ("reset", "3")
    assert following.data["name"] == "Job 4"


async def test_silence_is_broken_by_a_heartbeat_that_says_how_far_it_is(
    url: str, fresh_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.2)
    log_id = await read_log_id(fresh_engine)
    async with listen(url, namespace="mine") as stream:
        await stream.read()
        await add_job(fresh_engine)
        while (beat := await stream.read()).id == f"{log_id}-0":
            assert (beat.comments, beat.data) == ([""], None)
        assert (beat.comments, beat.data, beat.id) == ([""], None, f"{log_id}-1")


async def test_who_has_fallen_behind_reads_on_from_the_database(
    url: str, fresh_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "MAX_CHANGES", 3)
    monkeypatch.setattr(tail, "PIECE_BYTES", 2_000)
    async with listen(url) as stream:
        greeting = await stream.read()
        await write(fresh_engine, *(insert(ScheduledJobRow).values(job_row(n)) for n in range(250)))
        heard = await stream.read_events(250)
    assert [found.data["name"] for found in heard] == [f"Job {n}" for n in range(250)]
    assert await read_events(url, 250, greeting.id) == heard


async def test_a_change_that_cannot_be_written_keeps_back_no_other(
    url: str, fresh_engine: AsyncEngine
) -> None:
    async with listen(url) as stream:
        await stream.read()
        await add_job(fresh_engine, 1, schedule_config=["no object"])
        await add_job(fresh_engine, 2)
        assert (await stream.read_events(1))[0].data["name"] == "Job 2"


async def test_reader_outlives_the_database(url: str, fresh_engine: AsyncEngine) -> None:
    others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with listen(url) as stream:
        await stream.read()
        await write(fresh_engine, others)
        await add_job(fresh_engine)
        assert (await stream.read_events(1))[0].data["name"] == "Job 1"


async def test_probes_and_metrics_are_open(url: str) -> None:
    root = url.removesuffix("/api/v1/scheduler")
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{root}/livez")).text == "ok\n"
        assert (await http.get(f"{root}/readyz")).json() == {"database": "ok", "mirror": "standing by"}
        await http.get(f"{url}/jobs")
        assert 'route="/jobs",status="200"' in (await http.get(f"{root}/metrics")).text
