"""What is said about clusters: one value per cluster for programs, one table for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from rich.table import Column, Table

from sundial_devcluster.cluster import is_alive
from sundial_devcluster.controls import Cluster
from sundial_devcluster.state import Phase, State


@dataclass(frozen=True)
class ComponentStatus:
    """Say whether a component runs, and as which process."""

    name: str
    pid: int | None
    log: str


@dataclass(frozen=True)
class ClusterStatus:
    """Say how a cluster is: starting, ready, degraded (a component is down) or broken."""

    name: str
    status: str
    nodes: str
    server: str
    kubeconfig: str
    components: tuple[ComponentStatus, ...]

    def as_json(self) -> dict[str, object]:
        """Return the status for programs."""
        return asdict(self)


def describe_cluster(state: State) -> ClusterStatus:
    """Return the status of a cluster."""
    cluster = Cluster(state)
    components = tuple(_describe_component(cluster, name) for name in cluster.components())
    return ClusterStatus(
        name=state.config.name,
        status=_overall(state, components),
        nodes=state.config.nodes.value,
        server=cluster.server,
        kubeconfig=str(cluster.kubeconfig),
        components=components,
    )


def _overall(state: State, components: tuple[ComponentStatus, ...]) -> str:
    if not is_alive(state):
        return "broken"
    if state.phase is Phase.STARTING:
        return "starting"
    return "ready" if all(component.pid for component in components) else "degraded"


def _describe_component(cluster: Cluster, name: str) -> ComponentStatus:
    running = cluster.is_component_running(name)
    pid = cluster.component_pid(name) if running else None
    return ComponentStatus(name, pid, str(cluster.components()[name].log))


def build_table(clusters: list[ClusterStatus]) -> Table:
    """Return clusters as a table."""
    table = Table("name", "status", "nodes", "server", Column("kubeconfig", overflow="fold"), box=None)
    for cluster in clusters:
        table.add_row(cluster.name, cluster.status, cluster.nodes, cluster.server, cluster.kubeconfig)
    return table


def build_component_table(cluster: ClusterStatus) -> Table:
    """Return a cluster's components as a table."""
    table = Table("component", "pid", Column("log", overflow="fold"), box=None)
    for component in cluster.components:
        table.add_row(component.name, str(component.pid or "not running"), component.log)
    return table
