"""How can a run end? Its exit codes, the exceptions that lead to them, and what is told of it."""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself would cost every run milliseconds
if TYPE_CHECKING:
    from typing import Any

SUCCEEDED = 0
FAILED = 1
LAST_OWN_CODE = 63
"""Up to here a code is the function's own; those above have a meaning to Sundial."""
UNAVAILABLE = 69
"""Broker or result backend of Celery were not reached in time."""
INTERNAL = 70
NOT_RUNNABLE = 78
STOPPED = 143
SIGNALLED = 128
"""Added to the number of the signal that killed the process."""


class NotRunnable(Exception):
    """The function cannot be run as it is asked for, and trying again would not help."""


class Unavailable(Exception):
    """A service that the run needs was not reached in time; trying again may help."""


class Stopped(BaseException):
    """SIGTERM came: the run is cancelled, too late, or has to leave its node."""


class Outcome:
    """How the work ended: the exit code, and what is told of it."""

    __slots__ = ("code", "error", "result", "task", "traceback")

    def __init__(
        self, code: int = SUCCEEDED, result: Any = None, error: str = "", traceback: str = ""
    ) -> None:
        self.code = code
        self.result = result
        self.error = error
        self.traceback = traceback
        self.task: dict[str, str] = {}
        """Celery only: `id` and `state` of the task that ran."""


def keep_own_code(code: int) -> int:
    """Keep the exit code that a function chose; one that is Sundial's becomes a plain failure."""
    return code if SUCCEEDED <= code <= LAST_OWN_CODE else FAILED
