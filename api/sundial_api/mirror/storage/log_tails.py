"""Which logs are wanted, which are to be read next, and what is kept of them? `scheduled_job_log_tails`.

Nobody waits here for a row that another transaction holds but for a moment: who takes several passes over
those. The rule: docs/architecture.md, "The ends of logs".
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.mirror.projection.custody import KnownPod, list_known_pods
from sundial_api.mirror.projection.executions import ExecutionRow
from sundial_api.mirror.projection.log_texts import LogTail
from sundial_api.mirror.projection.run_messages import RunMessage, lacks_result
from sundial_api.mirror.storage import statements as sql
from sundial_api.mirror.storage.json_rows import Row, dump, read_rows, to_row
from sundial_api.settings import DatabaseSettings
from sundial_core.resources.phases import Phase
from sundial_core.resources.raw import JsonObject

MAX_KEPT = 50
"""Of how many attempts of a job a log is kept for a purpose, those that ended last."""
SHARE = 2
"""How many logs of one namespace are taken at once, however many wait."""
AMONG = 200
"""From how many, those that are due for longest, they are chosen."""
AGAIN_SECONDS = 10
"""When what was taken is due again; twice as long after each time that it could not be read."""
FAILURES = (Phase.FAILED, Phase.TIMED_OUT)


class LogPurpose(StrEnum):
    """What a log is read for."""

    TAIL = "tail"
    """To keep the end of it, of an attempt that failed."""
    RESULT = "result"
    """For its last line, of an attempt whose message had no room for its result."""


def choose_purposes(settings: DatabaseSettings) -> frozenset[LogPurpose]:
    """Choose what logs are read for."""
    chosen = {LogPurpose.TAIL: settings.log_tail_bytes, LogPurpose.RESULT: settings.results_from_logs}
    return frozenset(purpose for purpose, is_chosen in chosen.items() if is_chosen)


@dataclass(frozen=True, slots=True)
class TailWish:
    """The log of an attempt, wanted of a Pod that is proved to be the attempt's."""

    execution_id: str
    attempt: int
    pod_uid: str
    job_id: str
    namespace: str
    ended_at: str
    purpose: LogPurpose


@dataclass(frozen=True, slots=True)
class DueTail:
    """A log to be read now; `pod` is None where its Pod is not proved to be the attempt's any more."""

    execution_id: UUID
    attempt: int
    pod_uid: str
    namespace: str
    wanted_at: datetime
    purpose: LogPurpose
    pod: KnownPod | None

    @property
    def key(self) -> dict[str, object]:
        """What its row is known by."""
        return {"execution_id": self.execution_id, "attempt": self.attempt, "pod_uid": self.pod_uid}


async def want(
    connection: AsyncConnection, rows: Iterable[ExecutionRow], now: datetime, purposes: Container[LogPurpose]
) -> None:
    """Want the logs of attempts for these purposes, inside the transaction that writes their rows."""
    wishes = [to_row(wish) for row in rows for wish in list_wishes(row) if wish.purpose in purposes]
    if not wishes:
        return
    noted = await connection.scalars(sql.WANT_TAILS, {"rows": dump(wishes), "now": now})
    job_ids = sorted({str(job_id) for job_id in noted})
    if job_ids:
        await connection.execute(sql.CAP_TAILS, {"ids": job_ids, "most": MAX_KEPT})


def list_wishes(row: ExecutionRow) -> Iterator[TailWish]:
    """List what is wanted of the attempts of a run that had a Pod, as far as one job's share goes."""
    found = {entry["attempt"]: (entry["job"], _find_purpose(entry)) for entry in row.attempts}
    known = [pod for pod in list_known_pods(row.namespace, row.attempts) if found[pod.attempt][1]]
    for pod in known[-MAX_KEPT:]:
        job, purpose = found[pod.attempt]
        ended_at = job["completed_at"] or job["created_at"]
        if purpose is not None:
            yield TailWish(row.id, pod.attempt, pod.uid, row.job_id, row.namespace, ended_at, purpose)


def _find_purpose(entry: JsonObject) -> LogPurpose | None:
    """Find what the log of an attempt is wanted for: none has both purposes, and most have none."""
    job, pod = entry["job"], entry["pod"]
    if job is not None and job["phase"] in FAILURES:
        return LogPurpose.TAIL
    has_more = job is not None and pod is not None and lacks_result(pod.get("truncated") or ())
    return LogPurpose.RESULT if has_more and job["phase"] == Phase.SUCCEEDED else None


async def take_due(
    connection: AsyncConnection,
    now: datetime,
    most: int,
    busy: Sequence[str],
    purposes: Iterable[LogPurpose] = tuple(LogPurpose),
) -> list[DueTail]:
    """Take logs to be read, those that are due for longest first, a few of each namespace that is not busy.

    What was taken and is not settled is due again after a while, also when who took it is gone.
    """
    values = {
        "now": now,
        "most": most,
        "share": SHARE,
        "busy": list(busy),
        "purposes": list(purposes),
        "among": AMONG,
        "seconds": AGAIN_SECONDS,
    }
    taken = await read_rows(connection, sql.TAKE_DUE_TAILS, **values)
    if not taken:
        return []
    ids = list({str(row["execution_id"]) for row in taken})
    found = await read_rows(connection, sql.READ_ATTEMPTS, ids=ids)
    executions = {row["id"]: row for row in found}
    return [_build_due(row, executions.get(row["execution_id"])) for row in taken]


def _build_due(taken: Row, execution: Row | None) -> DueTail:
    attempts = execution["attempts"] if execution is not None else []
    pods = [pod for pod in list_known_pods(taken["namespace"], attempts) if pod.uid == taken["pod_uid"]]
    is_there = execution is not None and execution["namespace"] == taken["namespace"]
    pod = next((pod for pod in pods if pod.attempt == taken["attempt"]), None) if is_there else None
    return DueTail(**{**taken, "purpose": LogPurpose(taken["purpose"])}, pod=pod)


async def keep(
    connection: AsyncConnection, due: DueTail, container: str, tail: LogTail, now: datetime
) -> None:
    """Keep what was read of a log."""
    values = {"container": container, "text": tail.text, "is_cut": tail.is_cut, "now": now}
    await connection.execute(sql.KEEP_TAIL, due.key | values)


async def keep_result(
    connection: AsyncConnection, due: DueTail, container: str, message: RunMessage, now: datetime
) -> None:
    """Keep the result that the last line of a log tells."""
    values = {"container": container, "result": dump([message.result]), "now": now}
    await connection.execute(sql.KEEP_RESULT, due.key | values | {"is_cut": lacks_result(message.truncated)})


async def give_up(connection: AsyncConnection, due: DueTail) -> None:
    """Read a log no more: nothing is kept of it."""
    await connection.execute(sql.GIVE_UP_TAIL, due.key)


async def note_failure(connection: AsyncConnection, due: DueTail, most: int) -> bool:
    """Note that a log could not be read; tell whether that was the last of so many tries."""
    due_at = await connection.execute(sql.NOTE_TAIL_FAILURE, due.key | {"most": most})
    row = due_at.first()
    return row is not None and row.due_at is None
