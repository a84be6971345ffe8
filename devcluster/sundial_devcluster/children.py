"""How does a long-running program start, so that it may outlive our interest in it?

subprocess.Popen is not for that: it warns when it is dropped while its program still runs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sundial_devcluster.polling import until

OUTPUT_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
UNKNOWN_STATUS = -1


class Child:
    """Control a child process; one that nobody waits for stays a zombie until its parent ends."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.status: int | None = None

    def poll(self) -> int | None:
        """Return the exit status (negative: the signal), or None while it runs."""
        if self.status is None:
            try:
                ended, raw = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self.status = UNKNOWN_STATUS
            else:
                self.status = os.waitstatus_to_exitcode(raw) if ended else None
        return self.status

    def wait(self, timeout: float) -> None:
        """Wait for the end; raise TimeoutError when it does not come."""
        until(lambda: self.poll() is not None, timeout)


def spawn(argv: tuple[str, ...], environment: Mapping[str, str], log: Path) -> Child:
    """Start a program in a session of its own, without input, appending its output to the log."""
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), OUTPUT_FLAGS, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return Child(os.posix_spawnp(argv[0], list(argv), environment, file_actions=files, setsid=True))
