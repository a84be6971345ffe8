"""How does a caller read its own write? The API server's answer to it becomes rows at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.mirror.projection.batches import (
    Absence,
    Burial,
    ObjectKind,
    parse_deleted,
    parse_object,
    sort_values,
)
from sundial_api.mirror.projection.scheduled_jobs import ScheduleFact
from sundial_api.mirror.storage import apply
from sundial_api.mirror.storage import statements as sql
from sundial_api.mirror.storage.call_entries import ApiCall, note_call
from sundial_api.mirror.storage.change_log import ApiCaller
from sundial_api.mirror.storage.tombstones import write_tombstones
from sundial_core.resources.raw import JsonObject


@dataclass(frozen=True, slots=True)
class ApiWrite:
    """A write of this API: who asked for it, and the object that it was made from; None for a new one."""

    caller: ApiCaller
    before: JsonObject | None


async def take_answers(
    connection: AsyncConnection, answers: Iterable[tuple[ObjectKind, JsonObject]], now: datetime
) -> None:
    """Write objects as the API server answered them, inside the transaction that is open.

    What the mirror brought meanwhile and is newer stays. A ScheduledJobRun becomes an execution.
    """
    epoch = await _read_epoch(connection)
    values = [parse_object(kind, item, epoch) for kind, item in answers]
    await apply.apply_batch(connection, sort_values(values), now)


async def take_deletion(
    connection: AsyncConnection, kind: ObjectKind, item: JsonObject, now: datetime
) -> None:
    """Write that an object is gone, given its last state, inside the transaction that is open."""
    value = parse_deleted(kind, item, await _read_epoch(connection))
    if isinstance(value, Burial):
        gone = Absence(kind, value.version, frozenset())
        await write_tombstones(connection, gone, frozenset({value.uid}), now)
        return
    await apply.apply_batch(connection, sort_values([value]), now)


async def sign_answer(connection: AsyncConnection, item: JsonObject, write: ApiWrite, now: datetime) -> None:
    """Note who asked for a change of a ScheduledJob, after its answer was taken."""
    epoch = await _read_epoch(connection)
    after = parse_object(ObjectKind.SCHEDULED_JOB, item, epoch)
    before = parse_object(ObjectKind.SCHEDULED_JOB, write.before, epoch) if write.before else None
    if isinstance(after, ScheduleFact) and (before is None or isinstance(before, ScheduleFact)):
        await note_call(connection, ApiCall(write.caller, before, after), now)


async def _read_epoch(connection: AsyncConnection) -> int:
    epoch: int = (await connection.execute(sql.READ_EPOCH)).one().epoch
    return epoch


def next_version(item: JsonObject) -> JsonObject:
    """Give an object's state at its deletion, whose answer has no version: the one after the last known."""
    version = str(int(item["metadata"]["resourceVersion"]) + 1)
    return item | {"metadata": item["metadata"] | {"resourceVersion": version}}
