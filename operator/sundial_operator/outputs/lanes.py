"""Which write has its turn? Namespaces share the places for writes so that a slow one delays only itself.

The writes of a namespace wait in its lane. The rule, for a number of places:

1. A write holds a place while it is under way. A free place goes to the lanes in turn.
2. A lane that holds max(2, a quarter) of the places gets no more while one that holds less waits for one.
   Alone it may hold all.
3. A lane is slow while a write of it has been under way for over a second, and from one that took so long or
   got no answer until the next one that is answered in time. A slow lane has one place, and slow lanes
   together at most half of the places; what they have under way beyond that counts against nobody. Alone, a
   slow lane may have half of the places.
4. What has been under way for over a fifth of a second hangs: it holds no place against a lane that has
   nothing under way. So such a lane waits for what has just begun only, and one that is slow by mistake is
   soon known to be fast: its next write does not wait until the others, which are slow, have been answered.
5. At most `most` are under way in all, and of slow lanes so many fewer that the places are left.

So lanes that are not slow always have half of the places or more. Where others turn slow at the same moment,
one that has nothing under way waits for 0.2 s for each time that they fill the places, and not at all later;
only where they fill `most` at once does it wait until the first of them is answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto
from typing import Generic, TypeVar

T = TypeVar("T")

SLOW_SECONDS = 1.0
HANGING_SECONDS = 0.2
REMEMBERED_SECONDS = 3600.0
"""How long it is remembered that a lane without writes was slow."""

MAX_REMEMBERED = 1000


class Reply(Enum):
    """What a write tells of its lane's speed; one that was not sent tells nothing."""

    ANSWERED = auto()
    UNANSWERED = auto()
    UNSENT = auto()


class LaneStanding(IntEnum):
    """What a lane has under way; of those that wait, lower ones have the next turn."""

    IDLE = 0
    SLOW = 1  # slow, and nothing under way either
    BELOW = 2  # less than its share
    SHARE = 3  # its share or more
    HELD = 4  # slow, and something under way


FAST = (LaneStanding.IDLE, LaneStanding.BELOW, LaneStanding.SHARE)


@dataclass(slots=True, eq=False)
class Lane(Generic[T]):
    """The writes of one namespace: those that wait, by rank, each with the time since when."""

    name: str
    waiting: tuple[deque[tuple[float, T]], ...]
    is_slow: bool
    standing: LaneStanding = LaneStanding.IDLE
    under_way: int = 0
    hanging: int = 0
    overdue: int = 0


@dataclass(slots=True, eq=False)
class LaneTurn(Generic[T]):
    """A write that has begun; it hangs after HANGING_SECONDS, and is overdue after SLOW_SECONDS."""

    lane: Lane[T]
    write: T
    began: float
    hangs: bool = field(default=False, init=False)
    is_overdue: bool = field(default=False, init=False)


Ring = dict[Lane[T], None]
"""Lanes in the order of their turns."""


class Lanes(Generic[T]):
    """Gives out turns; writes of a lower rank go first. Times are seconds of a monotonic clock."""

    def __init__(self, places: int, most: int, ranks: int) -> None:
        self._places = places
        self._half = max(1, places // 2)
        self._share = max(2, places // 4)
        self._most = most
        self._lanes: dict[str, Lane[T]] = {}
        self._rings: list[dict[LaneStanding, Ring[T]]] = [
            {standing: {} for standing in LaneStanding} for _ in range(ranks)
        ]
        self._under_way: dict[LaneTurn[T], None] = {}
        self._hanging = 0
        self._slow_lanes = 0
        self._slow_hanging = 0
        self._slow_writes = 0
        self._slow_since: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._under_way) + sum(len(queue) for queue in self._queues())

    def add(self, name: str, rank: int, write: T, now: float) -> None:
        """Let a write wait for its turn."""
        lane = self._lanes.get(name)
        if lane is None:
            is_slow = now - self._slow_since.get(name, -REMEMBERED_SECONDS) < REMEMBERED_SECONDS
            lane = Lane(name, tuple(deque() for _ in self._rings), is_slow)
            lane.standing = self._get_standing(lane)
            self._lanes[name] = lane
        lane.waiting[rank].append((now, write))
        self._rings[rank][lane.standing].setdefault(lane)

    def begin(self, now: float) -> LaneTurn[T] | None:
        """Begin the write that has its turn; None when none may begin."""
        for rank, rings in enumerate(self._rings):
            for standing, ring in rings.items():
                if ring and self._has_room(standing):
                    return self._begin(next(iter(ring)), rank, now)
        return None

    def age(self, now: float) -> None:
        """Note for how long writes have been under way."""
        for turn in self._under_way:  # in the order in which they began
            seconds = now - turn.began
            if seconds <= HANGING_SECONDS:
                return
            if not turn.hangs:
                self._note_hanging(turn)
            if seconds > SLOW_SECONDS and not turn.is_overdue:
                self._note_overdue(turn, now)

    def end(self, turn: LaneTurn[T], outcome: Reply, now: float) -> None:
        """Take the end of a write: its place is free, and its lane's speed is known anew."""
        lane = turn.lane
        del self._under_way[turn]
        self._hanging -= turn.hangs
        self._count(lane, -1)
        lane.under_way -= 1
        lane.hanging -= turn.hangs
        lane.overdue -= turn.is_overdue
        if outcome is Reply.UNANSWERED or now - turn.began > SLOW_SECONDS:
            self._slow_down(lane, now)
        elif outcome is Reply.ANSWERED and not lane.overdue:
            lane.is_slow = False
            self._slow_since.pop(lane.name, None)
        self._count(lane, 1)
        self._move(lane)
        if not lane.under_way and not any(lane.waiting):
            del self._lanes[lane.name]

    def clear(self) -> None:
        """Drop what waits."""
        for queue in self._queues():
            queue.clear()
        for rings in self._rings:
            for ring in rings.values():
                ring.clear()
        self._lanes = {name: lane for name, lane in self._lanes.items() if lane.under_way}

    @property
    def has_fast_waiting(self) -> bool:
        """Tell whether a write waits whose lane is not slow."""
        return any(rings[standing] for rings in self._rings for standing in FAST)

    def count_waiting(self, name: str) -> int:
        """Count the writes that wait in one lane."""
        lane = self._lanes.get(name)
        return sum(map(len, lane.waiting)) if lane else 0

    def count_slow(self, now: float) -> int:
        """Count the lanes that are slow, or were when they last had a write within the last hour."""
        idle = (now - since < REMEMBERED_SECONDS for name, since in self._slow_since.items())
        return sum(idle)

    def compute_longest_wait(self, now: float) -> float:
        """Find for how many seconds the write that waits the longest has waited."""
        return max((now - queue[0][0] for queue in self._queues() if queue), default=0.0)

    def _queues(self) -> Iterator[deque[tuple[float, T]]]:
        for lane in self._lanes.values():
            yield from lane.waiting

    def _has_room(self, standing: LaneStanding) -> bool:
        if len(self._under_way) >= self._most:
            return False
        if standing in (LaneStanding.IDLE, LaneStanding.SLOW):
            has_place = len(self._under_way) - self._hanging < self._places
            return has_place and (standing is LaneStanding.IDLE or self._has_room_for_slow())
        if standing is LaneStanding.HELD:
            return len(self._lanes) == 1 and self._slow_writes < self._half
        held = len(self._under_way) - self._slow_writes + min(self._slow_lanes, self._half)
        return held < self._places

    def _has_room_for_slow(self) -> bool:
        has_place = self._slow_writes - self._slow_hanging < self._half
        return has_place and self._slow_writes < self._most - self._places

    def _begin(self, lane: Lane[T], rank: int, now: float) -> LaneTurn[T]:
        _, write = lane.waiting[rank].popleft()
        self._count(lane, -1)
        lane.under_way += 1
        self._count(lane, 1)
        self._queue(lane)
        turn = LaneTurn(lane, write, now)
        self._under_way.setdefault(turn)
        return turn

    def _note_hanging(self, turn: LaneTurn[T]) -> None:
        turn.hangs = True
        self._hanging += 1
        self._count(turn.lane, -1)
        turn.lane.hanging += 1
        self._count(turn.lane, 1)

    def _note_overdue(self, turn: LaneTurn[T], now: float) -> None:
        turn.is_overdue = True
        self._count(turn.lane, -1)
        turn.lane.overdue += 1
        self._slow_down(turn.lane, now)
        self._count(turn.lane, 1)
        self._move(turn.lane)

    def _slow_down(self, lane: Lane[T], now: float) -> None:
        lane.is_slow = True
        self._slow_since.pop(lane.name, None)
        self._slow_since[lane.name] = now
        if len(self._slow_since) > MAX_REMEMBERED:
            del self._slow_since[next(iter(self._slow_since))]

    def _count(self, lane: Lane[T], sign: int) -> None:
        """Count a lane, or count it no more before it changes."""
        if lane.is_slow:
            self._slow_lanes += sign * (lane.under_way > 0)
            self._slow_writes += sign * lane.under_way
            self._slow_hanging += sign * lane.hanging

    def _move(self, lane: Lane[T]) -> None:
        """Let a lane whose standing has changed wait as what it is by now."""
        if lane.standing is not self._get_standing(lane):
            self._queue(lane)

    def _queue(self, lane: Lane[T]) -> None:
        """Let a lane wait for its next turn, last among its equals."""
        for rings in self._rings:
            rings[lane.standing].pop(lane, None)
        lane.standing = self._get_standing(lane)
        for rank, queue in enumerate(lane.waiting):
            if queue:
                self._rings[rank][lane.standing].setdefault(lane)

    def _get_standing(self, lane: Lane[T]) -> LaneStanding:
        if lane.is_slow:
            return LaneStanding.HELD if lane.under_way else LaneStanding.SLOW
        if not lane.under_way:
            return LaneStanding.IDLE
        return LaneStanding.BELOW if lane.under_way < self._share else LaneStanding.SHARE
