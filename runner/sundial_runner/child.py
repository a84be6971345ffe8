"""The process that does the work, and reports through a pipe how it ended."""

from __future__ import annotations

import os
import sys

from sundial_runner import endings, environment
from sundial_runner.call import call_function
from sundial_runner.endings import Outcome, Stopped
from sundial_runner.signals import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import FrameType
    from typing import NoReturn


def run_child(sender: int, mask: Iterable[int]) -> NoReturn:
    """Do the work with this signal mask, report through `sender`, and end this process."""
    own, code, given = os.getpid(), endings.INTERNAL, dict(os.environ)
    try:
        outcome = _work(mask)
        code = outcome.code
        if os.getpid() == own:  # else a fork of the function came back here, which has nothing to report
            line = _report(outcome, sender, given)
            _clean_up()
            _write_last_line(line)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        raise
    finally:
        os._exit(code)


def _work(mask: Iterable[int]) -> Outcome:
    try:
        try:
            signal.signal(signal.SIGTERM, _stop)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            sys.path.insert(0, os.getcwd())
            return _run()
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is told of it now is not to be interrupted
    except BaseException as error:  # noqa: BLE001 - whatever a function raises is how it ended
        from sundial_runner.judgement import judge

        return judge(error)


def _run() -> Outcome:
    task = environment.read_celery_task()
    if task:
        from sundial_runner.celery_tasks.run import run_task

        return run_task(task)
    return Outcome(result=call_function(environment.read_function(), environment.read_args()))


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Stopped


def _report(outcome: Outcome, sender: int, given: Mapping[str, str]) -> bytes:
    """Report an outcome; return the whole message where the result had no room, for the log.

    The secrets of the environment are hidden, as it was given and as it is.
    """
    from sundial_runner.messages import LONGEST_LINE, build_message
    from sundial_runner.redaction import Redactor

    redactor = Redactor({**os.environ, **given})
    whole = build_message(outcome, redactor, LONGEST_LINE)
    limit = environment.read_message_bytes()
    message = whole if len(whole) <= limit else build_message(outcome, redactor, limit)
    os.write(sender, b"%d\n" % outcome.code + message)
    if outcome.traceback:
        sys.stderr.write(redactor.redact_text(outcome.traceback))
    if outcome.error:
        sys.stderr.write(f"sundial: {redactor.redact_text(outcome.error)}\n")
    return whole if message is not whole and outcome.result is not None else b""


def _clean_up() -> None:
    """End as Python does: wait for threads, then run what was registered for the exit."""
    import atexit

    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()


def _write_last_line(line: bytes) -> None:
    """Write the last line of the log, however long it is; nothing where the function has closed the log."""
    rest = line + b"\n" if line else b""
    try:
        while rest:
            rest = rest[os.write(1, rest) :]
    except OSError:
        return
