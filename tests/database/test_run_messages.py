"""What a container tells of its run becomes the row of an execution, whatever it wrote; a real Postgres."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.mirror_facts import RUN_ID, build_pod_item, build_schedule_item, build_termination
from testkit.mirror_rows import read
from testkit.mirror_sessions import Session
from testkit.scheduled_jobs import at, build_job_item

from sundial_api.mirror.projection.batches import ObjectKind
from sundial_clock.instants import format_instant
from sundial_core.resources import names

ROW = "CAST(result AS jsonb), error_message, error_traceback, celery_task_id, exit_code"
TASK_ID = "3f6d9b0e-8a51-4c7e-b1a7-2f1f5a0c9d11"
EXIT = "Error: container main exited with code 3"


async def mirror(engine: AsyncEngine, said: str, code: int, **marks: str) -> list[Any]:
    """Mirror a run whose container ended with that message; returns its row."""
    condition, result = ("Failed", "Failed") if code else ("Complete", "Succeeded")
    job = build_job_item(10, condition, marks=marks)
    entry = {"runId": RUN_ID, "verdict": "Started", "result": result}
    if code:
        entry |= {"reason": "Error", "message": EXIT.removeprefix("Error: ")}
    slot = format_instant(at(10))
    status = {"cursor": slot, "recentSlots": [entry | {"slot": slot, "startedAt": slot}]}
    objects = [
        (ObjectKind.JOB, job),
        (ObjectKind.POD, build_pod_item(job, terminated=build_termination(code, said))),
        (ObjectKind.SCHEDULED_JOB, build_schedule_item(40, status=status)),
    ]
    async with engine.connect() as connection:
        session = Session(connection)
        for kind, item in objects:
            session.feed.sinks[kind].put(item)
        await session.rows.write(session.feed)
    async with engine.begin() as connection:
        assert await read(connection, "scheduler_quarantine", "error") == []
        return await read(connection, "scheduled_job_executions", ROW)


@pytest.mark.parametrize(
    ("said", "row"),
    [
        pytest.param('{"sundial": 1, "result": {"a": 1}}', ({"a": 1}, None, None, None, 0), id="a result"),
        pytest.param('{"sundial": 1, "result": 1, "x": 2}', ({"result": 1}, None, None, None, 0), id="keys"),
        pytest.param('{"result": {"a": 1}}', (None, None, None, None, 0), id="without the marker"),
        pytest.param(
            json.dumps({"sundial": 1, "task": {"id": TASK_ID, "state": "SUCCESS"}}),
            (None, None, None, TASK_ID, 0),
            id="a task",
        ),
        pytest.param(
            '{"sundial": 1, "result": {"a": "\\u0000\\ud800", "n": NaN}}',
            ({"a": "\ufffd\ufffd", "n": "nan"}, None, None, None, 0),
            id="what no column takes",
        ),
        pytest.param(
            '{"sundial": 1, "result": ' + "[" * 900 + "]" * 900 + "}",
            ({"result": json.loads("[" * 11 + '"<list>"' + "]" * 11)}, None, None, None, 0),
            id="deep",
        ),
        pytest.param('{"sundial": 1, "error": "' + "x" * 90_000 + '"}', (None,) * 4 + (0,), id="huge"),
    ],
)  # fmt: skip
async def test_the_result_of_a_run(fresh_engine: AsyncEngine, said: str, row: tuple[Any, ...]) -> None:
    assert await mirror(fresh_engine, said, 0) == [row]


@pytest.mark.parametrize(
    ("said", "row"),
    [
        pytest.param(
            '{"sundial": 1, "error": "ValueError: x", "traceback": "T"}',
            (None, "ValueError: x", "T", RUN_ID, 3),
            id="an error",
        ),
        pytest.param(
            'OOM score: {"sundial": 1, "error": "E: \\ud800\\u0000"}',
            (None, "E: \ufffd\ufffd", None, RUN_ID, 3),
            id="behind a runtime's words",
        ),
        pytest.param('{"sundial": 1, "error": "E', (None, EXIT, None, RUN_ID, 3), id="broken"),
        pytest.param("password=hunter2", (None, EXIT, None, RUN_ID, 3), id="words"),
        pytest.param(
            '{"sundial": 1, "error": {}, "traceback": 7, "task": {"id": "x"}, "result": null}',
            (None, EXIT, None, RUN_ID, 3),
            id="other types",
        ),
    ],
)
async def test_why_a_celery_run_failed(fresh_engine: AsyncEngine, said: str, row: tuple[Any, ...]) -> None:
    assert await mirror(fresh_engine, said, 3, **{names.CELERY_TASK: RUN_ID}) == [row]
