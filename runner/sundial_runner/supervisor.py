"""Process 1 of the container: forks, passes SIGTERM on, reaps, and tells what its child could not tell.

A segmentation fault, `os._exit` and a function that is deaf to SIGTERM still end with a message and a code.
"""

from __future__ import annotations

import os
import sys
import time

from sundial_runner import environment
from sundial_runner.child import run_child
from sundial_runner.signals import signal

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
LAST_SECONDS = 5.0
"""Kept of the grace for the message, before the kubelet kills everything."""
FOREVER = 3600.0
LARGEST_REPORT = 65536


def supervise() -> int:
    """Let a child do the work, write what is told of it, and return the exit code of the container."""
    receiver, sender = os.pipe()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if inherited as ignored, no child could be waited for
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    child = os.fork()
    if child == 0:
        os.close(receiver)
        run_child(sender, mask)
    os.close(sender)
    watch = ChildWatch(child, environment.read_grace())
    status = watch.wait()
    code, message = _read_report(receiver) or _explain(status, watch)
    _write_message(message)
    return code


class ChildWatch:
    """Waits for the child and does what process 1 has to do meanwhile."""

    def __init__(self, child: int, grace: float) -> None:
        self.grace = grace
        self.is_stopped = False
        self.is_killed = False
        self._child = child
        self._kill_at = 0.0

    def wait(self) -> int:
        """Wait until the child has ended, and return its status."""
        while True:
            seen = signal.sigtimedwait(SIGNALS, self._find_patience())
            if seen is None:
                self._kill_late()
            elif seen.si_signo != signal.SIGCHLD:
                self._stop()
            status = self._reap()
            if status is not None:
                return status

    def _find_patience(self) -> float:
        if self.is_stopped and not self.is_killed:
            return max(0.0, self._kill_at - time.monotonic())
        return FOREVER

    def _stop(self) -> None:
        if not self.is_stopped:
            self.is_stopped = True
            self._kill_at = time.monotonic() + max(self.grace - LAST_SECONDS, self.grace / 2)
        os.kill(self._child, signal.SIGTERM)

    def _kill_late(self) -> None:
        if self.is_stopped:
            self.is_killed = True
            os.kill(self._child, signal.SIGKILL)

    def _reap(self) -> int | None:
        """Reap what has ended, orphans too; return the status of the child once it has."""
        found = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return found
            if pid == 0:
                return found
            if pid == self._child:
                found = status


def _read_report(receiver: int) -> tuple[int, bytes] | None:
    """Read what the child reported: the exit code, a line end, the message."""
    os.set_blocking(receiver, False)  # a process that the function left behind may hold the other end
    try:
        report = os.read(receiver, LARGEST_REPORT)
    except BlockingIOError:
        return None
    code, _, message = report.partition(b"\n")
    return (int(code), message) if code.isdigit() else None


def _explain(status: int, watch: ChildWatch) -> tuple[int, bytes]:
    """Say why the child ended without a word."""
    from sundial_runner.messages import build_message
    from sundial_runner.redaction import Redactor
    from sundial_runner.silent_ends import judge_status

    outcome = judge_status(status, watch)
    sys.stderr.write(f"sundial: {outcome.error}\n")
    return outcome.code, build_message(outcome, Redactor(os.environ), environment.read_message_bytes())


def _write_message(message: bytes) -> None:
    """Write the message where the kubelet has made a file for it; elsewhere there is nobody to read it."""
    path = environment.read_message_path()
    try:
        target = os.open(path, os.O_WRONLY | os.O_TRUNC)
        os.write(target, message)
        os.close(target)
    except OSError as error:
        sys.stderr.write(f"sundial: the message cannot be written to {path}: {error.strerror}\n")
