"""How does a cluster go, whole or half started, from this process or another? Nothing of it is left."""

from __future__ import annotations

import shutil
import signal

from sundial_devcluster.config import Lifetime
from sundial_devcluster.polling import until
from sundial_devcluster.processes import ProcessId, is_running, processes_marked, send_signal
from sundial_devcluster.state import State, all_states


def remove_cluster(state: State) -> None:
    """Kill all processes of a cluster and remove its folder; whatever it was doing is of no interest."""
    until(lambda: not _kill_running(state), 20)
    shutil.rmtree(state.folder)


def _kill_running(state: State) -> list[ProcessId]:
    recorded = {process for process in state.processes.values() if is_running(process)}
    running = sorted(recorded | set(processes_marked(state.folder)), key=lambda process: process.pid)
    for process in running:
        send_signal(process, signal.SIGKILL)
    return running


def remove_abandoned() -> None:
    """Remove the clusters that should have ended with a starter that is gone; the caller holds the lock."""
    for state in all_states():
        if state.config.lifetime is Lifetime.STARTER and not is_running(state.starter):
            remove_cluster(state)
