"""What does the status of a child say that ended without a word?"""

from __future__ import annotations

import os
import signal

from sundial_runner import endings
from sundial_runner.endings import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class StopState(Protocol):
        """What the supervisor did meanwhile."""

        grace: float
        is_stopped: bool
        is_killed: bool


def judge_status(status: int, watch: StopState) -> Outcome:
    """Tell how a run ended by the status of its process."""
    if watch.is_killed:
        deaf = f"it did not end within its grace of {watch.grace:g} s and was killed"
        return Outcome(endings.STOPPED, error=f"stopped by SIGTERM: {deaf}")
    if os.WIFSIGNALED(status):
        return _judge_signal(os.WTERMSIG(status), watch)
    code = os.WEXITSTATUS(status)
    text = f"the process ended with exit code {code} and told no result (os._exit?)"
    return Outcome(_keep_code(code), error=text)


def _judge_signal(number: int, watch: StopState) -> Outcome:
    if watch.is_stopped and number == signal.SIGTERM:
        return Outcome(endings.STOPPED, error="stopped by SIGTERM")
    text = f"the process was killed by {_name_signal(number)}"
    return Outcome(endings.SIGNALLED + number, error=text)


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _keep_code(code: int) -> int:
    """Keep the code of a child that told nothing; no success, and `INTERNAL` where the child itself broke."""
    return endings.INTERNAL if code in (0, endings.INTERNAL) else endings.keep_own_code(code)
