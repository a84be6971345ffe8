"""In what does a cluster with a real node live? In one set of namespaces, its box.

The end of the box's first process ends all that runs in it, and all mounts, links and tables go along.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sundial_devcluster.addresses import Wire
from sundial_devcluster.cgroups import create_cgroups, joining_files, mounted_hierarchies
from sundial_devcluster.children import Child
from sundial_devcluster.components import Plan
from sundial_devcluster.config import Lifetime
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.launch import JOIN_CGROUPS, launch_marked
from sundial_devcluster.polling import until
from sundial_devcluster.processes import ProcessId, only_child

FIRST_PROCESS = Path(__file__).parent / "box.sh"
NAMESPACES = ("--net", "--mount", "--pid", "--cgroup")
UNSHARE = ("unshare", *NAMESPACES, "--fork", "--kill-child=SIGKILL", "--mount-proc")


@dataclass(frozen=True)
class Box:
    """Hold a running box: its first process, and the child of ours that holds it."""

    first: ProcessId
    holder: Child


def open_box(plan: Plan, wire: Wire) -> Box:
    """Make the cgroups and namespaces of a cluster and wait until they are set up."""
    create_cgroups(wire.cgroup)
    log = plan.log("box")
    holder = launch_marked(plan.folder, build_box_command(plan, wire), log)
    ready = plan.folder / "box.ready"
    until(lambda: ready.exists() or holder.poll() is not None, 15)
    first = only_child(holder.pid)
    if first is None or not ready.exists():
        raise ClusterError(f"The namespaces of the node could not be set up: {log.read_text().strip()}")
    return Box(first, holder)


def build_box_command(plan: Plan, wire: Wire) -> tuple[str, ...]:
    """Return the command that joins the cgroups, then opens the namespaces."""
    files = " ".join(str(file) for file in joining_files(wire.cgroup))
    remounts = [f"{hierarchy.mount}={hierarchy.options}" for hierarchy in mounted_hierarchies()]
    dying = ("setpriv", "--pdeathsig", "KILL") if plan.config.lifetime is Lifetime.STARTER else ()
    first = ("bash", str(FIRST_PROCESS), str(plan.folder), *remounts)
    return (*dying, "sh", "-c", JOIN_CGROUPS, files, *UNSHARE, *first)
