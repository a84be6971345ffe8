"""Which attempts should have ended long ago: what is known of them may be wrong, so their Jobs are read.

The rules: docs/semantics.md, "Attempts that do not end". Between two attempts nothing is overdue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sundial_core.resources.reasons import Reason
from sundial_core.runs.early_ends import Termination
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.run import Run
from sundial_core.runs.state import OVERDUE_AFTER


@dataclass(frozen=True, slots=True)
class Overdue:
    """An attempt without a result, due to be looked into at `at`; `is_read`: it was, since it is overdue.

    Until it has a result it is read again after `OVERDUE_AFTER`.
    """

    run: Run
    job: ObservedJob
    at: datetime
    is_read: bool


def watch(
    newest: Mapping[str, ObservedJob],
    known: Mapping[str, Run],
    read_at: Mapping[str, datetime],
    now: datetime,
) -> Iterator[Overdue]:
    """Watch the newest attempts that are overdue: when each is to be looked into next."""
    for run in known.values():
        at = run.overdue_at
        if at is None or at > now or run.phase.is_result or run.run_id not in newest:
            continue
        last = read_at.get(run.run_id)
        is_read = last is not None and last >= at
        yield Overdue(run, newest[run.run_id], last + OVERDUE_AFTER if last and is_read else at, is_read)


def list_stuck(watched: Iterable[Overdue]) -> list[Termination]:
    """Find the attempts to be ended: the API server has just said that they go on. Then Failed is awaited."""
    return [
        Termination(attempt.job, Reason.OVERDUE)
        for attempt in watched
        if attempt.is_read and not attempt.job.ended
    ]
