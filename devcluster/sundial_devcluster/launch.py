"""How is a component started, on the host or in the box, so that it dies when it should?"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sundial_devcluster.children import Child, spawn
from sundial_devcluster.components import Component
from sundial_devcluster.config import Lifetime
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.polling import until
from sundial_devcluster.probes import CommandProbe, is_ready
from sundial_devcluster.processes import MARK, ProcessId, identify, is_running, only_child

# Entering the cgroup namespace does not move a process into the box's cgroups.
JOIN_CGROUPS = 'for file in $0; do echo $$ > "$file" || exit 70; done; exec "$@"'
TAIL_LINES = 15


@dataclass(frozen=True)
class Host:
    """Say where components run: beside us when `box` is None, else in the box with this first process."""

    folder: Path
    lifetime: Lifetime
    box: ProcessId | None = None
    cgroup_files: tuple[Path, ...] = ()


def build_command(host: Host, argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command that runs argv where the host says; whatever is in the box dies with the box."""
    if host.box is not None:
        enter = ("nsenter", f"--target={host.box.pid}", "--net", "--mount", "--pid", "--cgroup")
        files = " ".join(str(file) for file in host.cgroup_files)
        return (*enter, "sh", "-c", JOIN_CGROUPS, files, *argv)
    if host.lifetime is Lifetime.STARTER:
        return ("setpriv", "--pdeathsig", "KILL", *argv)
    return argv


def launch(host: Host, component: Component) -> Child:
    """Start a component in its own session, appending to its log."""
    if host.box is not None and not is_running(host.box):
        raise ClusterError(f"{component.name} cannot be started: the node's namespaces are gone.")
    return launch_marked(host.folder, build_command(host, component.argv), component.log)


def launch_marked(folder: Path, command: tuple[str, ...], log: Path) -> Child:
    """Start a command that can be found again by its cluster's mark."""
    return spawn(command, {**os.environ, MARK: str(folder)}, log)


def find_component(host: Host, child: Child) -> ProcessId | None:
    """Return the process of a component just started; nsenter is only its parent."""
    if host.box is None:
        return identify(child.pid)
    until(lambda: only_child(child.pid) or child.poll() is not None, 5)
    return only_child(child.pid)


def run_in(host: Host, argv: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run a short command where the components run, and return its result whatever it is."""
    return subprocess.run(build_command(host, argv), capture_output=True, text=True, check=False)


def is_component_ready(host: Host, component: Component) -> bool:
    """Tell whether a component answers; one without a probe always does."""
    match component.probe:
        case None:
            return True
        case CommandProbe(argv):
            return run_in(host, argv).returncode == 0
        case probe:
            return is_ready(probe)


def wait_ready(host: Host, component: Component, child: Child, timeout: float) -> None:
    """Wait until a component answers; raise ClusterError with its log's tail when it ends or is too slow."""
    try:
        until(lambda: child.poll() is not None or is_component_ready(host, component), timeout)
    except TimeoutError:
        raise failure(component, f"was not ready within {timeout:.0f} s") from None
    if child.poll() is not None:
        raise failure(component, f"ended with status {child.status} while starting")


def failure(component: Component, what: str) -> ClusterError:
    """Return the error that names a component, what it did, and the tail of its log."""
    tail = component.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    return ClusterError("\n".join([f"{component.name} {what}; its log {component.log} ends:", *tail]))
