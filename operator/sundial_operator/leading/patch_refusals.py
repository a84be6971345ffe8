"""Ends a leader that may not write statuses any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sundial_core.decision.create_error_kinds import is_permission_missing
from sundial_core.decision.job_creation import RETRY_BACKOFF
from sundial_kube.errors import ApiError


class PatchRefusals:
    """Ends a leader that has not been permitted to write statuses for so many seconds: another one may be.

    Any success starts anew, and so does a time without refusals: patches are tried again sooner than that.
    """

    def __init__(self, seconds: float, end: Callable[[str], object]) -> None:
        self._seconds = seconds
        self._end = end
        self._refused_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_counting(self) -> bool:
        """Tell whether a patch was refused since the last one that was not."""
        return self._timer is not None

    def observe(self, error: ApiError | None) -> None:
        """Take the answer to a status patch."""
        loop = asyncio.get_running_loop()
        if error is None:
            self._forget()
        elif is_permission_missing(error.status, error.message):
            self._refused_at = loop.time()
            self._timer = self._timer or loop.call_later(self._seconds, self._end_if_recent, error.message)

    def _end_if_recent(self, message: str) -> None:
        is_recent = asyncio.get_running_loop().time() - self._refused_at <= RETRY_BACKOFF.max_seconds
        self._forget()
        if is_recent:
            self._end(f"status patches have been refused for {self._seconds:g} s: {message}")

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
