"""How long to wait before something that failed is tried again."""

from __future__ import annotations

from dataclasses import dataclass

MAX_DOUBLINGS = 16


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double with each failure in a row, up to a limit; both in seconds."""

    first_seconds: float
    max_seconds: float

    def after(self, failures: int) -> float:
        """Compute the seconds to wait after so many failures in a row, before jitter."""
        doublings = min(max(failures, 1) - 1, MAX_DOUBLINGS)
        return min(self.max_seconds, self.first_seconds * 2.0**doublings)
