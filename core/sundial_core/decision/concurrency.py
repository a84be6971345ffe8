"""Which slots get a place, which wait for one, and which wait no longer because a newer one replaces them.

The rules: docs/semantics.md, "Concurrency". The cursor treats a waiting slot as decided.
The slot gets its one verdict when it leaves the list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from sundial_clock.instants import format_instant
from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.resources.specs import Concurrency, ConcurrencyPolicy
from sundial_core.runs.run import KnownRuns
from sundial_core.status.queued import QueueEntry, by_slot
from sundial_core.status.verdicts import VerdictRecord


class Admission(StrEnum):
    """What the concurrency rule says to one more run."""

    START = "start"
    WAIT = "wait"
    SKIP = "skip"


def decide_admission(rule: Concurrency, active: int, waiting: int) -> Admission:
    """Decide what becomes of one more run, while `active` hold places and `waiting` wait for one."""
    has_place = waiting == 0 and active < rule.max_instances
    if has_place or rule.policy is ConcurrencyPolicy.ALLOW:
        return Admission.START
    if rule.policy is ConcurrencyPolicy.QUEUE:
        return Admission.WAIT if waiting < (rule.max_queued or 1) else Admission.SKIP
    return Admission.WAIT if rule.policy is ConcurrencyPolicy.REPLACE else Admission.SKIP


@dataclass(frozen=True, slots=True)
class WaitingRequests:
    """The ScheduledJobRuns that want places too; `unbound` others start without asking the rule."""

    waiting: tuple[QueueEntry, ...] = ()
    new: tuple[QueueEntry, ...] = ()
    unbound: int = 0


@dataclass(frozen=True, slots=True)
class RequestPlacement:
    """The result of the concurrency rule for each ScheduledJobRun, by run id."""

    starts: frozenset[str] = frozenset()
    waiting: Mapping[str, Reason] = field(default_factory=dict)
    skipped: Mapping[str, VerdictRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placement:
    """What the concurrency rule decided about the slots that were put to it."""

    starts: tuple[datetime, ...] = ()
    """Slots that have a place now."""
    served: frozenset[datetime] = frozenset()
    """Those of `starts` that had waited."""
    waiting: tuple[QueueEntry, ...] = ()
    """All slots that wait."""
    verdicts: tuple[VerdictRecord, ...] = ()
    withheld: tuple[VerdictRecord, ...] = ()
    """These verdicts are not final until a status is stored."""
    requests: RequestPlacement | None = None
    """The result for the ScheduledJobRuns that wanted the same places."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The places of a schedule: `active` of them are taken."""

    rule: Concurrency
    active: int

    @property
    def free(self) -> float:
        """How many more runs may start."""
        is_unlimited = self.rule.policy is ConcurrencyPolicy.ALLOW
        return float("inf") if is_unlimited else max(0, self.rule.max_instances - self.active)


def place_slots(
    offered: Iterable[datetime],
    waiting: Iterable[QueueEntry],
    places: Capacity,
    now: datetime,
    waiting_requests: WaitingRequests | None = None,
) -> Placement:
    """Give free places to the entries that wait; then apply the rule to the new ones. Oldest first."""
    waiting_requests = waiting_requests or WaitingRequests()
    places = replace(places, active=places.active + waiting_requests.unbound)
    queue, served = _serve(tuple(sorted((*waiting, *waiting_requests.waiting), key=by_slot)), places)
    starts, skipped = list(served), []
    new = [QueueEntry(slot, now, Reason.ALREADY_ACTIVE) for slot in offered]
    for entry in sorted((*new, *waiting_requests.new), key=by_slot):
        taken = replace(places, active=places.active + len(starts))
        turn = decide_admission(taken.rule, taken.active, len(queue))
        if turn is Admission.START:
            starts.append(entry)
        elif turn is Admission.WAIT:
            queue, replaced = _take_line(replace(entry, since=now), queue, taken.rule)
            skipped += replaced
        else:
            skipped.append((entry, _skip_without_place(entry, queue, taken)))
    return _build_placed(starts, served, queue, skipped)


def _build_placed(
    starts: Iterable[QueueEntry],
    served: Iterable[QueueEntry],
    queue: Iterable[QueueEntry],
    skipped: Collection[tuple[QueueEntry, VerdictRecord]],
) -> Placement:
    """Separate the slots from the ScheduledJobRuns."""
    return Placement(
        starts=tuple(entry.slot for entry in starts if not entry.run_id),
        served=frozenset(entry.slot for entry in served if not entry.run_id),
        waiting=tuple(entry for entry in queue if not entry.run_id),
        verdicts=tuple(record for entry, record in skipped if not entry.run_id),
        requests=RequestPlacement(
            starts=frozenset(entry.run_id for entry in starts if entry.run_id),
            waiting={entry.run_id: entry.reason for entry in queue if entry.run_id},
            skipped={entry.run_id: record for entry, record in skipped if entry.run_id},
        ),
    )


def _serve(
    waiting: tuple[QueueEntry, ...], places: Capacity
) -> tuple[tuple[QueueEntry, ...], tuple[QueueEntry, ...]]:
    count = int(min(places.free, len(waiting)))
    return waiting[count:], waiting[:count]


def _take_line(
    entry: QueueEntry, queue: tuple[QueueEntry, ...], rule: Concurrency
) -> tuple[tuple[QueueEntry, ...], list[tuple[QueueEntry, VerdictRecord]]]:
    """Add one entry to the end of the queue; under Replace a full queue loses its oldest entry first."""
    if rule.policy is not ConcurrencyPolicy.REPLACE:
        return (*queue, entry), []
    entry = replace(entry, reason=Reason.REPLACING)
    if len(queue) < rule.max_instances:
        return (*queue, entry), []
    replaced = build_skip(queue[0].slot, Reason.REPLACED, f"replaced by {format_instant(entry.slot)}")
    return (*queue[1:], entry), [(queue[0], replaced)]


def _skip_without_place(entry: QueueEntry, queue: tuple[QueueEntry, ...], places: Capacity) -> VerdictRecord:
    rule = places.rule
    if rule.policy is ConcurrencyPolicy.QUEUE:
        message = f"{len(queue)} waiting; concurrency.maxQueued is {rule.max_queued or 1}"
        return build_skip(entry.slot, Reason.QUEUE_FULL, message)
    message = f"{places.active} active or being created; concurrency.maxInstances is {rule.max_instances}"
    return build_skip(entry.slot, Reason.ALREADY_ACTIVE, message)


def build_skip(slot: datetime, reason: Reason, message: str) -> VerdictRecord:
    """Build the verdict Skipped on one slot."""
    return VerdictRecord(slot, slot, 1, Verdict.SKIPPED, reason, message)


def count_active(known: KnownRuns, creating: frozenset[datetime], retrying: frozenset[str]) -> int:
    """Count the runs that hold a place, creates under way included."""
    slots = creating and creating - known.started_slots
    unanswered = len(slots) + len(retrying - known.keys())
    return len(known.holding) + unanswered
