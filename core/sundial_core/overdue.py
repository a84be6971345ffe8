"""Which attempts should have ended long ago: what is known of them may be wrong, so their Jobs are read.

The rules: docs/semantics.md, "Attempts that do not end". Between two attempts nothing is overdue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sundial_core.conditions import Reason
from sundial_core.endings import Ending
from sundial_core.marks import LONGEST_SECONDS
from sundial_core.runs import ObservedJob, Run

PATIENCE = timedelta(minutes=5)
"""How long after its deadline an attempt without a result is read, and how long until it is read again."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """An attempt without a result, due to be looked into at `at`; `is_read`: it was, since its deadline."""

    run: Run
    job: ObservedJob
    at: datetime
    is_read: bool


def find_overdue_at(job: ObservedJob) -> datetime:
    """Find when an attempt is overdue if it has no result by then."""
    seconds = job.timeout_seconds or LONGEST_SECONDS
    return (job.started_at or job.created_at) + timedelta(seconds=seconds) + PATIENCE


def watch(
    newest: Mapping[str, ObservedJob], known: Mapping[str, Run], read_at: Mapping[str, datetime]
) -> Iterator[Overdue]:
    """Watch the newest attempts of the runs that have no result: when each is to be looked into next."""
    for run_id, job in newest.items():
        if job.result_at is None and not known[run_id].phase.is_result:
            at, last = find_overdue_at(job), read_at.get(run_id)
            is_read = last is not None and last >= at
            yield Overdue(known[run_id], job, last + PATIENCE if last and is_read else at, is_read)


def find_endings(watched: Iterable[Overdue]) -> list[Ending]:
    """Find the attempts to be ended: the API server has just said that they go on. Then Failed is awaited."""
    return [Ending(one.job, Reason.OVERDUE) for one in watched if one.is_read and not one.job.ended]
