"""Whatever tenants write, the mirror goes on, and nobody else's rows change.

SUNDIAL_ODDITIES sets how many objects are drawn (by hand a million), SUNDIAL_SEED where the draw begins.
"""

from __future__ import annotations

import os
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from testkit.mirror_facts import build_pod_item, build_schedule_item, build_termination
from testkit.mirror_sessions import EPOCH, NOW, Session
from testkit.odd_objects import NS, Oddities
from testkit.scheduled_jobs import at, build_job_item

from sundial_api.db.columns import Base
from sundial_api.mirror.maintenance import Maintenance
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.storage.quarantine import MAX_KEPT
from sundial_api.settings import DatabaseSettings
from sundial_clock.instants import format_instant

ODDITIES = int(os.environ.get("SUNDIAL_ODDITIES", "10000"))
SEED = int(os.environ.get("SUNDIAL_SEED", "20261127"))
AT_ONCE = 40
INNOCENT = "innocent"
TABLES = ("scheduled_jobs", "scheduled_job_executions", "scheduler_slots")
REACHED = {
    "schedules": "scheduled_jobs WHERE namespace = 'evil'",
    "attempts": "scheduled_job_executions WHERE namespace = 'evil' AND attempts <> '[]'",
    "Pods": "scheduled_job_executions WHERE namespace = 'evil' AND CAST(sources AS text) LIKE '%\"rank\"%'",
    "slots": "scheduler_slots WHERE verdict <> 'NotMirrored'",
    "gaps": "scheduler_slots WHERE verdict = 'NotMirrored'",
    "deletions": "scheduled_jobs WHERE deleted_at IS NOT NULL",
    "quarantine": "scheduler_quarantine",
}


def list_innocent(version: int) -> list[tuple[ObjectKind, dict[str, Any]]]:
    """Build a schedule of the namespace `team` with a run that has succeeded."""
    job = build_job_item(10, "Complete", version=version)
    slot = {"slot": format_instant(at(5)), "verdict": "Skipped", "reason": "AlreadyActive"}
    status = {"recentSlots": [slot], "cursor": format_instant(at(10))}
    said = build_termination(0, {"sundial": 1, "result": {"rows": 1}})
    return [
        (ObjectKind.SCHEDULED_JOB, build_schedule_item(version, status=status)),
        (ObjectKind.JOB, job),
        (ObjectKind.POD, build_pod_item(job, version=version, terminated=said)),
    ]


async def read_innocent(connection: AsyncConnection) -> list[Any]:
    """Read all rows of the namespace `team`, without what numbers changes."""
    found = []
    async with connection.begin():
        for table in TABLES:
            where = "job_id IN (SELECT id FROM scheduled_jobs WHERE namespace = 'team')"
            where = where if table == "scheduler_slots" else "namespace = 'team'"
            rows = await connection.execute(text(f"SELECT * FROM {table} WHERE {where}"))
            found.append([{k: v for k, v in row.items() if k != "change"} for row in rows.mappings()])
    return found


async def read_reached(connection: AsyncConnection) -> dict[str, int]:
    """Count what odd objects have led to, in the tables that they are meant to reach."""
    async with connection.begin():
        return {
            name: int(await connection.scalar(text(f"SELECT count(*) FROM {where}")) or 0)
            for name, where in REACHED.items()
        }


async def clean_up(session: Session) -> None:
    """Do the mirror's chores over all of it, until nothing is left to do."""
    settings = DatabaseSettings(database_url="postgresql://", history_days=1, history_runs=3)
    chores = Maintenance(session.transactions, settings, MirrorMetrics(CollectorRegistry()))
    while await chores.run(NOW):
        pass


async def mirror(session: Session, objects: list[tuple[ObjectKind, dict[str, Any]]]) -> None:
    for kind, item in objects:
        session.feed.sinks[kind].put(item)
    while len(session.feed):
        await session.rows.write(session.feed)
    await session.rows.write(session.feed)


async def test_odd_objects_stop_nothing_and_touch_nobody_else(fresh_engine: AsyncEngine) -> None:
    oddities = Oddities(SEED)
    async with fresh_engine.connect() as connection:
        session = Session(connection)
        for kind in ObjectKind:
            session.list(kind, [], 1)
        await session.rows.write(session.feed)
        await mirror(session, list_innocent(10))
        expected = await read_innocent(connection)
        assert [len(rows) for rows in expected] == [1, 1, 1]
        for drawn in range(0, ODDITIES, AT_ONCE):
            objects = [oddities.draw() for _ in range(AT_ONCE)]
            await mirror(session, [*objects, *list_innocent(2000 + drawn)])
            for kind, item in objects[::3]:
                session.feed.sinks[kind].remove(oddities.age(item))
            session.watches[ObjectKind.JOB].resource_version = 100_000_000
            await mirror(session, [])
            await session.rows.close_gaps(EPOCH)
        await mirror(session, list_innocent(10_000_000))
        reached = await read_reached(connection)
        await clean_up(session)
        for table in Base.metadata.tables.values():
            async with connection.begin():
                (await connection.execute(select(table))).all()
        shown = await read_innocent(connection)
        kept = "SELECT count(*) FROM scheduler_quarantine WHERE namespace = :ns"
        async with connection.begin():
            quarantined = await connection.scalar(text(kept), {"ns": NS})
    await mirror_again(fresh_engine)
    async with fresh_engine.connect() as connection:
        assert shown == await read_innocent(connection)
    assert 0 < quarantined <= MAX_KEPT
    assert [name for name, count in reached.items() if not count] == []


async def mirror_again(engine: AsyncEngine) -> None:
    """Mirror the innocent alone, from nothing."""
    async with engine.connect() as connection:
        async with connection.begin():
            await connection.execute(text(f"TRUNCATE {', '.join(TABLES)}, scheduler_execution_counts"))
        session = Session(connection)
        await session.transactions.enter()
        await mirror(session, list_innocent(10))
        await mirror(session, list_innocent(10_000_000))
