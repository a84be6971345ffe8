"""How do values become rows? All writes of the mirror: guarded, each batch one transaction.

Transactions that write rows of the mirror take turns by an advisory lock: what one has read of a row is
still so when it writes. That makes merging in Python safe with two mirrors at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.imported_rows import IMPORTED
from sundial_api.http.job_fields import DEFAULT_TIMEOUT_SECONDS
from sundial_api.mirror.projection import slots
from sundial_api.mirror.projection.batches import Batch
from sundial_api.mirror.projection.custody import RunOwner, build_refusal, is_credible
from sundial_api.mirror.projection.executions import (
    UNKNOWN_STANDING,
    Execution,
    ExecutionRow,
    ExecutionStanding,
    build_row,
    load,
)
from sundial_api.mirror.projection.instances import Instance
from sundial_api.mirror.projection.merging import is_refused, merge
from sundial_api.mirror.projection.rejects import Reject
from sundial_api.mirror.projection.run_facts import RunFact, RunRequestFact
from sundial_api.mirror.projection.scheduled_jobs import ScheduleFact, ScheduleRow
from sundial_api.mirror.projection.versions import OLDEST, Version
from sundial_api.mirror.storage import change_log, gaps, quarantine
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
    *("task_function_id", "timeout_seconds", "deleted_at"),
    *gaps.COVERAGE,
)
_UPSERT_SCHEDULES = sql.build_upsert("scheduled_jobs", _SCHEDULE_COLUMNS, "id", sql.NEWER_OR_FULLER)
_UPSERT_EXECUTIONS = sql.build_upsert("scheduled_job_executions", sql.list_columns(ExecutionRow), "id")
_UPSERT_INSTANCES = sql.build_upsert(
    "scheduler_instances", (*sql.list_columns(Instance), "deleted_at"), "id", sql.NEWER
)


@dataclass(frozen=True, slots=True)
class SettledRuns:
    """The executions that changed, and the objects that are not of the run that they name."""

    rows: list[ExecutionRow]
    refused: list[Reject]


async def apply_batch(connection: AsyncConnection, batch: Batch, now: datetime) -> SettledRuns:
    """Write a batch, inside the transaction that is open; `now` is when deletions were seen.

    Returns what became of executions; what only claimed to be of a run is in quarantine then.
    """
    await take_turn(connection)
    if batch.functions:
        await write_functions(connection, batch.functions, now)
    status_facts, touched = (
        await _write_schedules(connection, batch.schedules, now) if batch.schedules else ([], [])
    )
    facts = [_date_deletion(fact, now) for fact in batch.facts]
    settled = await upsert_runs(connection, [*status_facts, *facts], touched)
    if batch.instances or batch.seats or batch.gone_instances:
        await _write_instances(connection, batch, now)
    kept = [*batch.rejects, *settled.refused]
    refused = {(reject.kind, reject.key) for reject in kept}
    await quarantine.release(connection, [key for key in batch.readable if key not in refused])
    await quarantine.keep(connection, kept, now)
    await _note_highest(connection, batch)
    return settled


def _date_deletion(fact: RunFact, now: datetime) -> RunFact:
    part = fact.part
    return replace(fact, part=part.date_deletion(now)) if isinstance(part, RunRequestFact) else fact


async def take_turn(connection: AsyncConnection) -> None:
    """Wait until no other transaction writes rows of the mirror; ours ends the turn."""
    await connection.execute(sql.LOCK_WRITES, {"key": WRITE_LOCK})


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
    newest = {s.row.id: s.date(now) for s in sorted(schedules, key=lambda schedule: schedule.version)}
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
    await change_log.note_changes(connection, accepted, known, now)
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
        await connection.execute(sql.DROP_MISPLACED_TAILS, {"jobs": dump(jobs)})


async def _read_schedules(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, Row]:
    rows = await read_rows(connection, sql.READ_SCHEDULES, ids=list(ids))
    return {str(row["id"]): row for row in rows}


def _is_newer(schedule: ScheduleFact, known: Row | None) -> bool:
    """Tell whether an object is newer than its row, or its row is of a release that read less of it."""
    if known is None:
        return True
    version = (*schedule.version, schedule.row.projection)
    return (known["epoch"], known["resource_version"], known["projection"]) < version


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
    buried = {
        str(row["id"]): version
        for row in namesakes
        if (version := versions[row["namespace"], row["resource_name"]]) > _version_of(row)
    }
    if buried:
        rows = [{"id": id_, "epoch": epoch, "number": number} for id_, (epoch, number) in buried.items()]
        await connection.execute(sql.BURY_SCHEDULES, {"rows": dump(rows), "now": now})
        await change_log.note_deletions(connection, buried, now)
    return list(buried)


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
        rows.append(to_row(schedule.row) | gaps.cover(schedule, known.get(schedule.row.id)) | own)
    return rows


def _name_of(schedule: ScheduleFact) -> Name:
    return schedule.row.namespace, schedule.row.resource_name


async def _write_slots(
    connection: AsyncConnection, accepted: list[ScheduleFact], known: Mapping[str, Row]
) -> None:
    """Write the slots that started nothing; one that a status tells otherwise by now goes."""
    changed = [s for s in accepted if s.row.recent_slots != _recent(known.get(s.row.id))]
    floors = {job_id: row["history_floor"] for job_id, row in known.items() if row["history_floor"]}
    rows = {(row.job_id, row.first_slot): row for s in changed for row in slots.parse_slots(s)}
    kept = [row for row in rows.values() if not _is_forgotten(row.last_slot, floors.get(row.job_id))]
    told_before = [s for s in changed if s.row.recent_slots and _recent(known.get(s.row.id))]
    horizons = {s.row.id: slots.compute_oldest(s.row.recent_slots) for s in told_before}
    jobs = [{"job_id": job_id, "horizon": oldest} for job_id, oldest in horizons.items() if oldest]
    if jobs:
        await connection.execute(sql.FORGET_SLOTS, {"jobs": dump(jobs), "rows": dump(kept)})
    await gaps.write_slots(connection, kept)


def _is_forgotten(instant: str, floor: datetime | None) -> bool:
    """Tell whether retention has deleted rows of that time already."""
    return floor is not None and instant.removesuffix("Z") <= format_instant(floor).removesuffix("Z")


async def upsert_runs(
    connection: AsyncConnection, facts: list[RunFact], touched: Iterable[str]
) -> SettledRuns:
    """Take facts, and settle the runs that they are about, as well as the open ones of the touched jobs."""
    facts = await _read_parents(connection, facts)
    shown = await _read_shown(connection, facts, touched)
    imported = {run_id for run_id, row in shown.items() if IMPORTED in row["sources"]}
    claims = [fact for fact in facts if fact.identity.run_id in imported]
    facts = [fact for fact in facts if fact.identity.run_id not in imported]
    loaded = {run_id: try_load(row) for run_id, row in shown.items() if run_id not in imported}
    known = {run_id: execution for run_id, execution in loaded.items() if execution is not None}
    identities = [fact.identity for fact in facts] + [execution.identity for execution in known.values()]
    jobs = await _read_jobs(connection, {identity.job_id for identity in identities if identity.job_id})
    executions, refused = _merge_credible(known, facts, jobs)
    rows = []
    for run_id, execution in executions.items():
        job = jobs.get(execution.identity.job_id)
        row = build_row(execution, parse_standing(job))
        is_same = execution is known.get(run_id) and _is_shown(row, shown[run_id])
        if not is_same and not (run_id not in shown and _is_history(row, job)):
            rows.append(row)
    if rows:
        await connection.execute(_UPSERT_EXECUTIONS, {"rows": dump(rows)})
    return SettledRuns(rows, [build_refusal(fact) for fact in [*claims, *refused]])


def _merge_credible(
    known: Mapping[str, Execution], facts: Iterable[RunFact], jobs: Mapping[str, Row]
) -> tuple[dict[str, Execution], list[RunFact]]:
    """Take facts; returns the runs, and the facts that only claim to be about one."""
    executions, refused = dict(known), []
    for fact in facts:
        identity = fact.identity
        job = jobs.get(identity.job_id)
        owner = RunOwner(job["namespace"], job["resource_name"]) if job is not None else None
        if not is_credible(fact, owner):
            refused.append(fact)
            continue
        execution = executions.get(identity.run_id)
        if execution is None and not identity.job_id:
            continue
        merged = executions[identity.run_id] = merge(execution, fact)
        if is_refused(merged, fact):
            refused.append(fact)
    return executions, refused


def try_load(row: Row) -> Execution | None:
    """Read back what a row was built from; one that cannot be read stays as it is."""
    try:
        return load(row["sources"], row["attempts"])
    except (LookupError, TypeError, ValueError):
        log.exception("the row of an execution cannot be read", execution=str(row["id"]))
        return None


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
