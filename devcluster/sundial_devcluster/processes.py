"""Which process is it, does it still run, and how is it ended? Never mistakes a recycled pid for ours.

A process is a pid with its start time. Each process that we start also carries MARK in its environment, so
that one that was started but not yet recorded when its starter was killed is found as well.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sundial_devcluster.polling import until

MARK = "SUNDIAL_DEVCLUSTER_PROCESS_OF"


@dataclass(frozen=True)
class ProcessId:
    """Name a process for good; `started` is in clock ticks since boot."""

    pid: int
    started: int


def identify(pid: int) -> ProcessId | None:
    """Return the identity of a pid, or None when nothing but a zombie or nothing at all has it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else ProcessId(pid, int(rest[18]))


def own_process() -> ProcessId:
    """Return the identity of this process."""
    return ProcessId(os.getpid(), int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]))


def is_running(process: ProcessId) -> bool:
    """Tell whether exactly this process runs; a zombie does not."""
    return identify(process.pid) == process


def send_signal(process: ProcessId, number: signal.Signals) -> None:
    """Send a signal to exactly this process; do nothing when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(process.pid)
        try:
            if is_running(process):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def end(process: ProcessId, grace: float) -> None:
    """End a process and wait for its exit: SIGTERM, then SIGKILL after `grace` seconds; 0 kills at once."""
    if grace > 0:
        send_signal(process, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            until(lambda: not is_running(process), grace)
    send_signal(process, signal.SIGKILL)
    until(lambda: not is_running(process), 20)


def only_child(pid: int) -> ProcessId | None:
    """Return the only child of a process, or None while it has none."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    return identify(int(children[0])) if children else None


def processes_marked(folder: Path) -> Iterator[ProcessId]:
    """Yield the running processes that were started for the cluster in this folder."""
    wanted = f"{MARK}={folder}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (process := identify(int(entry.name))):
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    yield process
