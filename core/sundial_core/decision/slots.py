"""What happens now to the slots of one schedule: the waiting, the due, and those whose create was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sundial_core.decision import (
    catch_up,
    clock_skew,
    concurrency,
    unstored_limit,
    waiting_slots,
)
from sundial_core.decision.catch_up import Due
from sundial_core.decision.concurrency import Capacity, Placement, RequestPlacement
from sundial_core.decision.snapshot import Context, Snapshot
from sundial_core.resources.plans import Plan, Problem
from sundial_core.resources.reasons import Reason
from sundial_core.runs.run import KnownRuns
from sundial_core.status.queued import QueueEntry
from sundial_core.status.unstored_verdicts import list_decided_slots
from sundial_core.status.verdicts import VerdictRecord


def decide_slots(snapshot: Snapshot, context: Context, known: KnownRuns) -> Placement:
    """Decide about the slots that wait, and those that are due and not decided yet."""
    memory = snapshot.memory
    started = known.started_slots
    waiting = (entry.slot for entry in (*context.stored.queued, *memory.queued))
    done = started | list_decided_slots(waiting, memory.verdicts)
    queue = waiting_slots.list_waiting(context.stored.queued, memory.queued, context.stored.cursor, done)
    unsure = memory.creating - memory.refused
    unwanted = waiting_slots.cancelled_verdicts(
        entry for entry in queue if entry.slot in snapshot.job.cancelled - unsure
    )
    rest = [entry for entry in queue if entry.slot not in snapshot.job.cancelled]
    dropped = (*unwanted, *waiting_slots.decide_dropped(snapshot, context, known, rest))
    gone = {record.first for record in dropped}
    left = tuple(entry for entry in queue if entry.slot not in gone)
    refused = memory.refused - started - {entry.slot for entry in queue}
    missed: Sequence[VerdictRecord] = ()
    if context.suspension is not None:
        missed = catch_up.refused_verdicts(refused, "runs were held back", snapshot.memory.refusals)
    placement = _decide_new(snapshot, context, known, left)
    if placement.requests is None and isinstance(snapshot.plan, Plan):
        placement = replace(placement, requests=_place_requests(snapshot, snapshot.plan, context, known))
    return replace(placement, verdicts=(*dropped, *missed, *placement.verdicts))


def _decide_new(
    snapshot: Snapshot, context: Context, known: KnownRuns, queue: tuple[QueueEntry, ...]
) -> Placement:
    """Decide about the slots that are due and not decided yet; the slots in `queue` go first."""
    if isinstance(snapshot.plan, Problem):
        return Placement(waiting=queue)
    until = context.now if context.suspension is None else context.suspended_since
    if until is None:
        return Placement(waiting=queue)
    low = max(filter(None, (context.effective_from, context.stored.cursor, snapshot.memory.decided_until)))
    started = known.started_slots | clock_skew.list_started_ahead(context.stored)
    waiting = {entry.slot for entry in queue}
    due = Due(snapshot.plan.schedule, low, until, started | snapshot.memory.creating | waiting)
    if context.suspension is None and context.is_stopped:
        return Placement(waiting=queue, withheld=unstored_limit.miss_all_due(due, snapshot.memory))
    if context.suspension is None and snapshot.installation.starts_held_by:
        return Placement(waiting=queue, verdicts=catch_up.missed_verdicts(due, Reason.HELD))
    if context.suspension is None:
        return _decide_due(snapshot, context, due, known, queue)
    if until <= low:
        return Placement(waiting=queue)
    missed = unstored_limit.miss_all_due(due, snapshot.memory) if snapshot.memory.withheld else ()
    return Placement(waiting=queue, verdicts=missed or catch_up.missed_verdicts(due, Reason.SUSPENDED))


def _place_requests(
    snapshot: Snapshot, plan: Plan, context: Context, known: KnownRuns
) -> RequestPlacement | None:
    """Apply the concurrency rule to the ScheduledJobRuns alone: a suspension does not stop them."""
    active = concurrency.count_active(known, snapshot.memory.creating, snapshot.memory.retrying)
    places = Capacity(plan.spec.concurrency, active)
    return concurrency.place_slots((), (), places, context.now, context.waiting_requests).requests


def _decide_due(
    snapshot: Snapshot, context: Context, due: Due, known: KnownRuns, queue: tuple[QueueEntry, ...]
) -> Placement:
    """Give up a refused create once a newer slot is due; then apply catch-up, then concurrency.

    A slot stays in the queue until its Job is seen, also while the Job is being created.
    """
    memory, plan = snapshot.memory, snapshot.plan
    assert isinstance(plan, Plan)
    spec = plan.spec
    yielding = memory.yielding and memory.yielding - known.started_slots
    given_up = catch_up.given_up_verdicts(due, yielding, memory.refusals)
    creating = memory.creating - {record.first for record in given_up}
    offered = catch_up.choose_offered(due, spec.catch_up)
    places = Capacity(spec.concurrency, concurrency.count_active(known, creating, memory.retrying))
    waiting = [entry for entry in queue if entry.slot not in creating]
    placement = concurrency.place_slots(offered.slots, waiting, places, due.until, context.waiting_requests)
    dropped = (
        waiting_slots.dropped_verdicts(placement.waiting, "endsAt has passed")
        if waiting_slots.has_ended(plan, due.until)
        else ()
    )
    verdicts = (*given_up, *offered.verdicts, *placement.verdicts, *dropped)
    decided_slots = {record.first for record in verdicts}
    left = {entry.slot: entry for entry in (*queue, *placement.waiting) if entry.slot not in decided_slots}
    return replace(placement, waiting=tuple(left.values()), verdicts=verdicts)
