"""What does an exception say of a run? Its exit code, one line, and the traceback of the user's frames."""

from __future__ import annotations

import os

from sundial_runner import endings
from sundial_runner.endings import NotRunnable, Outcome, Stopped, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

OWN_FRAMES = os.path.dirname(__file__) + "/"
IMPORT_FRAMES = ("<frozen importlib", os.path.dirname(os.__file__) + "/importlib/")


def judge(error: BaseException) -> Outcome:
    """Tell how a run ended that ended with this exception."""
    if isinstance(error, Stopped):
        return Outcome(endings.STOPPED, error="stopped by SIGTERM")
    if isinstance(error, NotRunnable):
        return Outcome(endings.NOT_RUNNABLE, error=str(error))
    if isinstance(error, Unavailable):
        return Outcome(endings.UNAVAILABLE, error=str(error))
    if isinstance(error, SystemExit):
        return _judge_exit(error.code)
    return Outcome(endings.FAILED, error=describe_error(error), traceback=format_own_traceback(error))


def _judge_exit(code: object) -> Outcome:
    if code is None or code == endings.SUCCEEDED:
        return Outcome()
    kept = endings.keep_own_code(code) if isinstance(code, int) else endings.FAILED
    return Outcome(kept, error=f"the function called sys.exit({describe_safely(code, repr)})")


def describe_error(error: BaseException) -> str:
    """Describe an exception by its class and its text."""
    name, text = type(error).__name__, describe_safely(error, str)
    return f"{name}: {text}" if text else name


def describe_safely(value: object, describe: Callable[[object], str]) -> str:
    """Describe a value, also one whose own description fails."""
    try:
        return describe(value)
    except Exception:  # noqa: BLE001 - what has no text ends no less
        return "(its text cannot be read)"


def format_own_traceback(error: BaseException) -> str:
    """Format the traceback from the user's first frame on."""
    import traceback

    frames = _skip_runner(error.__traceback__)
    try:
        return "".join(traceback.format_exception(type(error), error, frames))
    except Exception:  # noqa: BLE001 - an exception may be anything
        return "".join(traceback.format_tb(frames))


def _skip_runner(frames: TracebackType | None) -> TracebackType | None:
    """Skip frames up to the last one of ours, asyncio's between them too, and then those of the import."""
    rest = frames
    while frames is not None:
        if frames.tb_frame.f_code.co_filename.startswith(OWN_FRAMES):
            rest = frames.tb_next
        frames = frames.tb_next
    while rest is not None and rest.tb_frame.f_code.co_filename.startswith(IMPORT_FRAMES):
        rest = rest.tb_next
    return rest
