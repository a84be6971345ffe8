"""How many slots passed while nothing was mirrored? Kept until all is written that tells of them.

A gap is closed when Jobs are mirrored up to the version at which it was found: of its runs, what is still in
the cluster is a row by then. Only slots that the status had decided count: a run that it does not tell of yet
fills no gap (docs/architecture.md, "Slots that started nothing").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.mirror.projection import slots
from sundial_api.mirror.projection.scheduled_jobs import ScheduleFact
from sundial_api.mirror.projection.slots import SlotRow
from sundial_api.mirror.projection.versions import Version
from sundial_api.mirror.storage import statements as sql
from sundial_api.mirror.storage.json_rows import Row, dump, read_rows
from sundial_clock.instants import format_instant
from sundial_core.resources.raw import JsonObject

_UPSERT_SLOTS = sql.build_upsert("scheduler_slots", sql.list_columns(SlotRow), "job_id, first_slot")

MAX_SLOTS = 100_000
"""How many rows of slots a job has at most; beside as many executions as are kept it has less."""

MAX_AT_ONCE = 50
"""Of how many jobs gaps are closed at a beat, which other work waits for."""

_COVERED = (
    *("covered_until", "covered_slots", "covered_out_of_order"),
    *("covered_tail_from", "covered_tail_count"),
)
COVERAGE = (*_COVERED, "has_gap", "gap_version")
"""The columns that `cover` gives."""


def cover(schedule: ScheduleFact, known: Row | None) -> dict[str, Any]:
    """Say up to where all slots are mirrored; with a gap before what the status tells of, as before."""
    if not _has_gap(schedule, known):
        return {
            "covered_until": schedule.row.cursor,
            "covered_slots": slots.count_decided(schedule),
            "covered_out_of_order": schedule.row.out_of_order,
            **_find_tail(schedule.row.recent_slots),
            "has_gap": False,
            "gap_version": 0,
        }
    version = schedule.row.resource_version
    if known is None:
        return dict(zip(COVERAGE, (None, 0, [], None, 0, True, version), strict=True))
    kept = {name: known[name] for name in _COVERED}
    return kept | {
        "has_gap": True,
        "gap_version": known["gap_version"] if _follows(schedule, known) else version,
    }


def _find_tail(entries: list[JsonObject]) -> dict[str, Any]:
    """Find the newest slots in a row that started nothing: slots to come may be added to that row."""
    first, count = slots.find_newest_span(entries)
    return {"covered_tail_from": first, "covered_tail_count": count}


def _has_gap(schedule: ScheduleFact, known: Row | None) -> bool:
    """Tell whether slots may have been decided, since all was mirrored, that the status does not tell of."""
    if known is None:
        return slots.has_gap(schedule, None)
    until = known["covered_until"]
    waited = map(format_instant, known["covered_out_of_order"])
    return slots.has_gap(schedule, format_instant(until) if until else None) or slots.has_lost(
        schedule, waited
    )


def _follows(schedule: ScheduleFact, known: Row) -> bool:
    """Tell whether a status tells of all slots since the one before, so that the gap is no larger."""
    if not known["has_gap"] or known["epoch"] != schedule.row.epoch or known["cursor"] is None:
        return False
    waited = map(format_instant, known["out_of_order"])
    return not slots.has_gap(schedule, format_instant(known["cursor"])) and not slots.has_lost(
        schedule, waited
    )


async def write_slots(connection: AsyncConnection, rows: Sequence[SlotRow]) -> None:
    """Write slots that started nothing, and keep of each job the newest: a status may tell of any number."""
    if rows:
        await connection.execute(_UPSERT_SLOTS, {"rows": dump(rows)})
        ids = sorted({row.job_id for row in rows})
        await connection.execute(sql.CAP_SLOTS, {"ids": ids, "most": MAX_SLOTS})


async def list_closable(connection: AsyncConnection, mirrored: Version, after: str) -> list[str]:
    """List jobs after that id whose gaps can be closed when Jobs are mirrored up to a version."""
    values = {"epoch": mirrored.epoch, "jobs": mirrored.number, "after": after, "most": MAX_AT_ONCE}
    return [str(job_id) for job_id in await connection.scalars(sql.FIND_CLOSABLE_GAPS, values)]


async def close_gaps(connection: AsyncConnection, ids: Sequence[str]) -> int:
    """Write a row for the slots of jobs that passed unseen; returns how many rows it wrote."""
    found = await read_rows(connection, sql.MEASURE_GAPS, ids=ids)
    rows = []
    for job in found:
        missing = int(job["decided"] - job["covered_slots"] - job["runs"] - job["slots"])
        end = slots.compute_oldest(job["recent_slots"])
        if missing > 0 and end is not None:
            begin = job["covered_until"] or job["created_at"]
            rows.append(slots.build_gap(str(job["id"]), begin, end, missing))
    await write_slots(connection, rows)
    tails = [{"id": str(job["id"])} | _find_tail(job["recent_slots"]) for job in found]
    await connection.execute(sql.CLOSE_GAPS, {"rows": dump(tails)})
    return len(rows)
