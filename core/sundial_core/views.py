"""What a decision about one ScheduledJob is made from: what is seen, what is remembered, what holds now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sundial_core import backlog, holds
from sundial_core.backlog import Backlog
from sundial_core.circumstances import Circumstances
from sundial_core.edits import find_edits
from sundial_core.holds import Hold
from sundial_core.model import JsonObject
from sundial_core.objects import ScheduledJob, ScheduledJobRun
from sundial_core.plans import Plan, Problem
from sundial_core.queues import Rivals, Waiting
from sundial_core.runs import ObservedJob, ObservedPod, Run, find_newest_attempts
from sundial_core.stored import Stored, parse_stored
from sundial_core.verdicts import Judgement


@dataclass(frozen=True, slots=True)
class Memory:
    """What one process knows of a schedule and has not stored yet; lost in a crash, and then found anew.

    `judged_until`: each slot up to there has a Job, a judgement here, a create under way (`creating`), or
    waits (`queued`). `refused`: the creates of which nothing can land, `yielding` those of them that a newer
    slot makes Missed, `refusals`: what creates of slots were told. `retrying`: the ids of runs whose next
    attempt, or first one if somebody asked for them, is being created, `landing` those of them where it may
    exist by now; `ending`: the UIDs of Jobs that are being ended. By run id, `failed`: runs whose next
    attempt could not be created; `lost`: runs whose newest Job is known to be gone, as they were then;
    `rejected`: runs that were asked for and whose Job could not be created; `postponed`: what the API server
    says to creates that it refuses for now.
    `decided`: the newest status, not stored yet; `asked`: those of ScheduledJobRuns, by UID.
    `read_at`: when an attempt that is overdue was last read uncached, by run id.
    `reset_at`: to which instant a stored one of the future was set back. `refusal`: what the API server said
    to the newest patch of the status, until one succeeds; `backlog`: what waits for that, and `withheld` the
    judgements that only a status that is stored makes final.
    """

    judged_until: datetime | None = None
    judgements: tuple[Judgement, ...] = ()
    creating: frozenset[datetime] = frozenset()
    refused: frozenset[datetime] = frozenset()
    refusals: Mapping[datetime, str] = field(default_factory=dict)
    yielding: frozenset[datetime] = frozenset()
    queued: tuple[Waiting, ...] = ()
    retrying: frozenset[str] = frozenset()
    landing: frozenset[str] = frozenset()
    ending: frozenset[str] = frozenset()
    failed: Mapping[str, Run] = field(default_factory=dict)
    lost: Mapping[str, Run] = field(default_factory=dict)
    rejected: Mapping[str, Judgement] = field(default_factory=dict)
    postponed: Mapping[str, str] = field(default_factory=dict)
    decided: JsonObject = field(default_factory=dict)
    asked: Mapping[str, JsonObject] = field(default_factory=dict)
    read_at: Mapping[str, datetime] = field(default_factory=dict)
    reset_at: datetime | None = None
    refusal: str = ""
    backlog: Backlog = field(default_factory=Backlog)
    withheld: tuple[Judgement, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """All that a decision is made from; `pods` are those of each Job, by its UID.

    `jobs` are ours, `strangers` those that claim to be. `asked` are the ScheduledJobRuns that name this
    ScheduledJob.
    """

    job: ScheduledJob
    plan: Plan | Problem
    jobs: tuple[ObservedJob, ...]
    memory: Memory
    pods: Mapping[str, tuple[ObservedPod, ...]] = field(default_factory=dict)
    circumstances: Circumstances = field(default_factory=Circumstances)
    asked: tuple[ScheduledJobRun, ...] = ()
    strangers: tuple[ObservedJob, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a schedule stands now; `decided` is the newest status that was decided, stored or not.

    `held_since` is when a hold began that was not decided about yet, `seen` what users have written by now,
    for the status. What waits since before `broken_at` is dropped. `newest` are the Jobs of each run's newest
    attempt, by run id, as far as they are there; `rivals` are the ScheduledJobRuns that want a place.
    `is_stopped`: nothing may start, too little of this could be stored.
    """

    now: datetime
    stored: Stored
    decided: Stored
    hold: Hold | None
    effective_from: datetime
    held_since: datetime | None
    seen: JsonObject
    broken_at: datetime | None = None
    newest: Mapping[str, ObservedJob] = field(default_factory=dict)
    rivals: Rivals = field(default_factory=Rivals)
    is_stopped: bool = False


def find_newest_jobs(view: View, stored: Stored) -> dict[str, ObservedJob]:
    """Map each run id to the Job of its newest attempt; runs are left out of which that Job is not there.

    An older attempt's Job says nothing then: the newest was deleted, or has to be read.
    """
    attempts = {run_id: int(entry.get("attempt", 1)) for run_id, entry in stored.active.items()}
    for run in view.memory.lost.values():
        attempts[run.run_id] = max(run.attempt, attempts.get(run.run_id, 1))
    newest = find_newest_attempts(view.jobs)
    return {run_id: job for run_id, job in newest.items() if job.attempt >= attempts.get(run_id, 1)}


def find_moment(view: View, stored: Stored, now: datetime) -> Moment:
    """Find what holds now, from what was decided last: a change that is not stored yet has happened too."""
    decided = parse_stored(view.memory.decided) if view.memory.decided else stored
    hold = holds.find_hold(view.job, now)
    edits = find_edits(view.job, decided.seen, now)
    effective_from = holds.decide_effective_from(view.job, view.plan, hold, decided, edits)
    if stored.effective_from is not None:
        effective_from = max(effective_from, stored.effective_from)
    return Moment(
        now,
        stored,
        decided,
        hold,
        effective_from,
        held_since=holds.find_held_since(view.job, hold, decided, edits),
        seen=edits.seen,
        broken_at=holds.find_break(view.job, view.plan, hold, decided, edits),
        newest=find_newest_jobs(view, stored),
        is_stopped=backlog.is_full(view.memory, now),
    )
