"""How do values become rows? All writes of the mirror: guarded, each batch one transaction.

Transactions that write rows of the mirror take turns by an advisory lock: what one has read of a row is
still so when it writes. That makes merging in Python safe with two mirrors at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.http.job_fields import DEFAULT_TIMEOUT_SECONDS
from sundial_api.mirror.projection import slots
from sundial_api.mirror.projection.batches import Batch, Reject
from sundial_api.mirror.projection.custody import RunOwner, is_credible
from sundial_api.mirror.projection.executions import (
    UNKNOWN_STANDING,
    Execution,
    ExecutionRow,
    ExecutionStanding,
    build_row,
    load,
)
from sundial_api.mirror.projection.instances import Instance
from sundial_api.mirror.projection.merging import merge
from sundial_api.mirror.projection.run_facts import RunFact, RunRequestFact
from sundial_api.mirror.projection.scheduled_jobs import ScheduleFact, ScheduleRow
from sundial_api.mirror.projection.slots import SlotRow
from sundial_api.mirror.projection.versions import OLDEST, Version
from sundial_api.mirror.storage import statements as sql
from sundial_api.mirror.storage.function_ids import INLINE
from sundial_api.mirror.storage.json_rows import (
    Name,
    Row,
    dump,
    read_rows,
    to_row,
)
from sundial_api.mirror.storage.task_functions import ensure_function_ids, write_functions
from sundial_clock.instants import format_instant
from sundial_core.status.omitted import parse_omitted

log = structlog.get_logger()

WRITE_LOCK = 0x53_75_6E_4D_69_72_77
"""The advisory lock of transactions that write rows of the mirror."""

_SCHEDULE_COLUMNS = (
    *sql.list_columns(ScheduleRow),
    *("task_function_id", "timeout_seconds", "deleted_at", "covered_until", "covered_slots", "has_gap"),
)
_UPSERT_SCHEDULES = sql.build_upsert("scheduled_jobs", _SCHEDULE_COLUMNS, "id", sql.NEWER)
_UPSERT_EXECUTIONS = sql.build_upsert("scheduled_job_executions", sql.list_columns(ExecutionRow), "id")
_UPSERT_SLOTS = sql.build_upsert("scheduler_slots", sql.list_columns(SlotRow), "job_id, first_slot")
_UPSERT_INSTANCES = sql.build_upsert(
    "scheduler_instances", (*sql.list_columns(Instance), "deleted_at"), "id", sql.NEWER
)


async def apply_batch(connection: AsyncConnection, batch: Batch, now: datetime) -> list[ExecutionRow]:
    """Write a batch, inside the transaction that is open; `now` is when deletions were seen.

    Returns the executions that changed.
    """
    await connection.execute(sql.LOCK_WRITES, {"key": WRITE_LOCK})
    if batch.functions:
        await write_functions(connection, batch.functions, now)
    status_facts, touched = (
        await _write_schedules(connection, batch.schedules, now) if batch.schedules else ([], [])
    )
    settled = await upsert_runs(connection, [*status_facts, *batch.facts], touched)
    if batch.instances or batch.seats or batch.gone_instances:
        await _write_instances(connection, batch, now)
    if batch.rejects:
        await keep_rejects(connection, batch.rejects, now)
    if batch.readable:
        await connection.execute(sql.RELEASE_QUARANTINED, {"keys": batch.readable})
    await _note_highest(connection, batch)
    return settled


async def keep_rejects(connection: AsyncConnection, rejects: list[Reject], now: datetime) -> None:
    """Keep what could not be read or written, for people to look at."""
    await connection.execute(sql.KEEP_QUARANTINED, {"rows": dump(rejects), "now": now})


async def _note_highest(connection: AsyncConnection, batch: Batch) -> None:
    versions = [schedule.version for schedule in batch.schedules]
    versions += [Version(function.row.epoch, function.row.resource_version) for function in batch.functions]
    versions += [fact.part.version for fact in batch.facts]
    if versions:
        highest = max(versions)
        await connection.execute(sql.NOTE_HIGHEST, {"epoch": highest.epoch, "number": highest.number})


async def _write_schedules(
    connection: AsyncConnection, schedules: list[ScheduleFact], now: datetime
) -> tuple[list[RunFact], list[str]]:
    """Write ScheduledJobs; returns what they tell of runs, and whose open runs may stand otherwise."""
    newest = {s.row.id: s for s in sorted(schedules, key=lambda schedule: schedule.version)}
    known = await _read_schedules(connection, newest)
    accepted = [s for s in newest.values() if _is_newer(s, known.get(s.row.id))]
    if not accepted:
        return [], []
    namesakes = await _read_namesakes(connection, accepted)
    buried = await _bury_namesakes(connection, namesakes, accepted, now)
    living = _select_living(accepted, namesakes)
    rows = await _build_rows(connection, accepted, known)
    tombstones = [row | {"deleted_at": None if row["id"] in living else now} for row in rows]
    tombstones.sort(key=lambda row: row["deleted_at"] is None)
    await connection.execute(_UPSERT_SCHEDULES, {"rows": dump(tombstones)})
    await _drop_misplaced(connection, [s for s in accepted if s.row.id not in known])
    await _write_slots(connection, accepted, known)
    status_facts = [
        fact for s in accepted for fact in slots.list_status_facts(s, _recent(known.get(s.row.id)))
    ]
    return status_facts, [*buried, *(s.row.id for s in accepted)]


async def _drop_misplaced(connection: AsyncConnection, unknown: Iterable[ScheduleFact]) -> None:
    """Drop what objects of another namespace claimed to be runs of a job before it was mirrored."""
    jobs = [{"id": s.row.id, "namespace": s.row.namespace} for s in unknown]
    if jobs:
        await connection.execute(sql.DROP_MISPLACED, {"jobs": dump(jobs)})


async def _read_schedules(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, Row]:
    rows = await read_rows(connection, sql.READ_SCHEDULES, ids=list(ids))
    return {str(row["id"]): row for row in rows}


def _is_newer(schedule: ScheduleFact, known: Row | None) -> bool:
    return known is None or (known["epoch"], known["resource_version"]) < schedule.version


def _recent(known: Row | None) -> list[dict[str, Any]]:
    return known["recent_slots"] if known is not None else []


async def _read_namesakes(connection: AsyncConnection, accepted: list[ScheduleFact]) -> list[Row]:
    """Find live jobs with the name of one that is written: either was deleted unseen."""
    names = [{"namespace": s.row.namespace, "resource_name": s.row.resource_name} for s in accepted]
    found = await read_rows(connection, sql.FIND_NAMESAKES, names=dump(names))
    ids = {s.row.id for s in accepted}
    return [row for row in found if str(row["id"]) not in ids]


async def _bury_namesakes(
    connection: AsyncConnection, namesakes: list[Row], accepted: list[ScheduleFact], now: datetime
) -> list[str]:
    """Bury those that are older than the one that is written; returns their ids."""
    versions = {_name_of(s): s.version for s in sorted(accepted, key=lambda s: s.version)}
    rows = [
        {"id": str(row["id"]), "epoch": version.epoch, "number": version.number}
        for row in namesakes
        if (version := versions[row["namespace"], row["resource_name"]]) > _version_of(row)
    ]
    if rows:
        await connection.execute(sql.BURY_SCHEDULES, {"rows": dump(rows), "now": now})
    return [str(row["id"]) for row in rows]


def _version_of(row: Row) -> Version:
    return Version(row["epoch"], row["resource_version"])


def _select_living(accepted: list[ScheduleFact], namesakes: list[Row]) -> set[str]:
    """Find which ones are not known to be deleted: of a name, the newest."""
    taken = {(row["namespace"], row["resource_name"]): _version_of(row) for row in namesakes}
    newest: dict[Name, ScheduleFact] = {}
    for schedule in sorted(accepted, key=lambda s: s.version):
        if schedule.version > taken.get(_name_of(schedule), OLDEST):
            newest[_name_of(schedule)] = schedule
    return {schedule.row.id for schedule in newest.values() if not schedule.is_gone}


async def _build_rows(
    connection: AsyncConnection, accepted: list[ScheduleFact], known: Mapping[str, Row]
) -> list[dict[str, Any]]:
    """Build the rows with what other rows tell: the function's id and timeout, up to where all is covered."""
    names = [(s.row.namespace, s.function_name) for s in accepted if s.function_name]
    ids = await ensure_function_ids(connection, names)
    found = await read_rows(connection, sql.READ_TIMEOUTS, ids=list(ids.values()))
    timeouts = {row["id"]: row["default_timeout_seconds"] for row in found}
    rows = []
    for schedule in accepted:
        function_id = ids.get((schedule.row.namespace, schedule.function_name), INLINE)
        inherited = timeouts.get(function_id, DEFAULT_TIMEOUT_SECONDS)
        own = {
            "task_function_id": function_id,
            "timeout_seconds": schedule.row.own_timeout_seconds or inherited,
        }
        rows.append(to_row(schedule.row) | _cover(schedule, known.get(schedule.row.id)) | own)
    return rows


def _name_of(schedule: ScheduleFact) -> Name:
    return schedule.row.namespace, schedule.row.resource_name


def _cover(schedule: ScheduleFact, known: Row | None) -> dict[str, Any]:
    """Say up to where all slots are mirrored; with a gap before what the status tells of, as before."""
    until = known["covered_until"] if known is not None else None
    if slots.has_gap(schedule, format_instant(until) if until else None):
        before = known["covered_slots"] if known is not None else 0
        return {"covered_until": until, "covered_slots": before, "has_gap": True}
    decided = slots.count_decided(schedule)
    return {"covered_until": schedule.row.cursor, "covered_slots": decided, "has_gap": False}


async def _write_slots(
    connection: AsyncConnection, accepted: list[ScheduleFact], known: Mapping[str, Row]
) -> None:
    """Write the slots that started nothing; one that a status tells otherwise by now goes."""
    changed = [s for s in accepted if s.row.recent_slots != _recent(known.get(s.row.id))]
    floors = {job_id: row["history_floor"] for job_id, row in known.items() if row["history_floor"]}
    rows = {(row.job_id, row.first_slot): row for s in changed for row in slots.parse_slots(s)}
    kept = [row for row in rows.values() if not _is_forgotten(row.last_slot, floors.get(row.job_id))]
    told_before = [s for s in changed if s.row.recent_slots and _recent(known.get(s.row.id))]
    if told_before:
        jobs = [
            {"job_id": s.row.id, "horizon": slots.compute_oldest(s.row.recent_slots)} for s in told_before
        ]
        await connection.execute(sql.FORGET_SLOTS, {"jobs": dump(jobs), "rows": dump(kept)})
    if kept:
        await connection.execute(_UPSERT_SLOTS, {"rows": dump(kept)})


def _is_forgotten(instant: str, floor: datetime | None) -> bool:
    """Tell whether retention has deleted rows of that time already."""
    return floor is not None and instant.removesuffix("Z") <= format_instant(floor).removesuffix("Z")


async def upsert_runs(
    connection: AsyncConnection, facts: list[RunFact], touched: Iterable[str]
) -> list[ExecutionRow]:
    """Take facts, and settle the runs that they are about, as well as the open ones of the touched jobs.

    Returns the rows that it wrote.
    """
    facts = await _read_parents(connection, facts)
    shown = await _read_shown(connection, facts, touched)
    known = {run_id: load(row["sources"], row["attempts"]) for run_id, row in shown.items()}
    identities = [fact.identity for fact in facts] + [execution.identity for execution in known.values()]
    jobs = await _read_jobs(connection, {identity.job_id for identity in identities if identity.job_id})
    executions = _merge_credible(known, facts, jobs)
    rows = []
    for run_id, execution in executions.items():
        job = jobs.get(execution.identity.job_id)
        row = build_row(execution, parse_standing(job))
        is_same = execution is known.get(run_id) and _is_shown(row, shown[run_id])
        if not is_same and not (run_id not in shown and _is_history(row, job)):
            rows.append(row)
    if rows:
        await connection.execute(_UPSERT_EXECUTIONS, {"rows": dump(rows)})
    return rows


def _merge_credible(
    known: Mapping[str, Execution], facts: Iterable[RunFact], jobs: Mapping[str, Row]
) -> dict[str, Execution]:
    """Take facts but for those that only claim to be about a run."""
    executions, refused = dict(known), []
    for fact in facts:
        identity = fact.identity
        job = jobs.get(identity.job_id)
        owner = RunOwner(job["namespace"], job["resource_name"]) if job is not None else None
        if not is_credible(fact, owner):
            refused.append(identity)
            continue
        execution = executions.get(identity.run_id)
        if execution is not None or identity.job_id:
            executions[identity.run_id] = merge(execution, fact)
    if refused:
        first = {"namespace": refused[0].namespace, "run": refused[0].run_id}
        log.warning("objects are not of the run that they name", **first, objects=len(refused))
    return executions


async def _read_shown(
    connection: AsyncConnection, facts: list[RunFact], touched: Iterable[str]
) -> dict[str, Row]:
    """Read the rows of runs by id: those of the facts, and the open ones of the touched jobs."""
    rows: list[Row] = []
    if ids := list({fact.identity.run_id for fact in facts}):
        rows += await read_rows(connection, sql.READ_EXECUTIONS, ids=ids)
    if job_ids := list(touched):
        rows += await read_rows(connection, sql.READ_OPEN, job_ids=job_ids)
    return {str(row["id"]): row for row in rows}


async def _read_jobs(connection: AsyncConnection, ids: Collection[str]) -> dict[str, Row]:
    """Read how the schedules of runs stand, by id."""
    rows = await read_rows(connection, sql.READ_STANDINGS, ids=list(ids)) if ids else []
    return {str(row["id"]): row for row in rows}


def _is_history(row: ExecutionRow, job: Row | None) -> bool:
    """Tell whether retention has deleted runs of that time, so that this one is not to come back."""
    return job is not None and bool(row.completed_at) and _is_forgotten(row.started_at, job["history_floor"])


def _is_shown(row: ExecutionRow, shown: Row) -> bool:
    said = (row.status, row.phase, row.reason, row.error_message)
    return said == tuple(shown[name] for name in ("status", "phase", "reason", "error_message"))


def parse_standing(job: Row | None) -> ExecutionStanding:
    """Read what the row of a job says of its runs."""
    if job is None:
        return UNKNOWN_STANDING
    return ExecutionStanding(
        version=Version(job["epoch"], job["resource_version"]),
        cursor=format_instant(job["cursor"]) if job["cursor"] else None,
        active=frozenset(job["active_runs"]),
        omitted=parse_omitted(job["active_omitted"] or {}),
        horizon=slots.compute_oldest([job["oldest"]]) if job["oldest"] else None,
        deleted_at=format_instant(job["deleted_at"]) if job["deleted_at"] else None,
    )


async def _read_parents(connection: AsyncConnection, facts: list[RunFact]) -> list[RunFact]:
    """Find the jobs of ScheduledJobRuns that the operator has not looked at yet, by name."""
    orphans = {
        (fact.identity.namespace, fact.part.parent_name)
        for fact in facts
        if isinstance(fact.part, RunRequestFact) and not fact.identity.job_id
    }
    if not orphans:
        return facts
    names = [{"namespace": ns, "resource_name": name} for ns, name in orphans]
    found = await read_rows(connection, sql.FIND_NAMESAKES, names=dump(names))
    parents = {(row["namespace"], row["resource_name"]): str(row["id"]) for row in found}
    return [_with_parent(fact, parents) for fact in facts]


def _with_parent(fact: RunFact, parents: Mapping[Name, str]) -> RunFact:
    if fact.identity.job_id or not isinstance(fact.part, RunRequestFact):
        return fact
    parent = parents.get((fact.identity.namespace, fact.part.parent_name), "")
    return replace(fact, identity=replace(fact.identity, job_id=parent))


async def close_gaps(connection: AsyncConnection) -> int:
    """Write a row for the slots that passed unseen, once all that is known of them is written."""
    await connection.execute(sql.LOCK_WRITES, {"key": WRITE_LOCK})
    found = await read_rows(connection, sql.FIND_GAPS)
    rows = []
    for job in found:
        missing = job["decided"] - job["covered_slots"] - job["runs"] - job["slots"]
        if missing > 0:
            begin = job["covered_until"] or job["created_at"]
            end = slots.compute_oldest(job["recent_slots"])
            rows.append(slots.build_gap(str(job["id"]), begin, end, int(missing)))
    if rows:
        await connection.execute(_UPSERT_SLOTS, {"rows": dump(rows)})
    if found:
        await connection.execute(sql.CLOSE_GAPS, {"ids": [str(job["id"]) for job in found]})
    return len(rows)


async def _write_instances(connection: AsyncConnection, batch: Batch, now: datetime) -> None:
    rows = [to_row(instance) | {"deleted_at": None} for instance in batch.instances]
    if rows:
        await connection.execute(_UPSERT_INSTANCES, {"rows": dump(rows)})
    if batch.gone_instances:
        ids = [gone.id for gone in batch.gone_instances]
        await connection.execute(sql.BURY_INSTANCES, {"ids": ids, "now": now})
    for seat in sorted(batch.seats, key=lambda seat: seat.version)[-1:]:
        if seat.holder_id is None:
            await connection.execute(sql.UNSEAT_LEADER)
        else:
            await connection.execute(sql.SEAT_LEADER, {"holder": seat.holder_id, "since": seat.since})
