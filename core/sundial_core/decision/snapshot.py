"""What a decision about one ScheduledJob is made from: what is seen, what is remembered, what holds now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sundial_core.decision import unstored_limit
from sundial_core.decision.concurrency import WaitingRequests
from sundial_core.decision.edits import compute_edits
from sundial_core.decision.effective_from import decide_effective_from, find_break, find_suspended_since
from sundial_core.decision.installation import InstallationState
from sundial_core.decision.remembered import Remembered
from sundial_core.resources.objects import ScheduledJob, ScheduledJobRun
from sundial_core.resources.plans import Plan, Problem
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.suspension import Suspension, find_suspension
from sundial_core.runs.jobs import ObservedJob, select_newest_attempts
from sundial_core.runs.pods import ObservedPod
from sundial_core.status.stored import StoredStatus, parse_stored_status


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a decision is made from."""

    job: ScheduledJob
    plan: Plan | Problem
    jobs: tuple[ObservedJob, ...]
    """The Jobs that are proved to be ours."""
    memory: Remembered
    pods: Mapping[str, tuple[ObservedPod, ...]] = field(default_factory=dict)
    """The Pods of each Job, by its UID."""
    installation: InstallationState = field(default_factory=InstallationState)
    run_requests: tuple[ScheduledJobRun, ...] = ()
    """The ScheduledJobRuns that name this ScheduledJob."""
    strangers: tuple[ObservedJob, ...] = ()
    """Jobs that claim to be ours and are not."""


@dataclass(frozen=True, slots=True)
class Context:
    """Where a schedule stands now."""

    now: datetime
    stored: StoredStatus
    decided: StoredStatus
    """The newest status that was decided, stored or not."""
    suspension: Suspension | None
    effective_from: datetime
    """Slots count after it."""
    suspended_since: datetime | None
    """When a suspension began that was not decided about yet."""
    seen: JsonObject
    """What users have written by now, for the status."""
    broken_at: datetime | None = None
    """What waits since before this is dropped."""
    newest: Mapping[str, ObservedJob] = field(default_factory=dict)
    """The Job of each run's newest attempt, by run id, as far as it is there."""
    waiting_requests: WaitingRequests = field(default_factory=WaitingRequests)
    """The ScheduledJobRuns that want a place."""
    is_stopped: bool = False
    """Nothing may start: too little of this ScheduledJob could be stored."""


def select_newest_jobs(snapshot: Snapshot, stored: StoredStatus) -> dict[str, ObservedJob]:
    """Map each run id to the Job of its newest attempt; a run whose newest Job is not there is left out.

    An older attempt's Job says nothing then: the newest was deleted, or has to be read.
    """
    attempts = {run_id: int(entry.get("attempt", 1)) for run_id, entry in stored.active.items()}
    for run in snapshot.memory.lost.values():
        attempts[run.run_id] = max(run.attempt, attempts.get(run.run_id, 1))
    newest = select_newest_attempts(snapshot.jobs)
    return {run_id: job for run_id, job in newest.items() if job.attempt >= attempts.get(run_id, 1)}


def build_context(snapshot: Snapshot, stored: StoredStatus, now: datetime) -> Context:
    """Find what holds now, from what was decided last: a change that is not stored yet has happened too."""
    decided = parse_stored_status(snapshot.memory.decided) if snapshot.memory.decided else stored
    suspension = find_suspension(snapshot.job, now)
    edits = compute_edits(snapshot.job, decided.seen, now)
    effective_from = decide_effective_from(snapshot.job, snapshot.plan, suspension, decided, edits)
    if stored.effective_from is not None:
        effective_from = max(effective_from, stored.effective_from)
    return Context(
        now,
        stored,
        decided,
        suspension,
        effective_from,
        suspended_since=find_suspended_since(snapshot.job, suspension, decided, edits),
        seen=edits.seen,
        broken_at=find_break(snapshot.job, snapshot.plan, suspension, decided, edits),
        newest=select_newest_jobs(snapshot, stored),
        is_stopped=unstored_limit.is_limit_reached(snapshot.memory, now),
    )
