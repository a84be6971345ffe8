"""How does the installation stand, and how old is what is said of it? In the answer, and in every header."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import build_services, open_client, serve_reads
from testkit.query_plans import note_statements
from testkit.rows import NOON, instance_row

from sundial_api.auth.access import Action, AllowAll, describe_refusal
from sundial_api.auth.tokens import Caller, refuse
from sundial_api.db.mirror_tables import MirrorState
from sundial_api.db.tables import SchedulerInstance
from sundial_api.http.errors import HTTPProblem
from sundial_api.mirror import mirrored_until
from sundial_api.mirror.mirrored_until import MirroredUntil
from sundial_clock.sentences import say
from sundial_devcluster.polling import until_async

HEADER = "X-Mirrored-At"
UNTIL = datetime(2026, 11, 1, 11, 59, 30, 250_000, tzinfo=UTC)
SHOWN = "2026-11-01T11:59:30.250000Z"


class Failing(AllowAll):
    """Fails with what each namespace is called after."""

    async def require(self, caller: Caller, action: Action) -> None:
        if action.ns == "refused":
            raise HTTPProblem(403, describe_refusal(caller, action))
        if action.ns == "broken":
            raise RuntimeError("inside")


class Known:
    """Knows an instant, and looks for nothing."""

    def __init__(self, instant: datetime | None) -> None:
        self.instant = instant

    async def run(self) -> None:
        pass


async def add_instances(engine: AsyncEngine, *changes: dict[str, Any]) -> None:
    async with engine.begin() as connection:
        for number, change in enumerate(changes):
            row = instance_row(number, last_heartbeat=datetime.now(UTC)) | change
            await connection.execute(insert(SchedulerInstance).values(row))


async def read_status(database: str) -> Any:
    async with serve_reads(database) as api:
        return (await api.get("/status")).json()


LEADER = {"is_leader": True, "leader_since": NOON, "term": 42}


@pytest.mark.parametrize(
    ("leader", "hold", "fence"),
    [
        pytest.param(
            LEADER | {"fence": "ok"},
            {"isHeld": False, "heldBy": None, "heldUntil": None},
            {"state": "ok", "isInstalled": True, "term": 42},
            id="all is well",
        ),
        pytest.param(
            LEADER | {"fence": "absent", "held_by": "SUNDIAL_HOLD", "held_until": "it is started without"},
            {"isHeld": True, "heldBy": "SUNDIAL_HOLD", "heldUntil": "it is started without"},
            {"state": "absent", "isInstalled": False, "term": 42},
            id="held and not fenced",
        ),
        pytest.param(
            LEADER | {"fence": "broken"},
            {"isHeld": False, "heldBy": None, "heldUntil": None},
            {"state": "broken", "isInstalled": True, "term": 42},
            id="a fence that refuses all",
        ),
        pytest.param(
            LEADER | {"fence": "unknown"},
            {"isHeld": False, "heldBy": None, "heldUntil": None},
            {"state": "unknown", "isInstalled": None, "term": 42},
            id="a fence that is not known",
        ),
        pytest.param(LEADER | {"term": None}, None, None, id="a leader of before"),
        pytest.param({"term": 41, "held_by": "SUNDIAL_HOLD"}, None, None, id="nobody leads"),
    ],
)
async def test_hold_and_fence_are_what_the_leader_says(
    fresh_engine: AsyncEngine, fresh_database: str, leader: dict[str, Any], hold: Any, fence: Any
) -> None:
    await add_instances(fresh_engine, leader, {"term": 41, "held_by": "another", "fence": "broken"})
    status = await read_status(fresh_database)
    assert (status["hold"], status["fence"]) == (hold, fence)


async def test_a_leader_that_is_silent_says_nothing(fresh_engine: AsyncEngine, fresh_database: str) -> None:
    silent = {"last_heartbeat": datetime.now(UTC) - timedelta(minutes=5)}
    await add_instances(fresh_engine, LEADER | {"fence": "ok"} | silent)
    status = await read_status(fresh_database)
    assert (status["isRunning"], status["hold"], status["fence"]) == (False, None, None)


@pytest.fixture
async def api(fresh_database: str) -> AsyncIterator[httpx.AsyncClient]:
    async with serve_reads(fresh_database, access=Failing(), mirrored=Known(UNTIL)) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/status", 200),
        ("GET", "/settings", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/jobs?namespace=refused", 403),
        ("GET", "/nothing", 404),
        ("PATCH", "/jobs", 405),
        ("GET", "/jobs?page=0", 422),
        ("GET", "/jobs?namespace=broken", 500),
    ],
)
async def test_every_answer_says_up_to_when_all_is_mirrored(
    api: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await api.request(method, path)
    assert (answer.status_code, answer.headers[HEADER]) == (status, SHOWN)


async def test_an_answer_to_nobody_says_it_too(fresh_database: str) -> None:
    class Strict:
        async def identify(self, _token: str | None, *, is_read: bool) -> Caller:  # noqa: ARG002
            raise refuse(say("the token is not valid in this cluster"))

    async with serve_reads(fresh_database, authenticator=Strict(), mirrored=Known(UNTIL)) as api:
        answer = await api.get("/jobs")
    assert (answer.status_code, answer.headers[HEADER]) == (401, SHOWN)


async def test_what_is_beside_the_base_path_does_not_say_it(fresh_database: str) -> None:
    async with serve_reads(fresh_database, mirrored=Known(UNTIL)) as api:
        assert HEADER not in (await api.get("http://api/livez")).headers


async def test_an_answer_claims_no_more_than_was_known_when_its_request_came(fresh_database: str) -> None:
    known = Known(UNTIL)

    class Slow(AllowAll):
        async def require(self, caller: Caller, action: Action) -> None:  # noqa: ARG002
            known.instant = UNTIL + timedelta(minutes=1)

    async with serve_reads(fresh_database, access=Slow(), mirrored=known) as api:
        assert (await api.get("/jobs")).headers[HEADER] == SHOWN


async def test_nothing_is_claimed_before_anything_was_mirrored(fresh_database: str) -> None:
    async with serve_reads(fresh_database, mirrored=Known(None)) as api:
        answer = await api.get("/status")
    assert (HEADER in answer.headers, answer.json()["mirroredUntil"]) == (False, None)


@pytest.fixture
async def reader(fresh_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MirroredUntil]:
    """Give a reader that has found what a mirror committed, and looks often."""
    monkeypatch.setattr(mirrored_until, "PERIOD_SECONDS", 0.02)
    async with fresh_engine.begin() as connection:
        await connection.execute(update(MirrorState).values(mirrored_until=UNTIL))
    found = MirroredUntil(fresh_engine)
    task = asyncio.create_task(found.run())
    await until_async(partial(holds, found, UNTIL))
    yield found
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])  # it gives its connection back before the engine is disposed of


async def holds(reader: MirroredUntil, instant: datetime) -> bool:
    return reader.instant == instant


async def test_what_any_mirror_commits_is_known_soon(
    reader: MirroredUntil, fresh_engine: AsyncEngine
) -> None:
    later = UNTIL + timedelta(seconds=10)
    async with fresh_engine.begin() as connection:
        await connection.execute(update(MirrorState).values(mirrored_until=later))
    await until_async(partial(holds, reader, later))


async def test_the_last_known_stays_while_the_database_cannot_tell(
    reader: MirroredUntil, fresh_engine: AsyncEngine
) -> None:
    async with fresh_engine.begin() as connection:
        await connection.execute(text("ALTER TABLE scheduler_mirror_state RENAME TO gone"))
    with note_statements(fresh_engine.sync_engine) as asked:

        async def has_asked() -> bool:
            return len(asked) > 2

        await until_async(has_asked)
    assert reader.instant == UNTIL


async def test_no_request_asks_for_it(fresh_database: str) -> None:
    how = {"mirrored": Known(UNTIL)}
    async with build_services(fresh_database, **how) as application, open_client(application) as api:
        with note_statements(application.state.services.engine.sync_engine) as statements:
            answer = await api.get("/status")
    assert answer.json()["mirroredUntil"] == answer.headers[HEADER] == SHOWN
    assert len([one for one, _ in statements if "FROM scheduler_instances" in one]) == 1
    assert not [one for one, _ in statements if "scheduler_mirror_state" in one]
