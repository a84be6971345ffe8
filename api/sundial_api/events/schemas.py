"""What GET /events sends."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from sundial_api.events.repository import ChangedRows
from sundial_api.executions.schemas import ScheduledJobExecutionRead
from sundial_api.http.paging import NamespaceName
from sundial_api.http.wire import Instant
from sundial_api.jobs.schemas import ScheduledJobRead


class ChangedJob(ScheduledJobRead):
    """A job after a change; one that was deleted says when."""

    deleted_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A row after a change, with the number of that change."""

    number: int
    event: str
    data: ChangedJob | ScheduledJobExecutionRead


def order_changes(rows: ChangedRows) -> list[Change]:
    """Put changed rows in the order in which they were committed."""
    changes = [Change(row["change"], "job", ChangedJob.model_validate(row)) for row in rows.jobs]
    changes += [
        Change(row["change"], "execution", ScheduledJobExecutionRead.model_validate(row))
        for row in rows.executions
    ]
    return sorted(changes, key=lambda change: change.number)


class ChangeQuery(BaseModel):
    """Whose changes are wanted."""

    namespace: NamespaceName = None
