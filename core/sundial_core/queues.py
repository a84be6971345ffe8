"""Which slots get a place, which wait for one, and which of those are dropped (semantics, "Concurrency").

A slot that waits is decided for the cursor; its verdict comes when it leaves the list, once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sundial_core.conditions import Reason
from sundial_core.instants import format_instant, parse_instant
from sundial_core.model import CatchUp, Concurrency, ConcurrencyPolicy, JsonObject
from sundial_core.verdicts import Judgement, Verdict


@dataclass(frozen=True, slots=True)
class Waiting:
    """A slot that waits for a place since `since`: AlreadyActive, or Replacing a run that is being ended."""

    slot: datetime
    since: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of slots that were put to the concurrency rule.

    `starts` have a place now, those in `served` had waited; `waiting` are all that wait.
    """

    starts: tuple[datetime, ...] = ()
    served: frozenset[datetime] = frozenset()
    waiting: tuple[Waiting, ...] = ()
    judgements: tuple[Judgement, ...] = ()


@dataclass(frozen=True, slots=True)
class Places:
    """The places of a schedule: `active` of them are taken."""

    rule: Concurrency
    active: int

    @property
    def free(self) -> float:
        """How many more runs may start."""
        is_unlimited = self.rule.policy is ConcurrencyPolicy.ALLOW
        return float("inf") if is_unlimited else max(0, self.rule.max_instances - self.active)


def read_queue(entries: Iterable[JsonObject]) -> tuple[Waiting, ...]:
    """Read the slots that wait from a status."""
    return tuple(
        Waiting(parse_instant(e["slot"]), parse_instant(e["since"]), Reason(e["reason"])) for e in entries
    )


def build_queue(waiting: Iterable[Waiting]) -> list[JsonObject]:
    """Build the status's list of slots that wait, oldest first."""
    return [
        {
            "slot": format_instant(one.slot),
            "since": format_instant(one.since),
            "reason": one.reason.value,
        }
        for one in sorted(waiting, key=_slot)
    ]


def find_queue(
    stored: Iterable[Waiting],
    remembered: Iterable[Waiting],
    cursor: datetime | None,
    done: Collection[datetime],
) -> tuple[Waiting, ...]:
    """Find the slots that wait, oldest first: the stored ones, and those that the cursor has yet to pass.

    `done` have a Job or a verdict, stored or not.
    """
    unstored = (one for one in remembered if cursor is None or one.slot > cursor)
    every = {one.slot: one for one in (*stored, *unstored) if one.slot not in done}
    return tuple(sorted(every.values(), key=_slot))


def place_slots(
    offered: Iterable[datetime], waiting: Iterable[Waiting], places: Places, now: datetime
) -> Placed:
    """Serve what waits, oldest first; then put new slots to the rule, oldest first."""
    queue, served = _serve(tuple(waiting), places)
    starts, judgements = list(served), []
    for slot in offered:
        if not queue and len(starts) < places.free:
            starts.append(slot)
            continue
        left, judgement = _judge_without_place(slot, queue, places, places.active + len(starts))
        judgements += [judgement] if judgement else []
        if judgement is None or judgement.first != slot:
            reason = _REASONS[places.rule.policy]
            left = (*left, Waiting(slot, now, reason))
        queue = left
    return Placed(tuple(starts), frozenset(served), queue, tuple(judgements))


def drop(waiting: Iterable[Waiting], message: str) -> tuple[Judgement, ...]:
    """Judge slots that wait as dropped."""
    return tuple(_skip(one.slot, Reason.QUEUE_DROPPED, message) for one in waiting)


def miss_refused(slots: Iterable[datetime]) -> tuple[Judgement, ...]:
    """Judge slots as missed whose creates were refused until runs were held back."""
    message = "refused until runs were held back"
    return tuple(
        Judgement(slot, slot, 1, Verdict.MISSED, Reason.CREATE_FAILED, message) for slot in sorted(slots)
    )


def find_overdue(
    waiting: Iterable[Waiting], free_since: Iterable[datetime], catch_up: CatchUp, now: datetime
) -> list[Waiting]:
    """Find the slots for which a place has been free for too long, as a new leader finds it.

    `free_since` are the instants at which places became free. The grace counts as on time here too.
    """
    last = max(free_since, default=None)
    limit = timedelta(seconds=max(catch_up.window_seconds, catch_up.grace_seconds))
    return [one for one in waiting if now - max(one.since, last or one.since) > limit]


def _serve(waiting: tuple[Waiting, ...], places: Places) -> tuple[tuple[Waiting, ...], list[datetime]]:
    count = int(min(places.free, len(waiting)))
    return waiting[count:], [one.slot for one in waiting[:count]]


def _judge_without_place(
    slot: datetime, queue: tuple[Waiting, ...], places: Places, taken: int
) -> tuple[tuple[Waiting, ...], Judgement | None]:
    """Find which slot is skipped where no place is free: under Replace the oldest that waits."""
    rule = places.rule
    if rule.policy is ConcurrencyPolicy.REPLACE:
        if len(queue) < rule.max_instances:
            return queue, None
        return queue[1:], _skip(queue[0].slot, Reason.REPLACED, f"replaced by {format_instant(slot)}")
    if rule.policy is ConcurrencyPolicy.QUEUE:
        most = rule.max_queued or 1
        if len(queue) < most:
            return queue, None
        message = f"{len(queue)} waiting; concurrency.maxQueued is {most}"
        return queue, _skip(slot, Reason.QUEUE_FULL, message)
    message = f"{taken} active; concurrency.maxInstances is {rule.max_instances}"
    return queue, _skip(slot, Reason.ALREADY_ACTIVE, message)


def _skip(slot: datetime, reason: Reason, message: str) -> Judgement:
    return Judgement(slot, slot, 1, Verdict.SKIPPED, reason, message)


def _slot(waiting: Waiting) -> datetime:
    return waiting.slot


_REASONS = {
    ConcurrencyPolicy.QUEUE: Reason.ALREADY_ACTIVE,
    ConcurrencyPolicy.REPLACE: Reason.REPLACING,
}
