"""In which cgroups does a box live? Makes, names and removes them.

With cgroup v1 (every controller mounted for itself) this has been run. The cgroup v2 branch has not been run
on any machine: there a cgroup with processes in it cannot hand controllers to its children, so the box's own
processes go into a leaf named `system`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sundial_devcluster.polling import until

MOUNTS = Path("/proc/self/mounts")
LEAF = "system"
GENERIC_OPTIONS = {"rw", "ro", "nosuid", "nodev", "noexec", "relatime", "noatime", "xattr", "clone_children"}


@dataclass(frozen=True)
class Hierarchy:
    """Name a mounted cgroup hierarchy; `options` mount it again, and are empty for v2."""

    mount: Path
    options: str

    @property
    def leaf(self) -> str:
        """Return the cgroup, below the box's own, that holds the box's processes."""
        return "" if self.options else LEAF


def parse_hierarchies(mounts: str) -> tuple[Hierarchy, ...]:
    """Return the v1 hierarchies in a mount table, or else the v2 one; of a hybrid's only v1."""
    lines = [line.split() for line in mounts.splitlines()]
    first = tuple(Hierarchy(Path(line[1]), _own_options(line[3])) for line in lines if line[2] == "cgroup")
    second = tuple(Hierarchy(Path(line[1]), "") for line in lines if line[2] == "cgroup2")
    return first or second[:1]


def _own_options(options: str) -> str:
    kept = [one for one in options.split(",") if one not in GENERIC_OPTIONS and "release_agent" not in one]
    named = any(one.startswith("name=") for one in kept)
    return ",".join(["none", *kept] if named else kept)


def mounted_hierarchies() -> tuple[Hierarchy, ...]:
    """Return the hierarchies of this machine."""
    return parse_hierarchies(MOUNTS.read_text())


def create_cgroups(name: str) -> None:
    """Make the cgroup of a box in every hierarchy."""
    for hierarchy in mounted_hierarchies():
        folder = hierarchy.mount / name
        (folder / hierarchy.leaf).mkdir(parents=True, exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # A v1 cpuset starts empty, and no process may join an empty one.
            if hierarchy.options and (folder / setting).exists():
                (folder / setting).write_text((hierarchy.mount / setting).read_text())


def joining_files(name: str) -> tuple[Path, ...]:
    """Return the files through which a process on the host joins a box's cgroups."""
    return tuple(hierarchy.mount / name / "cgroup.procs" for hierarchy in mounted_hierarchies())


def joining_files_inside() -> tuple[Path, ...]:
    """Return the files through which a process in a box joins the box's cgroups."""
    return tuple(hierarchy.mount / hierarchy.leaf / "cgroup.procs" for hierarchy in mounted_hierarchies())


def remove_cgroups(name: str) -> None:
    """Remove the cgroups of a box whose processes are gone; the kernel takes a moment to see that."""
    until(lambda: not list(_try_remove(name)), 20)


def _try_remove(name: str) -> Iterable[Path]:
    for hierarchy in mounted_hierarchies():
        top = hierarchy.mount / name
        if not top.is_dir():
            continue
        for folder in sorted((one for one in top.rglob("*") if one.is_dir()), reverse=True):
            _remove_folder(folder)
        _remove_folder(top)
        if top.exists():
            yield top


def _remove_folder(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
