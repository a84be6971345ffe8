"""What a preview is asked for, and what it tells."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from sundial_api.http.languages import Shown
from sundial_api.http.wire import WHOLE, FreeJson, Instant, WireModel, WireRequest
from sundial_api.jobs.schemas import TypeId, ZoneName


class PreviewRequest(WireRequest):
    """A schedule as it would be written into a job, a job that is there, or both."""

    job_type_id: TypeId | None = None
    """Needed with scheduleConfig, and without jobId."""
    schedule_config: FreeJson | None = None
    """The job's own when left out."""
    time_zone: ZoneName | None = None
    """The job's own, else the installation's, when left out."""
    job_id: Annotated[UUID, Field(strict=False)] | None = None
    """A job whose schedule this is, or is to become: an interval then counts from that job's anchor."""
    count: Annotated[int, Field(ge=1, le=100), WHOLE] = 5
    """How many slots are wanted."""


class PreviewSlot(WireModel):
    """A slot, in UTC and by the clock of its zone."""

    at: Instant
    local: str


class PreviewResponse(WireModel):
    """What a schedule would do."""

    text: str
    time_zone: str
    slots: list[PreviewSlot]
    is_complete: bool
    """False when the search had to end before all slots were found; a warning says so."""
    warnings: list[Shown]
