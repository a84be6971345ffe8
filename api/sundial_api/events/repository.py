"""What has changed since? Rows by the number of their newest change, in the order of their commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from sqlalchemy import select, text, true
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.fetch import Row, fetch_all
from sundial_api.db.imported_rows import CLAIMED_AUTHORSHIP
from sundial_api.db.tables import ScheduledJobExecution, ScheduledJobRow
from sundial_api.events.places import LogState
from sundial_api.jobs.repository import select_jobs

JOBS = ScheduledJobRow.__table__
EXECUTIONS = ScheduledJobExecution.__table__

MAX_ROWS = 100
"""How many rows of each table are read at once: as many as a page of a list may have."""

READ_STATE = text(
    "SELECT log_id, forgotten_until, system_identifier, timeline_id, d.oid AS database_oid,"
    " CASE WHEN is_called THEN last_value ELSE 0 END AS issued,"
    " greatest((SELECT max(change) FROM scheduled_jobs),"
    "  (SELECT max(change) FROM scheduled_job_executions), 0) AS newest"
    " FROM scheduler_event_log, pg_control_system(), pg_control_checkpoint(), scheduler_changes,"
    " pg_database d WHERE d.datname = current_database()"
)


@dataclass(frozen=True, slots=True)
class ChangedRows:
    """Rows that changed after a number, all of them up to `end`."""

    jobs: Sequence[Row]
    executions: Sequence[Row]
    end: int


async def read_state(connection: AsyncConnection) -> LogState:
    """Read how the log stands."""
    row: Row = dict((await connection.execute(READ_STATE)).mappings().one())
    issued = max(row["newest"], row["issued"])  # while a restore is under way, it may not know its rows yet
    return LogState(_name_log(row), row["newest"], issued, row["forgotten_until"])


def _name_log(row: Row) -> str:
    """Name the log by all that changes when its numbers may begin to mean something else.

    A copy of the database has another oid or another server; one that is restored to an instant of before, or
    replaced by a standby, another timeline.
    """
    server = f"{row['system_identifier']}/{row['timeline_id']}/{row['database_oid']}"
    return uuid5(UUID(str(row["log_id"])), server).hex


async def list_changed(
    connection: AsyncConnection, after: int, until: int, namespaces: Collection[str] | None
) -> ChangedRows:
    """List what changed after a number, in order, as far as both lists reach.

    `until`: a number up to which all is committed. What is committed between the two queries is above it:
    who would go on from there would never see the other half.
    """
    found: list[Sequence[Row]] = []
    for query, table in ((select_jobs(), JOBS), (select(EXECUTIONS, CLAIMED_AUTHORSHIP), EXECUTIONS)):
        where = table.c.namespace.in_(namespaces) if namespaces is not None else true()
        between = (table.c.change > after) & (table.c.change <= until)
        ordered = query.where(between, where).order_by(table.c.change).limit(MAX_ROWS)
        found.append(await fetch_all(connection, ordered))
    end = min(rows[-1]["change"] if len(rows) == MAX_ROWS else until for rows in found)
    jobs, executions = ([row for row in rows if row["change"] <= end] for rows in found)
    return ChangedRows(jobs, executions, end)
