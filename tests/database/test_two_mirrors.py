"""Two mirrors that write at once, each in its own order and with repetitions, leave the rows of one."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from testkit.mirror_facts import build_pod_item, build_schedule_item, build_termination
from testkit.scheduled_jobs import UID, at, build_job_item

from sundial_api.mirror.projection.batches import (
    ObjectKind,
    Value,
    parse_deleted,
    parse_object,
    sort_values,
)
from sundial_api.mirror.storage import apply
from sundial_clock.instants import format_instant
from sundial_core.resources import names

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SLOTS = range(10, 130, 10)
SHOWN = (
    "SELECT id, status, reason, exit_code, attempts, completed_at FROM scheduled_job_executions",
    "SELECT job_id, first_slot, last_slot, count, verdict FROM scheduler_slots",
    "SELECT job_id, status, count FROM scheduler_execution_counts WHERE count > 0",
    "SELECT id, resource_version, active_count, deleted_at FROM scheduled_jobs",
)


def tell_story() -> list[Value]:
    """Tell of twelve slots: each runs and ends, or is skipped; Jobs are deleted, and the status tells all."""
    story: list[Value | None] = []
    recent: list[dict[str, Any]] = []
    version = 100
    for slot in SLOTS:
        version += 10
        said = {"slot": format_instant(at(slot)), "verdict": "Skipped", "reason": "AlreadyActive"}
        if slot % 40:
            story += _run(slot, version)
            run = {"runId": names.build_run_id(UID, at(slot)), "result": _result(slot)}
            said |= {
                "verdict": "Started",
                "reason": "Error",
                "completedAt": format_instant(at(slot + 5)),
                **run,
            }
        recent.insert(0, said)
        status = {"recentSlots": list(recent), "cursor": said["slot"]}
        story.append(
            parse_object(ObjectKind.SCHEDULED_JOB, build_schedule_item(version + 9, status=status), 1)
        )
    return [value for value in story if value is not None]


def _result(slot: int) -> str:
    return "Failed" if slot % 30 == 0 else "Succeeded"


def _run(slot: int, version: int) -> list[Value | None]:
    has_failed = _result(slot) == "Failed"
    job = build_job_item(slot, version=version)
    ended = build_job_item(slot, "Failed" if has_failed else "Complete", version=version + 3)
    pod = {"terminated": build_termination(3 if has_failed else 0)}
    name = f"pod-{slot}"
    return [
        parse_object(ObjectKind.JOB, job, 1),
        parse_object(ObjectKind.POD, build_pod_item(job, version=version + 1, name=name, running={}), 1),
        parse_object(ObjectKind.POD, build_pod_item(job, version=version + 2, name=name, **pod), 1),
        parse_object(ObjectKind.JOB, ended, 1),
        parse_deleted(
            ObjectKind.JOB, ended | {"metadata": ended["metadata"] | {"resourceVersion": str(version + 8)}}, 1
        ),
    ]


async def mirror(engine: AsyncEngine, events: list[Value], dice: random.Random) -> None:
    """Write events in batches of random size."""
    async with engine.connect() as connection:
        while events:
            size = dice.randint(1, 9)
            batch, events = events[:size], events[size:]
            async with connection.begin():
                await apply.apply_batch(connection, sort_values(batch), NOW)
            await asyncio.sleep(0)


async def read_all(connection: AsyncConnection) -> list[list[Any]]:
    return [sorted(map(str, (await connection.execute(text(query))).all())) for query in SHOWN]


@pytest.mark.parametrize("seed", range(4))
async def test_two_mirrors_leave_the_rows_of_one(fresh_engine: AsyncEngine, seed: int) -> None:
    dice = random.Random(seed)
    story = tell_story()
    shuffled = [dice.sample([*story, *story], k=2 * len(story)) for _ in range(2)]
    await asyncio.gather(*(mirror(fresh_engine, events, dice) for events in shuffled))
    async with fresh_engine.connect() as connection:
        found = await read_all(connection)
        await connection.rollback()
        async with connection.begin():
            await connection.execute(
                text("TRUNCATE scheduled_job_executions, scheduler_slots, scheduled_jobs")
            )
    await mirror(fresh_engine, story, dice)
    async with fresh_engine.connect() as connection:
        assert found == await read_all(connection)
