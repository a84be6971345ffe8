"""Which slots wait for a place, and which stop waiting: dropped by a suspension, cancelled, overdue.

The rules: docs/semantics.md, "When a slot stops waiting".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sundial_core.decision.concurrency import Capacity, build_skip, count_active
from sundial_core.decision.snapshot import Context, Snapshot
from sundial_core.resources.plans import Plan, Problem
from sundial_core.resources.reasons import Reason
from sundial_core.resources.specs import CatchUp
from sundial_core.runs.run import KnownRuns
from sundial_core.status.queued import QueueEntry, by_slot
from sundial_core.status.verdicts import VerdictRecord


def list_waiting(
    stored: Iterable[QueueEntry],
    remembered: Iterable[QueueEntry],
    cursor: datetime | None,
    done: Collection[datetime],
) -> tuple[QueueEntry, ...]:
    """Find the slots that wait, oldest first: the stored ones, and those that the cursor has yet to pass.

    `done` have a Job or a verdict, stored or not.
    """
    unstored = (entry for entry in remembered if cursor is None or entry.slot > cursor)
    every = {entry.slot: entry for entry in (*stored, *unstored) if entry.slot not in done}
    return tuple(sorted(every.values(), key=by_slot))


def decide_dropped(
    snapshot: Snapshot, context: Context, known: KnownRuns, queue: Iterable[QueueEntry]
) -> Iterable[VerdictRecord]:
    """Decide which slots may not wait any longer.

    A suspension or pause drops all of them. A change of the schedule, or a suspension that is over again,
    drops those that waited before it. A slot whose create may still land is never dropped.
    """
    memory, plan = snapshot.memory, snapshot.plan
    unsure = memory.creating - memory.refused
    waiting = [entry for entry in queue if entry.slot not in unsure]
    if context.suspension is not None:
        return dropped_verdicts(waiting, f"held back: {context.suspension.message}")
    old = [entry for entry in waiting if context.broken_at is not None and entry.slot <= context.broken_at]
    dropped = dropped_verdicts(old, "the schedule was changed or held back while it waited")
    rest = [entry for entry in waiting if entry not in old]
    if isinstance(plan, Problem):
        return dropped
    if has_ended(plan, context.now):
        return (*dropped, *dropped_verdicts(rest, "endsAt has passed"))
    is_new = memory.decided_until is None or not context.decided.was_valid
    if (
        is_new
        and Capacity(plan.spec.concurrency, count_active(known, memory.creating, memory.retrying)).free > 0
    ):
        released = [job.released_at for job in snapshot.jobs if job.released_at is not None]
        rest = list_overdue(rest, released, plan.spec.catch_up, context.now)
        return (
            *dropped,
            *dropped_verdicts(rest, "a place was free for longer than catchUp.windowSeconds"),
        )
    return dropped


def has_ended(plan: Plan, now: datetime) -> bool:
    """Tell whether the last instant in which slots count has passed."""
    ends_at = plan.spec.schedule.ends_at
    return ends_at is not None and ends_at < now


def dropped_verdicts(waiting: Iterable[QueueEntry], message: str) -> tuple[VerdictRecord, ...]:
    """Build the verdicts on waiting slots that are dropped."""
    return tuple(build_skip(entry.slot, Reason.QUEUE_DROPPED, message) for entry in waiting)


def cancelled_verdicts(waiting: Iterable[QueueEntry]) -> tuple[VerdictRecord, ...]:
    """Build the verdicts on waiting slots that somebody has cancelled."""
    message = "ended by a person while it waited"
    return tuple(build_skip(entry.slot, Reason.CANCELLED, message) for entry in waiting)


def list_overdue(
    waiting: Iterable[QueueEntry], free_since: Iterable[datetime], catch_up: CatchUp, now: datetime
) -> list[QueueEntry]:
    """Find the slots for which a place has been free for too long, as a new leader finds it.

    `free_since` are the instants at which places became free. The grace counts as on time here too.
    """
    last = max(free_since, default=None)
    limit = timedelta(seconds=max(catch_up.window_seconds, catch_up.grace_seconds))
    return [entry for entry in waiting if now - max(entry.since, last or entry.since) > limit]
