"""How is something ended that may never answer? By an alarm, which interrupts any call."""

from __future__ import annotations

import contextlib
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

AGAIN_SECONDS = 1.0
"""The alarm rings again: what cleans up after the first one may hang as well."""


class TimeIsUp(BaseException):
    """The time for something is over; no handler of Exception may hold it up."""


@contextlib.contextmanager
def limit_time(seconds: float) -> Iterator[None]:
    """Raise TimeIsUp in the block when it takes longer; one limit at a time, in the main thread."""
    signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _ring(_signal: int, _frame: FrameType | None) -> None:
    raise TimeIsUp
