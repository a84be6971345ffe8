"""Is it known who asked for a run? Where the API signed the request, and nobody else could have."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import serve_reads
from testkit.event_streams import listen, serve_on_port
from testkit.rows import execution_row, function_row, job_row, numbered

from sundial_api.db.engine import build_engine
from sundial_api.db.tables import ScheduledJobExecution, ScheduledJobRow, TaskFunctionRow
from sundial_api.events.places import LogPlace
from sundial_api.events.repository import read_state
from sundial_api.settings import DatabaseSettings

PLACE = f"/jobs/{numbered(1)}"
NAMED: dict[str, dict[str, Any]] = {
    "by its schedule": {},
    "by whoever says so": {"requested_by": "the queen"},
    "by a user of the API": {"requested_by": "zoe", "triggered_by_user_id": numbered(99)},
    "in another installation": {
        "requested_by": "amira",
        "triggered_by_user_id": numbered(98),
        "sources": {"imported": {"jobId": "1"}},
    },
}


class Guarded:
    """Has seen the policy work."""

    authorship = "known"


@pytest.fixture
async def stored(fresh_engine: AsyncEngine, fresh_database: str) -> str:
    async with fresh_engine.begin() as connection:
        await connection.execute(insert(TaskFunctionRow).values(function_row(2)))
        await connection.execute(insert(ScheduledJobRow).values(job_row(1, task_function_id=2)))
        for number, named in enumerate(NAMED.values()):
            row = execution_row(number, **named)
            await connection.execute(insert(ScheduledJobExecution).values(row))
    return fresh_database


async def read_streamed(database: str, **how: Any) -> list[dict[str, Any]]:
    """Read the executions that a stream tells of, from the beginning of the log on."""
    engine = build_engine(DatabaseSettings(database_url=database))
    async with engine.connect() as connection:
        beginning = LogPlace((await read_state(connection)).log_id, 0)
    await engine.dispose()
    async with serve_on_port(database, **how) as serving, listen(serving.url, str(beginning)) as stream:
        events = await stream.read_events(1 + len(NAMED))
    return [event.data for event in events if event.event == "execution"]


@pytest.mark.parametrize("policy", ["holds", "is not there"])
async def test_every_answer_says_whether_the_requester_is_known(stored: str, policy: str) -> None:
    how = {"signatures": Guarded()} if policy == "holds" else {}
    signed = "known" if policy == "holds" else "claimed"
    async with serve_reads(stored, **how) as api:
        lists = [
            (await api.get("/executions")).json()["executions"],
            (await api.get(f"{PLACE}/executions")).json()["executions"],
            (await api.get(PLACE)).json()["recentExecutions"],
        ]
        lists.append([(await api.get(f"/executions/{row['id']}")).json() for row in lists[0]])
    lists.append(await read_streamed(stored, **how))
    expected = {None: None, "the queen": "claimed", "zoe": signed, "amira": "claimed"}
    for rows in lists:
        assert {row["requestedBy"]: row["authorship"] for row in rows} == expected
