"""How does a cluster go, whole or half started, from this process or another? Nothing of it is left."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterable
from pathlib import Path

from sundial_devcluster.cgroups import remove_cgroups
from sundial_devcluster.config import Lifetime
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.polling import until
from sundial_devcluster.processes import ProcessId, is_running, processes_marked, send_signal
from sundial_devcluster.state import State, all_states
from sundial_devcluster.sysctls import restore_sysctls, sysctls_to_restore
from sundial_devcluster.wires import remove_wire


def remove_cluster(state: State) -> None:
    """Kill all processes of a cluster and remove what it made; the caller holds the lock."""
    until(lambda: not _kill_running(state.folder, state.processes.values()), 20)
    wire = state.addresses.wire
    if wire is not None:
        remove_wire(wire)
        remove_cgroups(wire.cgroup)
        others = [other.sysctls for other in all_states() if other.folder != state.folder]
        restore_sysctls(sysctls_to_restore(state.sysctls, others))
    _remove_folder(state.folder)


def remove_remains(folder: Path) -> None:
    """Remove a cluster whose record is missing or unreadable: its processes are known by their mark alone."""
    until(lambda: not _kill_running(folder, ()), 20)
    _remove_folder(folder)


def _remove_folder(folder: Path) -> None:
    _refuse_mounts(folder)
    if folder.exists():
        shutil.rmtree(folder)


def _refuse_mounts(folder: Path) -> None:
    """Raise ClusterError when something is mounted in the folder: removing it would reach through."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    inside = [path for path in mounted if Path(path).is_relative_to(folder)]
    if inside:
        raise ClusterError(f"{', '.join(inside)} is still mounted: unmount it, then run `down` again.")


def _kill_running(folder: Path, recorded: Iterable[ProcessId]) -> set[ProcessId]:
    running = {process for process in recorded if is_running(process)} | set(processes_marked(folder))
    for process in running:
        send_signal(process, signal.SIGKILL)
    return running


def remove_abandoned() -> None:
    """Remove the clusters that should have ended with a starter that is gone; the caller holds the lock."""
    for state in all_states():
        if state.config.lifetime is Lifetime.STARTER and not is_running(state.starter):
            remove_cluster(state)
