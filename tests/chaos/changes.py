"""What did users do to a ScheduledJob, and which of its slots count therefore?

The rules: docs/semantics.md, "Which slots count". Between a request and its answer nobody can tell which of
two states held: slots of that time are unsure, and may have a verdict or none.
"""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from chaos.crew import read_utc_clock
from chaos.stories import Schedule, Story, list_instants

WATCH_DELAY = timedelta(seconds=3)
"""How long a leader may take to hear of a change from its watch; its successor lists."""

LONGEST_DELAY = timedelta(seconds=1)
"""How much later than the creation the slots of a schedule may begin: both times are cut to the second."""

FAR = datetime.max.replace(tzinfo=UTC)


class Kind(StrEnum):
    """What a change means for the slots after it."""

    HELD = "paused"
    RESUMED = "resumed"
    EDITED = "its schedule was edited"
    BROKEN = "its spec was broken"
    MENDED = "its spec was mended"
    REPLACED = "its TaskFunction was replaced"


STOPPING = (Kind.HELD, Kind.BROKEN)
"""After these no slot counts."""


@dataclass(slots=True)
class Change:
    """What a user did: `before` is the schedule's story just before it was sent.

    `answered` is None while it is under way, `shown` is when a status was seen that tells of it.
    """

    kind: Kind
    before: Story
    sent: datetime
    answered: datetime | None = None
    shown: datetime | None = None

    @property
    def begin(self) -> datetime:
        """Since when it may be in effect, as the API server writes it: cut to the second."""
        return self.sent.replace(microsecond=0)

    @property
    def known(self) -> datetime:
        """Up to when a leader may not have heard of it."""
        return self.answered + WATCH_DELAY if self.answered else FAR


class Ledger:
    """The changes of each ScheduledJob by its UID, in their order; used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: dict[str, list[Change]] = defaultdict(list)

    def read(self, uid: str) -> tuple[Change, ...]:
        """Read what was done to one ScheduledJob."""
        with self._lock:
            return tuple(self._changes[uid])

    @contextlib.contextmanager
    def note(self, kind: Kind, before: Story) -> Iterator[Change]:
        """Note a change while its request is under way."""
        change = Change(kind, before, read_utc_clock())
        with self._lock:
            self._changes[before.uid].append(change)
        yield change
        change.answered = read_utc_clock()


@dataclass(frozen=True, slots=True)
class Counted:
    """The slots that count for sure, and those that may."""

    sure: frozenset[datetime]
    unsure: frozenset[datetime]

    def __contains__(self, slot: datetime) -> bool:
        return slot in self.sure or slot in self.unsure


@dataclass(frozen=True, slots=True)
class Era:
    """A time in which one schedule was in effect: its slots may count in (after, until].

    They count for sure in (sure_after, sure_until].
    """

    schedule: Schedule
    after: datetime
    sure_after: datetime
    sure_until: datetime
    until: datetime


def count_slots(story: Story, changes: Sequence[Change], until: datetime) -> Counted:
    """Find the slots that count, up to and including an instant, after what users have done."""
    sure: set[datetime] = set()
    unsure: set[datetime] = set()
    for era in _list_eras(story, changes):
        slots = set(list_instants(era.schedule, story.created, era.after, min(era.until, until)))
        known = {slot for slot in slots if era.sure_after < slot <= era.sure_until}
        sure |= known
        unsure |= slots - known
    return Counted(frozenset(sure), frozenset(unsure - sure))


def list_schedules(story: Story, changes: Sequence[Change]) -> list[Schedule]:
    """List the schedules that a ScheduledJob has had."""
    return [*(change.before.schedule for change in changes), story.schedule]


def may_count_from(story: Story, changes: Sequence[Change]) -> bool:
    """Tell whether slots may count from where the status says, after what users have done."""
    start = story.effective_from
    if start is None:
        return True
    if not changes:
        return story.created <= start <= story.created + LONGEST_DELAY
    last = changes[-1]
    return start == last.before.effective_from or (last.kind is not Kind.HELD and start >= last.begin)


def _list_eras(story: Story, changes: Sequence[Change]) -> Iterator[Era]:
    """List the times in which slots may have counted, each from one change to the next."""
    begins: list[Change | None] = [None, *changes]
    ends: list[Change | None] = [*changes, None, None]
    for number, begin in enumerate(begins):
        end, following = ends[number], ends[number + 1]
        if begin is not None and begin.kind in STOPPING:
            continue
        later = end.before if end is not None else story
        yield Era(later.schedule, *_find_start(begin, later), *_find_end(end, following))


def _find_start(begin: Change | None, later: Story) -> tuple[datetime, datetime]:
    """Find after which instant slots may count, and surely do; `later` is a story of the time since.

    A leader that has not heard of an edit passes slots of the new schedule by with those of the old one. A
    TaskFunction may be replaced without anybody seeing that it was away.
    """
    start = later.effective_from
    if begin is None:
        return start or later.created, start or later.created
    if start is None or start < begin.begin:
        return begin.begin, begin.known if begin.kind is Kind.REPLACED else FAR
    return start, max(start, begin.known) if begin.kind is Kind.EDITED else start


def _find_end(end: Change | None, following: Change | None) -> tuple[datetime, datetime]:
    """Find up to when slots count for sure, and up to when they may.

    What was due before a pause is Missed, and has its verdict; what was due before an edit has one only if it
    was decided by then. A pause begins for sure when somebody has seen it.
    """
    if end is None:
        return FAR, FAR
    if end.kind is Kind.HELD:
        return end.sent, end.shown or (following.sent if following is not None else FAR)
    return end.before.cursor or end.before.created, end.known
