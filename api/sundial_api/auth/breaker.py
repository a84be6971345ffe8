"""When is the API server left alone? For a moment after it has given no answer: a circuit breaker."""

from __future__ import annotations

import time
from collections.abc import Callable

from sundial_kube.errors import ApiUnreachable

PAUSE_SECONDS = 2.0
"""For how long the API server is left alone when it has given no answer."""


class Breaker:
    """Shared by all who ask one API server: who the caller is and what it may do take their waits once."""

    def __init__(self, read_clock: Callable[[], float] = time.monotonic) -> None:
        self._read_clock = read_clock
        self._failed_at = float("-inf")

    def check(self) -> None:
        """Raise ApiUnreachable while the API server is left alone."""
        if self._read_clock() - self._failed_at < PAUSE_SECONDS:
            raise ApiUnreachable("the API server gave no answer about a caller a moment ago")

    def trip(self) -> None:
        """Leave the API server alone from now on, for a moment."""
        self._failed_at = self._read_clock()
