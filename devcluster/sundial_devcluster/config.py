"""What can be asked of a cluster: its name, its nodes, extra flags. Knows nothing of how it is run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sundial_devcluster.errors import ClusterError

FAST_CLIENT_FLAGS = ("--kube-api-qps=200", "--kube-api-burst=400")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")


class Nodes(StrEnum):
    """Which nodes a cluster gets: a real kubelet, simulated ones by kwok, both, or none."""

    REAL = "real"
    KWOK = "kwok"
    BOTH = "both"
    NONE = "none"

    @property
    def are_real(self) -> bool:
        """Tell whether a real kubelet runs, which needs root and containerd."""
        return self in (Nodes.REAL, Nodes.BOTH)

    @property
    def are_simulated(self) -> bool:
        """Tell whether kwok simulates nodes."""
        return self in (Nodes.KWOK, Nodes.BOTH)


class Lifetime(StrEnum):
    """Whether a cluster dies with the thread that started it, or outlives its starter."""

    STARTER = "starter"
    DETACHED = "detached"


@dataclass(frozen=True)
class ClusterConfig:
    """Describe one cluster.

    The flags of the controller manager and the scheduler replace the raised client limits that are the
    default here; an empty tuple gives Kubernetes' own limits.
    """

    name: str
    nodes: Nodes
    simulated_nodes: int = 2
    apiserver_flags: tuple[str, ...] = ()
    controller_manager_flags: tuple[str, ...] = FAST_CLIENT_FLAGS
    scheduler_flags: tuple[str, ...] = FAST_CLIENT_FLAGS
    audit_policy: Path | None = None
    has_dns: bool = False
    """Whether names of Services resolve in Pods of a real node."""
    lifetime: Lifetime = Lifetime.STARTER

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ClusterError(
                f"The name {self.name!r} is not up to 40 lower-case letters, digits and inner hyphens."
            )
        if self.has_dns and not self.nodes.are_real:
            raise ClusterError("Names are resolved for Pods of a real node: ask for one.")
        if self.simulated_nodes < 0:
            raise ClusterError("The number of simulated nodes cannot be negative.")
