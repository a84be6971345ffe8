"""What requests and answers of actions look like."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from sundial_api.actions.slot_states import SlotState
from sundial_api.http.languages import Shown
from sundial_api.http.wire import Flag, GivenInstant, Instant, StrictRequest, Text, WireModel
from sundial_core.resources.objects import MAX_MESSAGE_CHARS

PauseReason = Annotated[Text, Field(max_length=MAX_MESSAGE_CHARS)]

RequestReason = Annotated[Text, Field(max_length=1000)]


class PauseRequest(StrictRequest):
    """How long a job is to be paused, and why."""

    reason: PauseReason | None = None
    """For people, at most as long as a status shows."""
    until: GivenInstant | None = None
    """When the pause ends by itself; when left out, it lasts until somebody resumes the job."""


class BackfillRequest(StrictRequest):
    """Which slots of the past are to run."""

    since: GivenInstant = Field(alias="from")
    """The first instant of the range; a slot at it counts."""
    to: GivenInstant
    """The last instant of the range; a slot at it counts, and one that has not passed yet does not."""
    slots: Literal["missing", "all"] = "missing"
    """missing: only those that are known to have had no run; all: others too."""
    dry_run: Flag = False
    """Only tell what would run."""
    reason: RequestReason | None = None
    """Why, for people."""


class BackfillSlotRead(WireModel):
    """A slot of the range."""

    scheduled_for: Instant
    state: SlotState
    """Where it stood before this request. new: has had no run. asked: was asked for before, and not again.
    ran: has had a run. undecided: its own run may still come. unknown: the history does not tell whether it
    ran."""
    will_run: bool
    """Whether this request asks, or would ask, for a run of it."""
    execution_id: UUID | None = None


class BackfillResponse(WireModel):
    """What became, or would become, of a range."""

    job_id: UUID
    dry_run: bool
    total: int
    """How many slots the range has."""
    new_count: int
    """How many runs were, or would be, asked for."""
    problem: Shown | None = None
    """Of a dry run, why it would be refused."""
    slots: list[BackfillSlotRead]
    """Oldest first."""
