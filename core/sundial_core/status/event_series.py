"""Which transitions become Events now: repeated ones make a series, and too many are dropped."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

SERIES_FOR = timedelta(minutes=10)
"""What is said again about an object this soon makes a series of one Event, as kubectl shows it."""

MAX_REMEMBERED = 10_000


@dataclass(slots=True)
class Bucket:
    """A token bucket: at most `burst` at once, and one more each `every`."""

    burst: int
    every: timedelta
    tokens: float
    filled_at: datetime

    def take(self, now: datetime) -> bool:
        """Take a token, if there is one."""
        filled = self.tokens + max(0.0, (now - self.filled_at) / self.every)
        self.tokens, self.filled_at = min(float(self.burst), filled), now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(slots=True)
class Series:
    """An Event that was created for an object and a reason: its name, and how often it was said."""

    name: str
    count: int
    last_at: datetime


class Announcements:
    """Remembers what was said: of an object ten at once and one a minute, in all 100 and five a second."""

    def __init__(self, now: datetime) -> None:
        self._series: OrderedDict[tuple[str, str], Series] = OrderedDict()
        self._of_object: OrderedDict[str, Bucket] = OrderedDict()
        self._of_all = Bucket(100, timedelta(seconds=0.2), 100, now)

    def may_say(self, uid: str, now: datetime) -> bool:
        """Tell whether another Event about this object may be written, and count it."""
        bucket = self._of_object.setdefault(uid, Bucket(10, timedelta(minutes=1), 10, now))
        self._of_object.move_to_end(uid)
        if len(self._of_object) > MAX_REMEMBERED:
            self._of_object.popitem(last=False)
        return bucket.take(now) and self._of_all.take(now)

    def count(self, uid: str, reason: str, now: datetime) -> Series | None:
        """Count what is said again into its series; None when it begins a new one."""
        series = self._series.get((uid, reason))
        if series is None or now - series.last_at >= SERIES_FOR:
            return None
        series.count += 1
        series.last_at = now
        return series

    def begin(self, uid: str, reason: str, name: str, now: datetime) -> None:
        """Remember an Event that is being created."""
        self._series[uid, reason] = Series(name, 1, now)
        self._series.move_to_end((uid, reason))
        if len(self._series) > MAX_REMEMBERED:
            self._series.popitem(last=False)

    def forget(self, uid: str, reason: str) -> None:
        """Forget an Event that is gone or was never created: the next one begins anew."""
        self._series.pop((uid, reason), None)
