"""Objects that the mirror writes, and its rows, as tests of the database write them down."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.mirror_facts import build_schedule_item
from testkit.scheduled_jobs import at, build_job_item

from sundial_api.mirror.projection.batches import ObjectKind, parse_object, sort_values
from sundial_api.mirror.storage import apply
from sundial_clock.instants import format_instant
from sundial_core.resources.raw import JsonObject

NOW = datetime(2026, 1, 2, tzinfo=UTC)


async def mirror(
    connection: AsyncConnection, *objects: tuple[ObjectKind, JsonObject], epoch: int = 1
) -> None:
    """Write objects together, as a batch of the mirror."""
    values = [parse_object(kind, item, epoch) for kind, item in objects]
    await apply.apply_batch(connection, sort_values(values), NOW)


async def read(connection: AsyncConnection, table: str, columns: str, where: str = "true") -> list[Any]:
    """Read columns of a table; a single one as plain values."""
    rows = await connection.execute(text(f"SELECT {columns} FROM {table} WHERE {where} ORDER BY 1"))
    return [tuple(row) if len(row) > 1 else row[0] for row in rows]


def schedule(version: int = 10, **how: Any) -> tuple[ObjectKind, JsonObject]:
    """Build a ScheduledJob."""
    return ObjectKind.SCHEDULED_JOB, build_schedule_item(version=version, **how)


def job(*arguments: Any, **how: Any) -> tuple[ObjectKind, JsonObject]:
    """Build the Job of the slot at 10 s."""
    return ObjectKind.JOB, build_job_item(10, *arguments, **how)


def entry(second: float, **more: Any) -> JsonObject:
    """Build the entry of a slot that was skipped."""
    return {"slot": format_instant(at(second)), "verdict": "Skipped", "reason": "AlreadyActive"} | more


def full_status(first: int, decided: int) -> JsonObject:
    """Build a status with the twenty newest slots from `first` on, of so many decided ones."""
    recent = [entry(second, message=str(second)) for second in range(first + 19, first - 1, -1)]
    return {
        "recentSlots": recent,
        "cursor": recent[0]["slot"],
        "counters": {"verdicts": {"skipped": {"AlreadyActive": decided}}},
    }
