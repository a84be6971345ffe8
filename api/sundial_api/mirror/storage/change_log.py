"""How is it kept what was changed of jobs? One entry for each change that is seen, many at once as one.

The rule: docs/architecture.md, "The log of changes". All of it is in the transaction that writes the job, and
in its turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.mirror.projection.job_states import CALL, compare, describe_state, join, locate
from sundial_api.mirror.projection.sanitize import trim
from sundial_api.mirror.projection.scheduled_jobs import ScheduleFact
from sundial_api.mirror.projection.versions import Version
from sundial_api.mirror.storage import statements as sql
from sundial_api.mirror.storage.json_rows import Row, dump, read_rows, to_row
from sundial_clock.instants import format_instant, parse_instant
from sundial_core.resources.raw import JsonObject

MAX_KEPT = 1_000
"""How many entries of a job are kept, the newest."""
WINDOW = timedelta(minutes=10)
MAX_IN_WINDOW = 20
"""Beyond so many entries of a job in a window the newest one takes what follows of the same writer."""
MAX_JOINED = 130
"""How many fields an entry has at most: those of two states."""
WRITER = ("manager", "user_id", "user_name", "client_address")
"""The columns that tell who wrote; entries that differ in one are never joined."""


@dataclass(frozen=True, slots=True)
class JobChangeRow:
    """A row of `scheduled_job_changes`; who asked the API is told by `call_entries`."""

    id: str
    job_id: str
    namespace: str
    kind: str
    seen_at: str
    changed_at: str | None
    manager: str | None
    user_id: str | None
    generation: int
    change_count: int
    fields: list[JsonObject]
    from_version: int
    version: int
    epoch: int
    user_name: str | None = None
    client_address: str | None = None


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """Who asked the API for a change, and from which address."""

    user_id: UUID
    name: str
    address: str | None


_UPSERT_CHANGES = sql.build_upsert("scheduled_job_changes", sql.list_columns(JobChangeRow), "id")
_UPSERT_STATES = sql.build_upsert("scheduler_job_states", ("job_id", "state"), "job_id")


async def note_changes(
    connection: AsyncConnection, seen: Iterable[ScheduleFact], known: Mapping[str, Row], now: datetime
) -> None:
    """Note what is new of jobs that are written; `known` are their rows before, by id."""
    changed: list[ScheduleFact] = []
    entries: list[JobChangeRow] = []
    for schedule in seen:
        before = known.get(schedule.row.id)
        if schedule.is_gone:
            if before is None or before["deleted_at"] is None:
                entries.append(_build_entry(schedule, before, "deleted", now))
        elif before is None:
            entries.append(_build_entry(schedule, None, "created", now))
            changed.append(schedule)
        elif before["etag"] != schedule.row.etag or not before["has_state"]:
            changed.append(schedule)
    stored = await _read_changed(connection, [s for s in changed if s.row.id in known], now)
    states = {s.row.id: describe_state(s.spec, s.annotations) for s in changed}
    for schedule in changed:
        before = stored.get(schedule.row.id)
        if before is not None:
            after = states[schedule.row.id]
            entries += _list_changed(schedule, known[schedule.row.id], before, after, now)
    await write_entries(connection, entries, states)
    await cap_entries(connection, [entry.job_id for entry in entries if entry.job_id in known])


async def note_deletions(connection: AsyncConnection, gone: Mapping[str, Version], now: datetime) -> None:
    """Note that jobs are gone of which nobody saw how, by the version at which that is known."""
    rows = await read_rows(connection, sql.NAME_JOBS, ids=list(gone)) if gone else []
    entries = [_build_loss(str(row["id"]), row["namespace"], gone[str(row["id"])], now) for row in rows]
    await write_entries(connection, entries, {})


async def sign_deletion(connection: AsyncConnection, job_id: str, caller: ApiCaller) -> None:
    """Note who asked the API for a deletion."""
    named = {"user_id": caller.user_id, "user_name": trim(caller.name, 253), "address": caller.address}
    await connection.execute(sql.SIGN_DELETION, {"job_id": job_id} | named)


def _list_changed(
    schedule: ScheduleFact, known: Row, before: Row, after: Mapping[str, Any], now: datetime
) -> list[JobChangeRow]:
    """List the entry of a job that was changed, if it was: by its fields, or as its generation tells.

    A generation counts what was written. Where it rose and no field differs, all was changed back.
    """
    if before["state"] is None:
        return []
    fields = compare(before["state"], after)
    count = schedule.row.generation - known["generation"]
    if not fields and count <= 0:
        return []
    entry = _build_entry(schedule, known, "changed", now, fields)
    entry = replace(entry, change_count=max(count, 1))
    is_call_in_it = before["state"].get(CALL) != after[CALL]  # that call waits for this entry
    return [entry if is_call_in_it else thin_out(entry, before)]


def _build_entry(
    schedule: ScheduleFact, before: Row | None, kind: str, now: datetime, fields: Sequence[JsonObject] = ()
) -> JobChangeRow:
    """Build an entry, with who wrote, where managedFields tells that."""
    row = schedule.row
    is_told = kind != "deleted" and _tells_who(schedule, before, fields)
    user_id = row.created_by if kind == "created" else row.updated_by
    return JobChangeRow(
        id=build_change_id(row.id, schedule.version),
        job_id=row.id,
        namespace=row.namespace,
        kind=kind,
        seen_at=format_instant(now),
        changed_at=_limit(row.updated_at, now) if is_told else None,
        manager=trim(schedule.manager, 128) if is_told else None,
        user_id=None if kind == "deleted" else user_id,
        generation=row.generation,
        change_count=1,
        fields=list(fields),
        from_version=before["resource_version"] if before and before["epoch"] == row.epoch else 0,
        version=row.resource_version,
        epoch=row.epoch,
    )


def _build_loss(job_id: str, ns: str, version: Version, now: datetime) -> JobChangeRow:
    return JobChangeRow(
        id=build_change_id(job_id, version),
        job_id=job_id,
        namespace=ns,
        kind="deleted",
        seen_at=format_instant(now),
        changed_at=None,
        manager=None,
        user_id=None,
        generation=0,
        change_count=1,
        fields=[],
        from_version=0,
        version=version.number,
        epoch=version.epoch,
    )


def _tells_who(schedule: ScheduleFact, before: Row | None, fields: Sequence[JsonObject]) -> bool:
    """Tell whether the newest edit is this one: times have seconds only, and a removal moves none.

    In the same second as the edit before it is, where its manager holds all that was changed.
    """
    updated_at = parse_instant(schedule.row.updated_at)
    if before is None or updated_at != before["updated_at"]:
        return before is None or updated_at > before["updated_at"]
    newest = schedule.newest
    return newest is not None and bool(fields) and all(newest.holds(locate(f["field"])) for f in fields)


def _limit(instant: str, now: datetime) -> str:
    """Give an instant, but none of the future: the API server's clock may be a little ahead."""
    return format_instant(min(parse_instant(instant), now))


def thin_out(entry: JobChangeRow, stored: Row) -> JobChangeRow:
    """Give an entry, or the one before it with this in it, where there were many of the job just now.

    `stored` is the one before it, and how many are `recent`. Only entries of one writer are joined.
    """
    if stored["recent"] < MAX_IN_WINDOW or stored["kind"] != "changed" or not _is_same_writer(entry, stored):
        return entry
    fields = join(stored["fields"], entry.fields)
    if len(fields) > MAX_JOINED:
        return entry
    return replace(
        entry,
        id=str(stored["id"]),
        seen_at=format_instant(stored["seen_at"]),
        change_count=stored["change_count"] + entry.change_count,
        fields=fields,
        from_version=stored["from_version"],
    )


def _is_same_writer(entry: JobChangeRow, stored: Row) -> bool:
    return all(str(getattr(entry, name)) == str(stored[name]) for name in (*WRITER, "epoch"))


def build_change_id(job_id: str, version: Version) -> str:
    """Build the id of what was changed of a job up to a version."""
    return str(uuid5(UUID(job_id), f"{version.epoch}/{version.number}"))


async def _read_changed(
    connection: AsyncConnection, changed: Sequence[ScheduleFact], now: datetime
) -> dict[str, Row]:
    """Read of jobs what was known of them, their newest entry, and how many they had in the window."""
    if not changed:
        return {}
    ids = [schedule.row.id for schedule in changed]
    rows = await read_rows(connection, sql.READ_CHANGED, ids=ids, since=now - WINDOW)
    return {str(row["changed_id"]): row for row in rows}


async def write_entries(
    connection: AsyncConnection, entries: Sequence[JobChangeRow], states: Mapping[str, dict[str, Any]]
) -> None:
    """Write entries, and how the jobs are that they tell of."""
    if entries:
        await connection.execute(_UPSERT_CHANGES, {"rows": dump([to_row(entry) for entry in entries])})
    if states:
        rows = [{"job_id": job_id, "state": state} for job_id, state in states.items()]
        await connection.execute(_UPSERT_STATES, {"rows": dump(rows)})


async def cap_entries(connection: AsyncConnection, job_ids: Sequence[str]) -> None:
    """Delete the oldest entries of jobs that have too many."""
    if job_ids:
        await connection.execute(sql.CAP_CHANGES, {"ids": list(job_ids), "most": MAX_KEPT})
