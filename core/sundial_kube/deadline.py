"""By when must what runs here be done? A deadline for all that a task asks of others, as Go's contexts have.

Tasks that are started under it have it too. Without one nothing is limited here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Deadline:
    """An instant of the monotonic clock, which may be put off."""

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at

    def put_off(self, seconds: float) -> None:
        """Give so many seconds more."""
        self.ends_at += seconds

    def lift(self) -> None:
        """Limit nothing any more."""
        self.ends_at = math.inf


_NEVER = Deadline(math.inf)
_CURRENT: ContextVar[Deadline] = ContextVar("deadline", default=_NEVER)


@contextmanager
def within(seconds: float) -> Iterator[Deadline]:
    """Limit what is asked inside to so many seconds; an earlier deadline around it stays."""
    deadline = Deadline(min(time.monotonic() + seconds, _CURRENT.get().ends_at))
    token = _CURRENT.set(deadline)
    try:
        yield deadline
    finally:
        _CURRENT.reset(token)


def compute_remaining() -> float:
    """Compute how many seconds are left, at least 0; infinity without a deadline."""
    return max(0.0, _CURRENT.get().ends_at - time.monotonic())


def find_deadline() -> Deadline:
    """Find the deadline that holds here; one that never comes where there is none."""
    return _CURRENT.get()
