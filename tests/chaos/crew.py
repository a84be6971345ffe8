"""The operator's processes: each behind its proxy, started again whenever it ends, as a Deployment does."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaos.background import Background

from sundial_devcluster.polling import until

LOOK_SECONDS = 0.05
SAMPLE_SECONDS = 1.0
STOP_SECONDS = 25.0
PAGE = os.sysconf("SC_PAGE_SIZE")
INSTANCE = re.compile(r'"instance": "([0-9a-f-]{36})"')
FORESEEN = (
    "lost the leadership",
    "elected, but the term cannot be raised",
    "not permitted, so not campaigning",  # an API server that begins forbids everything for a moment
    "Request attempt #",  # kopf's word for a retry
)
"""What a log may call an error while an API server is taken away and leaders are robbed."""


@dataclass(slots=True)
class Life:
    """One process, from its start to its end; memory in bytes, sampled once a second."""

    pid: int
    started: float
    memory: list[int] = field(default_factory=list)
    instance: str = ""


class Member:
    """One of the operators: its kubeconfig, its log, and the process that it is now."""

    def __init__(self, number: int, log: Path, environment: dict[str, str]) -> None:
        self.number = number
        self.log = log
        self._environment = environment
        self._read = 0
        self.lives: list[Life] = []
        self.ends: Counter[int] = Counter()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start a process; whatever kills this one ends it too."""
        tied = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
        self._read = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*tied, sys.executable, "-m", "sundial_operator"],
                env=os.environ | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.lives.append(Life(self._process.pid, time.monotonic()))

    def look(self) -> bool:
        """Notice an end, read the log on, and tell whether there is a process."""
        self._follow_log()
        if self._process is None or (status := self._process.poll()) is None:
            return self._process is not None
        self.ends[status] += 1
        self._process = None
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self._process is not None:
            self._process.send_signal(number)

    def sample(self) -> None:
        """Note how much memory the process has resident."""
        with contextlib.suppress(OSError, IndexError):
            pages = int(Path(f"/proc/{self.lives[-1].pid}/statm").read_text().split()[1])
            self.lives[-1].memory.append(pages * PAGE)

    def end(self) -> None:
        """Stop the process."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self.ends[self._process.wait(STOP_SECONDS)] += 1
            except subprocess.TimeoutExpired:
                self._process.kill()
                self.ends[self._process.wait()] += 1
            self._process = None

    def find_complaints(self) -> list[str]:
        """Find the lines of the log that nobody foresaw: errors, and whatever is not JSON."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            is_error = '"level": "error"' in line or '"level": "critical"' in line
            is_foreseen = any(f'"event": "{event}' in line for event in FORESEEN)
            if (is_error and not is_foreseen) or not line.startswith("{"):
                found.append(f"operator {self.number}: {line[:1500]}")
        return found

    def _follow_log(self) -> None:
        """Learn from the log which instance the process is, and whether it leads."""
        if not self.log.exists():
            return
        with self.log.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        *lines, rest = text.split(b"\n")
        self._read += len(text) - len(rest)
        for line in lines:
            if b'"event": "standing by"' in line:
                self.lives[-1].instance = str(json.loads(line)["instance"])


class Crew(Background):
    """All operators, watched over by a thread; a context manager."""

    def __init__(self, members: list[Member]) -> None:
        super().__init__("crew", STOP_SECONDS * (len(members) + 1))
        self.members = members

    def find(self, holder: str) -> Member | None:
        """Find the member that is the holder of a Lease or a term; None when that process is gone."""
        instance = holder.rpartition("_")[2]
        return next((m for m in self.members if m.lives and m.lives[-1].instance == instance), None)

    def wait_standing_by(self, timeout: float) -> None:
        """Wait until every process campaigns."""
        until(lambda: all(m.lives and m.lives[-1].instance for m in self.members), timeout)

    def count_ends(self) -> Counter[int]:
        """Count the ends of processes by status; negative ones are signals."""
        return sum((member.ends for member in self.members), Counter())

    def _run(self) -> None:
        sampled = 0.0
        while not self._stopping.wait(LOOK_SECONDS):
            for member in self.members:
                if not member.look():
                    member.start()
            if time.monotonic() - sampled >= SAMPLE_SECONDS:
                sampled = time.monotonic()
                for member in self.members:
                    member.sample()
        for member in self.members:
            member.end()


def read_utc_clock() -> datetime:
    """Read the wall clock, in UTC."""
    return datetime.now(UTC)


def build_environment(kubeconfig: Path, ns: str, timing: dict[str, str]) -> dict[str, str]:
    """Build the settings of an operator that looks after all namespaces; finished Jobs go very soon."""
    settings: dict[str, Any] = {
        "KUBECONFIG": kubeconfig,
        "SUNDIAL_NAMESPACE": ns,
        "SUNDIAL_WATCH_NAMESPACES": "",
        "SUNDIAL_HEALTH_PORT": 0,
        "SUNDIAL_TOMBSTONE_SECONDS": 5,
        "SUNDIAL_LOG_FORMAT": "json",
        "PYTHONWARNINGS": "ignore::ResourceWarning",  # kopf leaves sockets to a process that ends
        **timing,
    }
    return {name: str(value) for name, value in settings.items()}
