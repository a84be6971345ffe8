"""What answers about changes of jobs look like."""

from __future__ import annotations

from uuid import UUID

from sundial_api.http.paging import CursorQuery
from sundial_api.http.wire import Instant, WireModel

ChangedValue = str | int | float | bool | None


class JobChangeQuery(CursorQuery):
    """Which changes of a job are wanted."""


class FieldChangeRead(WireModel):
    """A field that was changed; it may be again as it was."""

    field: str
    """A path under the object, such as spec.schedule.cron, or paused, pausedBy, pausedReason, cancel."""
    before: ChangedValue = None
    after: ChangedValue = None
    """None where it is not there; `(not shown)` for arguments and template."""
    changes: int = 1
    """In how many of the changes that are told as one it was changed."""


class JobChangeRead(WireModel):
    """A change of a job."""

    id: UUID
    kind: str
    """created, changed or deleted."""
    seen_at: Instant
    """When it was seen first."""
    changed_at: Instant | None = None
    """When it was written, where the object tells."""
    manager: str | None = None
    """The field manager that wrote last, such as kubectl-edit, where the object tells."""
    user_id: UUID | None = None
    """Who wrote, where it was the API."""
    user_name: str | None = None
    client_address: str | None = None
    """From where, of a call to this API."""
    generation: int
    change_count: int
    """How many changes are told as this one, all of the same manager, user and address."""
    fields: list[FieldChangeRead]


class JobChangeListResponse(WireModel):
    """A page of changes, newest first."""

    changes: list[JobChangeRead]
    total: int
    next_cursor: str | None = None
