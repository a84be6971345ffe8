"""What would a schedule do? In words, its next slots, and what is odd about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from pydantic import Field

from sundial_api.http.wire import (
    FreeJson,
    Instant,
    WireModel,
    WireRequest,
)
from sundial_api.jobs import edits
from sundial_api.jobs.schemas import TypeId, ZoneName
from sundial_core.resources.raw import JsonObject

SHORT = timedelta(seconds=60)


class PreviewRequest(WireRequest):
    """A schedule as it would be written into a job."""

    job_type_id: TypeId
    schedule_config: FreeJson
    time_zone: ZoneName | None = None
    count: int = Field(default=5, ge=1, le=100)
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
    warnings: list[str]


def preview(body: PreviewRequest, zone: str, now: datetime) -> PreviewResponse:
    """Read a schedule and list its next slots after `now`; raises Invalid."""
    name = body.time_zone or zone
    schedule: JsonObject = edits.read_schedule(body.job_type_id, body.schedule_config) | {"timeZone": name}
    compiled = edits.check_timing({"schedule": schedule}, "default/preview", now)
    slots = compiled.slots_after(now, body.count)
    local = ZoneInfo(name)
    return PreviewResponse(
        text=compiled.text,
        time_zone=name,
        slots=[PreviewSlot(at=slot, local=slot.astimezone(local).isoformat()) for slot in slots],
        warnings=list(_list_warnings(slots, local, schedule)),
    )


def _list_warnings(slots: list[datetime], zone: ZoneInfo, schedule: JsonObject) -> Iterator[str]:
    if not slots:
        yield "no slot in the next ten years: the job would never run"
    if any(after - before < SHORT for before, after in pairwise(slots)):
        yield "slots are less than a minute apart; each run starts a Pod"
    if "interval" not in schedule and len({slot.astimezone(zone).utcoffset() for slot in slots}) > 1:
        yield "a clock change lies between these slots"
