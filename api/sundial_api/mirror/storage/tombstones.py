"""What does a complete list say by not naming it? Finds the rows of objects that are gone, and buries them.

Only rows that are older than the list; a surprising lot of them needs a second list (`needs_second_list`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.mirror.projection.batches import Absence, ObjectKind
from sundial_api.mirror.projection.executions import Execution
from sundial_api.mirror.projection.run_facts import JobFact, RunFact, RunRequestFact
from sundial_api.mirror.projection.versions import Version
from sundial_api.mirror.storage import statements as sql
from sundial_api.mirror.storage.apply import take_turn, try_load, upsert_runs
from sundial_api.mirror.storage.change_log import note_deletions
from sundial_api.mirror.storage.json_rows import dump, read_rows
from sundial_core.resources.names import compute_named_for

FEW = 50
MAX_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Missing:
    """The UIDs of objects that a list does not name although there are rows of them, of how many."""

    uids: frozenset[str]
    total: int


def needs_second_list(missing: Missing) -> bool:
    """Tell whether so much is missing that one list is not enough to believe it."""
    return len(missing.uids) > FEW and len(missing.uids) > MAX_SHARE * missing.total


async def list_missing(connection: AsyncConnection, absence: Absence) -> Missing:
    """Find the objects that are in rows, older than a list, and not in it."""
    if absence.kind in (ObjectKind.TASK_FUNCTION, ObjectKind.SCHEDULED_JOB):
        is_function = absence.kind is ObjectKind.TASK_FUNCTION
        statement = sql.FIND_ABSENT_FUNCTIONS if is_function else sql.FIND_ABSENT_SCHEDULES
        covered = {"ns": absence.ns, "excepted": list(absence.excepted)}
        version = {"epoch": absence.version.epoch, "number": absence.version.number}
        values = {"listed": list(absence.listed)} | covered | version
        uids = frozenset(str(uid) for uid in await connection.scalars(statement, values))
        return Missing(uids, await connection.scalar(sql.COUNT_LIVE[absence.kind.value], covered) or 0)
    if absence.kind not in (ObjectKind.JOB, ObjectKind.SCHEDULED_JOB_RUN):
        return Missing(frozenset(), 0)
    facts = [fact for execution in await _read_open(connection) for fact in _list_present(absence, execution)]
    return Missing(
        frozenset(uid for uid, fact in facts if uid not in absence.listed and _is_older(fact, absence)),
        len(facts),
    )


async def write_tombstones(
    connection: AsyncConnection, absence: Absence, uids: frozenset[str], now: datetime
) -> None:
    """Write tombstones for objects that are gone, and settle the runs that this concerns."""
    await take_turn(connection)
    version = {"epoch": absence.version.epoch, "number": absence.version.number}
    if absence.kind is ObjectKind.TASK_FUNCTION:
        rows = [{"uid": uid} | version for uid in uids]
        await connection.execute(sql.BURY_FUNCTIONS, {"rows": dump(rows), "now": now})
    elif absence.kind is ObjectKind.SCHEDULED_JOB:
        rows = [{"id": uid} | version for uid in uids]
        found = await connection.scalars(sql.BURY_SCHEDULES, {"rows": dump(rows), "now": now})
        buried = [str(uid) for uid in found]
        await note_deletions(connection, dict.fromkeys(buried, absence.version), now)
        await upsert_runs(connection, [], buried)
    elif absence.kind in (ObjectKind.JOB, ObjectKind.SCHEDULED_JOB_RUN):
        facts = [
            bury_part(fact, absence.version, now)
            for execution in await _read_open(connection)
            for uid, fact in _list_present(absence, execution)
            if uid in uids and _is_older(fact, absence)
        ]
        await upsert_runs(connection, facts, [])


def _list_present(absence: Absence, execution: Execution) -> Iterable[tuple[str, RunFact]]:
    """Find what objects of the list's kind said last of an open run, if they are not known to be gone."""
    if not absence.covers(execution.identity.namespace):
        return
    if absence.kind is ObjectKind.SCHEDULED_JOB_RUN:
        request_fact = execution.request_fact
        if request_fact is not None and not request_fact.is_gone:
            yield execution.identity.run_id, RunFact(execution.identity, 0, request_fact)
        return
    for number, attempt in execution.attempts.items():
        if attempt.job is not None and not attempt.job.is_gone:
            named_for = compute_named_for(attempt.job.name, execution.identity.run_id, number)
            yield attempt.job.uid, RunFact(execution.identity, number, attempt.job, named_for)


def bury_part(fact: RunFact, version: Version, now: datetime) -> RunFact:
    """Say of a Job or a ScheduledJobRun that it is gone by that version, and was seen to be so now."""
    assert isinstance(fact.part, JobFact | RunRequestFact)
    gone = replace(fact.part, version=version, is_gone=True)
    return replace(fact, part=gone.date_deletion(now) if isinstance(gone, RunRequestFact) else gone)


def _is_older(fact: RunFact, absence: Absence) -> bool:
    return fact.part.version < absence.version


async def _read_open(connection: AsyncConnection) -> list[Execution]:
    """Read all runs that have not ended; one whose row cannot be read stays as it is."""
    rows = await read_rows(connection, sql.READ_ALL_OPEN)
    return [execution for row in rows if (execution := try_load(row)) is not None]
