"""What does the database know of the slots of a job? Which had a run, and which passed unseen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, literal_column, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.actions.slot_states import SlotHistory
from sundial_api.db.fetch import Row, fetch_all
from sundial_api.db.tables import ScheduledJobExecution, ScheduledJobSlot
from sundial_core.resources.names import build_run_id

EXECUTIONS = ScheduledJobExecution.__table__
SLOTS = ScheduledJobSlot.__table__
STARTED_NOTHING = and_(EXECUTIONS.c.status == "failed", EXECUTIONS.c.attempt == 0)
"""A request that was refused, skipped or withdrawn."""
MAX_UNSEEN = 10_000


async def read_history(connection: AsyncConnection, row: Row, slots: Sequence[datetime]) -> SlotHistory:
    """Read what is known of some slots of a job; `row` is how the job stands."""
    return SlotHistory(
        runs=await _find_runs(connection, row["id"], slots),
        unseen=await _list_unseen(connection, row["id"], slots),
        known_until=row["covered_until"] or row["created_at"],
        waiting=frozenset([*row["out_of_order"], *row["covered_out_of_order"]]),
        floor=row["history_floor"],
    )


async def _find_runs(
    connection: AsyncConnection, job_id: UUID, slots: Sequence[datetime]
) -> dict[datetime, UUID]:
    rows = await fetch_all(connection, select_runs(job_id, slots))
    return {row["scheduled_for"]: row["id"] for row in rows}


def select_runs(job_id: UUID, slots: Sequence[datetime]) -> Select[Any]:
    """Select the runs that slots have had: their own by id, those that were asked for by an index."""
    own = [UUID(build_run_id(str(job_id), slot)) for slot in slots]
    asked = and_(
        EXECUTIONS.c.job_id == job_id,
        EXECUTIONS.c.scheduled_for.in_(slots),
        EXECUTIONS.c.triggered_by != literal_column("'scheduler'"),
        not_(STARTED_NOTHING),
    )
    return select(EXECUTIONS.c.id, EXECUTIONS.c.scheduled_for).where(or_(EXECUTIONS.c.id.in_(own), asked))


async def _list_unseen(
    connection: AsyncConnection, job_id: UUID, slots: Sequence[datetime]
) -> tuple[tuple[datetime, datetime], ...]:
    """List the stretches without a mirror that some slots lie in."""
    if not slots:
        return ()
    query = select(SLOTS.c.first_slot, SLOTS.c.last_slot).where(
        SLOTS.c.job_id == job_id,
        SLOTS.c.verdict == "NotMirrored",
        SLOTS.c.first_slot <= slots[-1],
        SLOTS.c.last_slot >= slots[0],
    )
    rows = await fetch_all(connection, query.limit(MAX_UNSEEN))
    return tuple((row["first_slot"], row["last_slot"]) for row in rows)
