"""The demo as a child process, for tests of the ring cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from sundial_devcluster.folders import cluster_folder
from sundial_devcluster.processes import processes_marked


class Demo:
    """A demo as a child process without a terminal; `text` is what it has printed so far."""

    def __init__(self, name: str, *options: str, **environment: str) -> None:
        command = [sys.executable, "-u", "-W", "error", "-m", "sundial_demo", "--name", name, *options]
        self.folder = cluster_folder(name)
        self.text = ""
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "CLUSTER": "local", "DEMO_SECONDS": "300", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def read_until(self, words: str) -> None:
        """Read on until these words were printed."""
        assert self.process.stdout is not None
        while words not in self.text:
            line = self.process.stdout.readline()
            assert line, f"ended before it said {words!r}: {self.text}"
            self.text += line

    def end(self, number: signal.Signals | None = None) -> int:
        """Send a signal, if any, and return the exit status."""
        if number is not None:
            self.process.send_signal(number)
        self.text += self.process.communicate(timeout=120)[0]
        return self.process.returncode

    def kill(self) -> None:
        """Kill it unless it has ended."""
        self.process.kill()
        self.process.communicate()

    def what_is_left(self) -> list[object]:
        """List processes and files of it that are still there."""
        return [*processes_marked(self.folder), *([self.folder] if self.folder.exists() else [])]

    def operator_pid(self) -> int:
        """Find the process of its operator."""
        return self._find_pid(b"sundial_operator")

    def api_pid(self) -> int:
        """Find the process of its API."""
        return self._find_pid(b"sundial_api")

    def _find_pid(self, program: bytes) -> int:
        marked = {
            process.pid: Path(f"/proc/{process.pid}/cmdline") for process in processes_marked(self.folder)
        }
        return next(pid for pid, command in marked.items() if program in command.read_bytes())
