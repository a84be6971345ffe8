"""Which slots get a place, which wait for one, and which of those are dropped.

The rules: docs/semantics.md, "Concurrency". A slot that waits is decided for the cursor; its verdict comes
when it leaves the list, once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sundial_clock.instants import format_instant, parse_instant
from sundial_core.conditions import Reason
from sundial_core.model import CatchUp, Concurrency, ConcurrencyPolicy, JsonObject
from sundial_core.verdicts import Judgement, Verdict


class Turn(StrEnum):
    """What the concurrency rule says to one more run."""

    START = "start"
    WAIT = "wait"
    SKIP = "skip"


def judge_turn(rule: Concurrency, active: int, waiting: int) -> Turn:
    """Judge what becomes of one more run, while `active` hold places and `waiting` wait for one."""
    has_place = waiting == 0 and active < rule.max_instances
    if has_place or rule.policy is ConcurrencyPolicy.ALLOW:
        return Turn.START
    if rule.policy is ConcurrencyPolicy.QUEUE:
        return Turn.WAIT if waiting < (rule.max_queued or 1) else Turn.SKIP
    return Turn.WAIT if rule.policy is ConcurrencyPolicy.REPLACE else Turn.SKIP


@dataclass(frozen=True, slots=True)
class Waiting:
    """A slot that waits for a place since `since`: AlreadyActive, or Replacing a run that is being ended.

    With a `run_id` it is a ScheduledJobRun, and `slot` is when somebody asked for it.
    """

    slot: datetime
    since: datetime
    reason: Reason
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Rivals:
    """The ScheduledJobRuns that want places too; `unbound` more start whatever the rule says."""

    waiting: tuple[Waiting, ...] = ()
    new: tuple[Waiting, ...] = ()
    unbound: int = 0


@dataclass(frozen=True, slots=True)
class Turns:
    """What became of ScheduledJobRuns that were put to the concurrency rule, by run id."""

    starts: frozenset[str] = frozenset()
    waiting: Mapping[str, Reason] = field(default_factory=dict)
    skipped: Mapping[str, Judgement] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of slots that were put to the concurrency rule.

    `starts` have a place now, those in `served` had waited; `waiting` are all that wait. `withheld` are
    judgements that only a stored status makes final. `asked` is what became of those that wanted the same
    places.
    """

    starts: tuple[datetime, ...] = ()
    served: frozenset[datetime] = frozenset()
    waiting: tuple[Waiting, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    withheld: tuple[Judgement, ...] = ()
    asked: Turns | None = None


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
    offered: Iterable[datetime],
    waiting: Iterable[Waiting],
    places: Places,
    now: datetime,
    rivals: Rivals | None = None,
) -> Placed:
    """Serve what waits, oldest first; then put what is new to the rule, oldest first."""
    rivals = rivals or Rivals()
    places = replace(places, active=places.active + rivals.unbound)
    queue, served = _serve(tuple(sorted((*waiting, *rivals.waiting), key=_slot)), places)
    starts, skipped = list(served), []
    new = [Waiting(slot, now, Reason.ALREADY_ACTIVE) for slot in offered]
    for one in sorted((*new, *rivals.new), key=_slot):
        taken = replace(places, active=places.active + len(starts))
        turn = judge_turn(taken.rule, taken.active, len(queue))
        if turn is Turn.START:
            starts.append(one)
        elif turn is Turn.WAIT:
            queue, replaced = _take_line(replace(one, since=now), queue, taken.rule)
            skipped += replaced
        else:
            skipped.append((one, _skip_without_place(one, queue, taken)))
    return _build_placed(starts, served, queue, skipped)


def _build_placed(
    starts: Iterable[Waiting],
    served: Iterable[Waiting],
    queue: Iterable[Waiting],
    skipped: Collection[tuple[Waiting, Judgement]],
) -> Placed:
    """Tell the slots from the ScheduledJobRuns."""
    return Placed(
        starts=tuple(one.slot for one in starts if not one.run_id),
        served=frozenset(one.slot for one in served if not one.run_id),
        waiting=tuple(one for one in queue if not one.run_id),
        judgements=tuple(judgement for one, judgement in skipped if not one.run_id),
        asked=Turns(
            starts=frozenset(one.run_id for one in starts if one.run_id),
            waiting={one.run_id: one.reason for one in queue if one.run_id},
            skipped={one.run_id: judgement for one, judgement in skipped if one.run_id},
        ),
    )


def drop(waiting: Iterable[Waiting], message: str) -> tuple[Judgement, ...]:
    """Judge slots that wait as dropped."""
    return tuple(_skip(one.slot, Reason.QUEUE_DROPPED, message) for one in waiting)


def cancel(waiting: Iterable[Waiting]) -> tuple[Judgement, ...]:
    """Judge slots that wait as cancelled by a person."""
    return tuple(_skip(one.slot, Reason.CANCELLED, "ended by a person while it waited") for one in waiting)


def find_overdue(
    waiting: Iterable[Waiting], free_since: Iterable[datetime], catch_up: CatchUp, now: datetime
) -> list[Waiting]:
    """Find the slots for which a place has been free for too long, as a new leader finds it.

    `free_since` are the instants at which places became free. The grace counts as on time here too.
    """
    last = max(free_since, default=None)
    limit = timedelta(seconds=max(catch_up.window_seconds, catch_up.grace_seconds))
    return [one for one in waiting if now - max(one.since, last or one.since) > limit]


def _serve(waiting: tuple[Waiting, ...], places: Places) -> tuple[tuple[Waiting, ...], tuple[Waiting, ...]]:
    count = int(min(places.free, len(waiting)))
    return waiting[count:], waiting[:count]


def _take_line(
    one: Waiting, queue: tuple[Waiting, ...], rule: Concurrency
) -> tuple[tuple[Waiting, ...], list[tuple[Waiting, Judgement]]]:
    """Let one wait; under Replace it takes the place in line of the oldest."""
    if rule.policy is not ConcurrencyPolicy.REPLACE:
        return (*queue, one), []
    one = replace(one, reason=Reason.REPLACING)
    if len(queue) < rule.max_instances:
        return (*queue, one), []
    replaced = _skip(queue[0].slot, Reason.REPLACED, f"replaced by {format_instant(one.slot)}")
    return (*queue[1:], one), [(queue[0], replaced)]


def _skip_without_place(one: Waiting, queue: tuple[Waiting, ...], places: Places) -> Judgement:
    rule = places.rule
    if rule.policy is ConcurrencyPolicy.QUEUE:
        message = f"{len(queue)} waiting; concurrency.maxQueued is {rule.max_queued or 1}"
        return _skip(one.slot, Reason.QUEUE_FULL, message)
    message = f"{places.active} active; concurrency.maxInstances is {rule.max_instances}"
    return _skip(one.slot, Reason.ALREADY_ACTIVE, message)


def _skip(slot: datetime, reason: Reason, message: str) -> Judgement:
    return Judgement(slot, slot, 1, Verdict.SKIPPED, reason, message)


def _slot(waiting: Waiting) -> datetime:
    return waiting.slot
