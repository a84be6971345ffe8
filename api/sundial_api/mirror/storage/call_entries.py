"""How does a call to this API get its entry in the log of changes? With exactly what it has changed.

Whoever saw the change first, the call or the mirror, has noted it from what was known before; what others
have changed besides becomes an entry of its own. The rule: docs/architecture.md, "The log of changes".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.mirror.projection.job_states import JobState, compare, describe_state, keep_touched, undo
from sundial_api.mirror.projection.sanitize import trim
from sundial_api.mirror.projection.scheduled_jobs import ScheduleFact
from sundial_api.mirror.projection.versions import Version
from sundial_api.mirror.storage import statements as sql
from sundial_api.mirror.storage.change_log import (
    WINDOW,
    ApiCaller,
    JobChangeRow,
    build_change_id,
    cap_entries,
    thin_out,
    write_entries,
)
from sundial_api.mirror.storage.json_rows import Row, read_rows
from sundial_clock.instants import format_instant, parse_instant
from sundial_core.resources.managed_fields import is_believable

OWN_MANAGER = "sundial-api"
"""The field manager of the API's own writes."""
MOMENT = timedelta(microseconds=1)
"""So far apart are the parts of an entry that was seen as one."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """What a call made of a ScheduledJob: `before` is what its patch was made from, None for a new one."""

    caller: ApiCaller
    before: ScheduleFact | None
    after: ScheduleFact

    @property
    def version(self) -> Version:
        """The version that it led to."""
        return self.after.version

    def describe(self) -> tuple[JobState, JobState]:
        """Describe the states before and after it."""
        before = describe_state(self.before.spec, self.before.annotations) if self.before else {}
        return before, describe_state(self.after.spec, self.after.annotations)


@dataclass(frozen=True, slots=True)
class Split:
    """What an entry becomes: what others changed before a call, the call's own, what others changed after."""

    lost: list[JobChangeRow]
    own: JobChangeRow
    rest: list[JobChangeRow]


async def note_call(connection: AsyncConnection, call: ApiCall, now: datetime) -> None:
    """Give a call its entry, in the turn of those who write, after its answer was taken."""
    own = _build_own(call, now)
    seen = await _read_since(connection, call)
    known = [_load(row) for row in seen if row["kind"] == own.kind or own.kind == "created"]
    covering = known[-1] if known and known[-1].from_version < own.version else None
    split = Split([], own, [])
    if covering is not None:
        split = _split(own, covering, call, await _read_state_after(connection, own.job_id, known[:-1]))
    own = split.own if split.lost else await _thin_out(connection, split.own, covering, now)
    parts = [*split.lost, own, *split.rest]
    if covering is not None and covering.id not in {part.id for part in parts}:
        await connection.execute(sql.DELETE_ENTRY, {"id": covering.id})
    await write_entries(connection, parts, {})
    await cap_entries(connection, [own.job_id])


def _build_own(call: ApiCall, now: datetime) -> JobChangeRow:
    row = call.after.row
    return JobChangeRow(
        id=build_change_id(row.id, call.version),
        job_id=row.id,
        namespace=row.namespace,
        kind="created" if call.before is None else "changed",
        seen_at=format_instant(now),
        changed_at=_find_written(call.after, now),
        manager=OWN_MANAGER,
        user_id=str(call.caller.user_id),
        generation=row.generation,
        change_count=1,
        fields=[] if call.before is None else compare(*call.describe()),
        from_version=call.before.row.resource_version if call.before is not None else 0,
        version=row.resource_version,
        epoch=row.epoch,
        user_name=trim(call.caller.name, 253),
        client_address=call.caller.address,
    )


def _find_written(after: ScheduleFact, now: datetime) -> str | None:
    """Find when the API wrote an object last, as that tells."""
    times = [write.at for write in after.writes if write.manager == OWN_MANAGER]
    at = max((at for at in times if is_believable(at, now)), default=None)
    return format_instant(min(at, now)) if at is not None else None


def _split(own: JobChangeRow, covering: JobChangeRow, call: ApiCall, left: JobState) -> Split:
    """Take a call's own change out of the entry that it is told with; `left` is the state after that."""
    before, after = call.describe()
    rest = keep_touched(compare(after, left), covering.fields)
    count = covering.generation - own.generation
    has_rest = covering.version > own.version and (bool(rest) or count > 0)
    seen_at = parse_instant(covering.seen_at) - (MOMENT if has_rest else timedelta(0))
    own = replace(own, seen_at=format_instant(seen_at), from_version=covering.from_version)
    lost = compare(undo(left, covering.fields, before), before) if _may_be_more(own) else []
    return Split(
        lost=[_build_lost(own, call, lost)] if lost else [],
        own=replace(own, from_version=own.version - 1) if lost else own,
        rest=[_build_rest(covering, own, rest, max(count, 1))] if has_rest else [],
    )


def _may_be_more(own: JobChangeRow) -> bool:
    """Tell whether there was a version between what was known and what the call made."""
    return own.kind == "changed" and own.from_version < own.version - 1


def _build_lost(own: JobChangeRow, call: ApiCall, fields: list[dict[str, Any]]) -> JobChangeRow:
    """Build the entry of what was changed before the call, and not seen: nobody knows by whom."""
    version = own.version - 1
    return replace(
        own,
        id=build_change_id(own.job_id, Version(own.epoch, version)),
        seen_at=format_instant(parse_instant(own.seen_at) - MOMENT),
        changed_at=None,
        manager=None,
        user_id=None,
        generation=call.before.row.generation if call.before is not None else 0,
        fields=fields,
        version=version,
        user_name=None,
        client_address=None,
    )


def _build_rest(
    covering: JobChangeRow, own: JobChangeRow, fields: list[dict[str, Any]], count: int
) -> JobChangeRow:
    """Build the entry of what was changed after the call; who created a job need not have changed it."""
    user_id = covering.user_id if covering.kind == "changed" else None
    return replace(
        covering,
        kind="changed",
        user_id=user_id,
        fields=fields,
        change_count=count,
        from_version=own.version,
    )


async def _thin_out(
    connection: AsyncConnection, own: JobChangeRow, covering: JobChangeRow | None, now: datetime
) -> JobChangeRow:
    """Give a call's entry, or that of the same caller's one before it with this in it."""
    named = {"job_id": own.job_id, "epoch": own.epoch, "version": own.version, "since": now - WINDOW}
    rows = await read_rows(connection, sql.READ_ENTRY_BEFORE, **named)
    if not rows or own.kind != "changed":
        return own
    recent = rows[0]["recent"] - (0 if covering is None else 1)
    return thin_out(own, {**rows[0], "recent": recent})


async def _read_since(connection: AsyncConnection, call: ApiCall) -> list[Row]:
    """Read the entries that tell of the version that a call led to, or of later ones, newest first."""
    named = {"job_id": call.after.row.id, "epoch": call.version.epoch, "version": call.version.number}
    return await read_rows(connection, sql.READ_ENTRIES_SINCE, **named)


async def _read_state_after(
    connection: AsyncConnection, job_id: str, later: Sequence[JobChangeRow]
) -> JobState:
    """Read a job's state, as it was before these changes, newest first."""
    rows = await read_rows(connection, sql.READ_STATE, job_id=job_id)
    state: JobState = rows[0]["state"] if rows else {}
    for entry in later:
        state = undo(state, entry.fields, {})
    return state


def _load(row: Row) -> JobChangeRow:
    """Read an entry back, as it was written."""
    times = {name: format_instant(row[name]) for name in ("seen_at", "changed_at") if row[name] is not None}
    ids = {name: str(row[name]) for name in ("id", "job_id", "user_id") if row[name] is not None}
    return JobChangeRow(**{name: row[name] for name in JobChangeRow.__slots__} | times | ids)
