"""How is a cluster started, found again by its name, and ended by its name?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from sundial_devcluster.addresses import box_addresses, loopback_addresses
from sundial_devcluster.builds import ensure_programs
from sundial_devcluster.config import ClusterConfig, Lifetime, Nodes
from sundial_devcluster.controls import START_TIMEOUT, Cluster
from sundial_devcluster.dns import build_dns_objects, write_corefile
from sundial_devcluster.errors import ClusterError, KubectlError
from sundial_devcluster.folders import cluster_folder
from sundial_devcluster.identities import write_identities
from sundial_devcluster.images import ensure_images
from sundial_devcluster.launch import failure
from sundial_devcluster.nodes import write_node_files
from sundial_devcluster.packages import choose_nodes, find_obstacle
from sundial_devcluster.polling import until
from sundial_devcluster.processes import is_running, own_process
from sundial_devcluster.programs import locate_programs, program_names
from sundial_devcluster.removal import remove_abandoned, remove_cluster, remove_remains
from sundial_devcluster.simulated import (
    build_kubelet_client_grant,
    build_kwok_grants,
    build_node,
    write_stages,
)
from sundial_devcluster.state import Phase, State, all_states, clusters_lock, read_state, write_state
from sundial_devcluster.sysctls import original_sysctls
from sundial_devcluster.wires import routed_networks

__all__ = [
    "Cluster",
    "ClusterConfig",
    "ClusterError",
    "KubectlError",
    "Lifetime",
    "Nodes",
    "choose_nodes",
    "find_obstacle",
    "get_cluster",
    "start_cluster",
    "stop_cluster",
]

CONTROLLERS = ("kube-controller-manager", "kube-scheduler")
NOT_READY = "node.kubernetes.io/not-ready"

Report = Callable[[str], None]


def start_cluster(config: ClusterConfig, report: Report = lambda _: None) -> Cluster:
    """Start a cluster and return when it is ready; raise ClusterError, leaving nothing, when it fails.

    Programs that are missing are built first, which takes minutes. A cluster with Lifetime.STARTER dies with
    the calling thread: start it from one that lives long enough.
    """
    obstacle = find_obstacle() if config.nodes.are_real else None
    if obstacle:
        raise ClusterError(f"A real node cannot run on this machine: {obstacle}.")
    ensure_programs(program_names(config.nodes, has_dns=config.has_dns), Console(stderr=True))
    cluster = Cluster(_claim(config))
    try:
        _bring_up(cluster, report)
    except BaseException:
        cluster.stop()
        raise
    return cluster


def get_cluster(name: str) -> Cluster:
    """Return the cluster of this name, running or broken; raise ClusterError when there is none."""
    state = read_state(cluster_folder(name))
    if state is None:
        raise ClusterError(f"There is no cluster named {name}.")
    return Cluster(state)


def stop_cluster(name: str) -> bool:
    """End the cluster of this name, whatever is left of it; tell whether there was any."""
    folder = cluster_folder(name)
    with clusters_lock():
        state = read_state(folder)
        if state is not None:
            remove_cluster(state)
        elif folder.exists():
            remove_remains(folder)
        else:
            return False
    return True


def _claim(config: ClusterConfig) -> State:
    """Take the name, ports and networks of a new cluster, after cleaning up what a crash has left."""
    with clusters_lock():
        remove_abandoned()
        folder = cluster_folder(config.name)
        _clear(folder)
        state = _plan_state(config, folder, all_states())
        folder.mkdir(mode=0o700)
        write_state(state)
        return state


def _plan_state(config: ClusterConfig, folder: Path, others: list[State]) -> State:
    programs = locate_programs(program_names(config.nodes, has_dns=config.has_dns))
    taken = [other.addresses for other in others]
    if not config.nodes.are_real:
        return State(config, folder, loopback_addresses(taken), own_process(), programs=programs)
    addresses = box_addresses(taken, routed_networks())
    sysctls = original_sysctls(other.sysctls for other in others)
    return State(config, folder, addresses, own_process(), programs=programs, sysctls=sysctls)


def _clear(folder: Path) -> None:
    state = read_state(folder)
    if state is None:
        remove_remains(folder)
    elif is_alive(state):
        name = state.config.name
        raise ClusterError(f"The cluster {name} is there already; `down --name {name}` ends it.")
    else:
        remove_cluster(state)


def is_alive(state: State) -> bool:
    """Tell whether a cluster is being started or has its API server running."""
    if state.phase is Phase.STARTING:
        return is_running(state.starter)
    apiserver = state.processes.get("kube-apiserver")
    return apiserver is not None and is_running(apiserver)


def _bring_up(cluster: Cluster, report: Report) -> None:
    report("making keys and certificates")
    (cluster.folder / "logs").mkdir()
    write_identities(cluster.folder, cluster.state.addresses, datetime.now(UTC))
    cluster.open_box()
    report("starting the control plane")
    cluster.launch_component("etcd")
    cluster.launch_component("kube-apiserver")
    if cluster.state.config.nodes.are_real:
        _start_runtime(cluster)
    cluster.wait_component_ready("kube-apiserver")
    for name in CONTROLLERS:
        cluster.launch_component(name)
    if cluster.state.config.nodes.are_real:
        report("starting the node")
        _start_node(cluster)
    if cluster.state.config.has_dns:
        _start_dns(cluster)
    if cluster.state.config.nodes.are_simulated:
        report(f"registering {cluster.state.config.simulated_nodes} simulated nodes")
        _start_simulation(cluster)
    for name in CONTROLLERS:
        cluster.wait_component_ready(name)
    _wait_usable(cluster)
    cluster.record_ready()


def _start_runtime(cluster: Cluster) -> None:
    """Start containerd and load its images, while the API server comes up."""
    wire = cluster.state.addresses.wire
    if wire is not None:
        write_node_files(cluster.plan, wire)
    cluster.start_component("containerd")
    for archive in ensure_images():
        cluster.load_image(archive)


def _start_node(cluster: Cluster) -> None:
    cluster.launch_component("kubelet")
    cluster.launch_component("kube-proxy")
    cluster.kubectl("create", "-f", "-", input=yaml.safe_dump(build_kubelet_client_grant()))


def _start_dns(cluster: Cluster) -> None:
    write_corefile(cluster.plan)
    cluster.kubectl("create", "-f", "-", input=yaml.safe_dump_all(build_dns_objects(cluster.plan)))
    cluster.launch_component("coredns")


def _start_simulation(cluster: Cluster) -> None:
    write_stages(cluster.folder)
    config = cluster.state.config
    nodes = [build_node(number, config.nodes) for number in range(1, config.simulated_nodes + 1)]
    cluster.launch_component("kwok")
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump_all([*build_kwok_grants(), *nodes]))


def _wait_usable(cluster: Cluster) -> None:
    try:
        until(lambda: _is_usable(cluster), START_TIMEOUT)
    except TimeoutError:
        component = cluster.components()["kube-controller-manager"]
        raise failure(component, "has not made nodes and service accounts usable") from None


def _is_usable(cluster: Cluster) -> bool:
    """Tell whether Pods can be created in the default namespace, and scheduled if nodes were asked for."""
    try:
        cluster.get_json("/api/v1/namespaces/default/serviceaccounts/default")
        nodes = cluster.get_json("/api/v1/nodes")["items"]
    except OSError:
        return False
    return len(nodes) == expected_nodes(cluster.state.config) and all(map(is_schedulable, nodes))


def expected_nodes(config: ClusterConfig) -> int:
    """Return how many nodes a cluster has when it is up."""
    simulated = config.simulated_nodes if config.nodes.are_simulated else 0
    return simulated + (1 if config.nodes.are_real else 0)


def is_schedulable(node: dict[str, Any]) -> bool:
    """Tell whether a Node is Ready and the controller manager has taken its not-ready taint away."""
    conditions = node.get("status", {}).get("conditions", [])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and all(taint["key"] != NOT_READY for taint in node["spec"].get("taints", []))
