"""How far the local clock is from the API server's, by the Date headers of its answers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from statistics import median_low
from typing import NamedTuple

NEWEST = 5
"""How many answers are looked at: with the median of five, two odd ones change nothing."""

SPACING_SECONDS = 1.0
"""Answers that come sooner after the one before tell nothing new."""

SecondsClock = Callable[[], float]


class Bounds(NamedTuple):
    """Between which values the API server's clock less the boot clock is, in seconds."""

    low: float
    high: float


def read_boot_clock() -> float:
    """Read the clock that goes on while the machine is suspended and that nobody sets, in seconds."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ServerClock:
    """Knows the API server's clock by the local boot clock, so that a wall clock that is set shows at once.

    A Date is the server's clock cut to a second, at some moment between the request and the answer: that
    gives bounds, and a slow answer gives wide ones, never wrong ones.
    """

    def __init__(
        self, read_wall_clock: SecondsClock = time.time, read_boot_clock: SecondsClock = read_boot_clock
    ) -> None:
        self._read_wall_clock = read_wall_clock
        self.read_boot_clock = read_boot_clock
        self._newest: deque[Bounds] = deque(maxlen=NEWEST)
        self._observed_at = -SPACING_SECONDS

    def observe(self, date: str | None, sent_at: float) -> None:
        """Take the Date of an answer that has just come; its request was sent at `sent_at` (boot clock)."""
        received_at = self.read_boot_clock()
        if date is None or received_at - self._observed_at < SPACING_SECONDS:
            return
        try:
            seconds = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        self._observed_at = received_at
        self._newest.append(Bounds(seconds - received_at, seconds + 1 - sent_at))

    @property
    def skew_seconds(self) -> float:
        """By how much the local clock is at least ahead of the API server's; behind it is negative."""
        if not self._newest:
            return 0.0
        local = self._read_wall_clock() - self.read_boot_clock()
        least = local - median_low(bounds.high for bounds in self._newest)
        most = local - median_low(bounds.low for bounds in self._newest)
        return least if least > 0 else min(most, 0.0)
