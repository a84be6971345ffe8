"""What a proxy may do to the requests that pass it: one kind of trouble at a time, to some or all of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Trouble(StrEnum):
    """A kind of trouble between an operator and the API server."""

    NONE = "none"
    THROTTLED = "429"
    ERRORS = "500"
    RESETS = "resets"
    LOST_ANSWERS = "lost answers"  # the request has its effect, then the connection is reset
    BLACK_HOLE = "black hole"  # nothing passes, nothing is answered, open watches are silent
    UNHEARD = "unheard answers"  # the request has its effect, and is never answered
    GONE = "410 for watches"
    STALLED = "stalled watches"
    SLOW = "delays"
    LATE = "late"  # each request waits for as long as the weather says
    SKEWED = "skewed clock"


@dataclass(frozen=True, slots=True)
class Weather:
    """The trouble, the share of requests that meet it, and by how many seconds Date headers are moved."""

    trouble: Trouble = Trouble.NONE
    share: float = 1.0
    skew_seconds: float = 0.0
    late_seconds: float = 0.0


CLEAR = Weather()
