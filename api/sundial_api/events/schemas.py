"""What GET /events sends: which events there are, how they are written, and how a document describes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import structlog
from pydantic import BaseModel, Field, GetJsonSchemaHandler, RootModel
from pydantic_core import CoreSchema

from sundial_api.db.fetch import Row
from sundial_api.events.places import LogPlace, ResetReason
from sundial_api.events.repository import ChangedRows
from sundial_api.events.tail import Change
from sundial_api.executions.schemas import ScheduledJobExecutionRead
from sundial_api.http.languages import speaking
from sundial_api.http.paging import NamespaceName
from sundial_api.http.wire import Instant, WireModel
from sundial_api.jobs.schemas import ScheduledJobRead
from sundial_clock.sentences import Language

log = structlog.get_logger()

LINE_BREAKS = "\x85\u2028\u2029"
"""Where Unicode ends a line, and JSON does not escape."""


class ChangeQuery(BaseModel):
    """Whose changes are wanted."""

    namespace: NamespaceName = None


class ChangedJob(ScheduledJobRead):
    """A job after a change."""

    deleted_at: Instant | None = None
    """When it was deleted; it is in no list any more, its executions still are."""
    history_floor: Instant | None = None
    """Its ended executions that began up to then are deleted, as old history is; they make no events."""


class StreamReset(WireModel):
    """Changes were missed that cannot be sent: what is shown has to be read again."""

    reason: ResetReason


@dataclass(frozen=True, slots=True)
class _WrittenAsText:
    """Describes a model as what it is on the wire: a text that holds its JSON."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "contentMediaType": "application/json", "contentSchema": handler(schema)}


EventId = Annotated[str, Field(description="For Last-Event-ID, to go on from here.")]


class JobEvent(BaseModel):
    """A job was made, changed or deleted."""

    event: Literal["job"]
    id: EventId
    data: Annotated[ChangedJob, _WrittenAsText()]


class ExecutionEvent(BaseModel):
    """An execution was made or changed."""

    event: Literal["execution"]
    id: EventId
    data: Annotated[ScheduledJobExecutionRead, _WrittenAsText()]


class ResetEvent(BaseModel):
    """Everything that is shown has to be read again."""

    event: Literal["reset"]
    id: EventId
    data: Annotated[StreamReset, _WrittenAsText()]


class StreamedEvent(RootModel[JobEvent | ExecutionEvent | ResetEvent]):
    """One event of the stream; `data` is JSON."""

    root: JobEvent | ExecutionEvent | ResetEvent = Field(discriminator="event")


def write_event(name: str, place: LogPlace, data: WireModel) -> bytes:
    """Write an event as it is sent.

    It is the same for all who listen, in English. JSON needs no line break; what some clients take for one is
    escaped, or a text could end an event and begin another.
    """
    with speaking(Language.ENGLISH):
        json = data.model_dump_json(by_alias=True)
    for character in LINE_BREAKS:
        json = json.replace(character, f"\\u{ord(character):04x}")
    return f"event: {name}\nid: {place}\ndata: {json}\n\n".encode()


def write_reset(place: LogPlace, reason: ResetReason) -> bytes:
    """Write the event that says that changes before a place were missed."""
    return write_event("reset", place, StreamReset(reason=reason))


def write_changes(rows: ChangedRows, log_id: str, authorship: str) -> list[Change]:
    """Write changed rows as events, in the order in which they were committed."""
    changes = [*_write_each("job", ChangedJob, rows.jobs, log_id, authorship)]
    changes += _write_each("execution", ScheduledJobExecutionRead, rows.executions, log_id, authorship)
    return sorted(changes, key=lambda change: change.number)


def _write_each(
    name: str, model: type[WireModel], rows: Iterable[Row], log_id: str, authorship: str
) -> Iterator[Change]:
    """Write rows; one that cannot be written keeps no other from being."""
    for row in rows:
        place = LogPlace(log_id, row["change"])
        try:
            text = write_event(name, place, model.model_validate(row, context=authorship))
        except Exception:
            log.exception("a change cannot be written", kind=name, id=str(row["id"]))
        else:
            yield Change(place.number, row["namespace"], text)
