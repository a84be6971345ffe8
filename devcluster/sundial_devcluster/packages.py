"""Can this machine run a real node and Postgres, and what has to be installed? Debian's packages, by apt."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from sundial_devcluster.config import Nodes
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.images import is_static
from sundial_devcluster.nodes import CNI_PROGRAMS

PACKAGES = (
    "containerd",
    "runc",
    "containernetworking-plugins",
    "busybox-static",
    "nftables",
    "iproute2",
    "util-linux",
    "postgresql",
    "python3",
    "tzdata",
    "ca-certificates",
    "redis-server",
    "rabbitmq-server",
    "buildah",
    "mmdebstrap",
    "prometheus",
)
NODE_PACKAGES = ("nodejs", "npm")
"""For the test of the frontend's types; a Node.js from elsewhere, with its own npm, serves as well."""
COMMANDS = ("containerd", "ctr", "runc", "busybox", "nft", "ip", "unshare", "nsenter", "setpriv")
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
NO_SERVICES = "#!/bin/sh\n# The node runs its own containerd: the system's need not start.\nexit 101\n"
INSTALLS = "`python -m sundial_devcluster packages` installs it"
POLICY = Path("/usr/sbin/policy-rc.d")


def choose_nodes() -> tuple[Nodes, str]:
    """Return real nodes where they can run, else simulated ones; and why it is so."""
    obstacle = find_obstacle()
    if obstacle is None:
        return Nodes.REAL, "root and containerd are there"
    return Nodes.KWOK, obstacle


def find_obstacle() -> str | None:
    """Return what keeps this machine from running a real node, or None."""
    if os.geteuid() != 0:
        return "a real node needs root"
    lacking = [name for name, bit in CAPABILITIES.items() if not _effective_capabilities() >> bit & 1]
    if lacking:
        return f"root lacks {' and '.join(lacking)} here"
    missing = [command for command in COMMANDS if shutil.which(command) is None]
    missing += [] if (CNI_PROGRAMS / "ptp").exists() else ["the CNI plugins"]
    if missing:
        return f"{', '.join(missing)} not found ({INSTALLS})"
    if not is_static(Path(shutil.which("busybox") or "").read_bytes()):
        return f"the busybox here is not a static one ({INSTALLS})"
    return None


def _effective_capabilities() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff"))


def missing_packages() -> list[str]:
    """Return the packages that are not installed."""
    node = NODE_PACKAGES if shutil.which("npm") is None else ()
    return [package for package in (*PACKAGES, *node) if not _is_installed(package)]


def _is_installed(package: str) -> bool:
    command = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout == "installed"


def install_packages(console: Console) -> None:
    """Install what is missing; raise ClusterError where that is impossible."""
    if shutil.which("apt-get") is None:
        raise ClusterError(f"There is no apt here: install {', '.join(PACKAGES)} by hand.")
    missing = missing_packages()
    if not missing:
        console.print("All packages for a real node and Postgres are installed.")
        return
    if os.geteuid() != 0:
        raise ClusterError(f"Installing {', '.join(missing)} needs root.")
    console.print(f"Installing {', '.join(missing)} with apt.")
    with _no_services(), console.status("apt-get"):
        _apt("update")
        _apt("install", "--yes", "--no-install-recommends", *missing)
    console.print("Installed.")


def _apt(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise ClusterError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")


@contextmanager
def _no_services() -> Iterator[None]:
    if POLICY.exists():
        yield
        return
    POLICY.write_text(NO_SERVICES)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
