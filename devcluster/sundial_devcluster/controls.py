"""A running cluster: used with kubectl, taken apart and put together component by component, and ended."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from sundial_devcluster.boxes import open_box
from sundial_devcluster.cgroups import joining_files_inside
from sundial_devcluster.children import Child
from sundial_devcluster.components import Component, Plan, control_plane
from sundial_devcluster.dns import build_coredns
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.identities import kubeconfig_path
from sundial_devcluster.kubectl import run_kubectl
from sundial_devcluster.launch import Host, find_component, launch, run_in, wait_ready
from sundial_devcluster.nodes import node_components
from sundial_devcluster.probes import get_json
from sundial_devcluster.processes import ProcessId, end, identify, is_running
from sundial_devcluster.removal import remove_cluster
from sundial_devcluster.simulated import build_kwok
from sundial_devcluster.state import Phase, State, clusters_lock, read_state, write_state
from sundial_devcluster.wires import connect_box

START_TIMEOUT = 60.0
STOP_GRACE = 2.0  # a stopping API server waits up to a minute for its clients to go


class Cluster:
    """Control one cluster, started by this process or by another."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._children: dict[str, Child] = {}

    @property
    def state(self) -> State:
        """Return what is recorded about the cluster."""
        return self._state

    @property
    def folder(self) -> Path:
        """Return the folder that holds all of the cluster."""
        return self._state.folder

    @property
    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""
        return kubeconfig_path(self.folder, "admin")

    @property
    def server(self) -> str:
        """Return the URL of the API server."""
        return self._state.addresses.server

    @property
    def plan(self) -> Plan:
        """Return what the components' flags follow from."""
        state = self._state
        return Plan(state.config, state.folder, state.addresses, state.programs)

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 - as in subprocess
        """Run the pinned kubectl as administrator and return its output; raise KubectlError when it fails."""
        return run_kubectl(self.kubeconfig, arguments, input)

    def get_json(self, path: str) -> Any:
        """Return the API server's answer to a GET; raise OSError when it is not 200."""
        return get_json(self.plan.access(self._state.addresses.ports.apiserver), path)

    def components(self) -> dict[str, Component]:
        """Return the cluster's components by name, in the order of their start."""
        plan, nodes = self.plan, self._state.config.nodes
        real = node_components(plan) if nodes.are_real else ()
        simulated = (build_kwok(plan),) if nodes.are_simulated else ()
        dns = (build_coredns(plan),) if self._state.config.has_dns else ()
        return {component.name: component for component in (*control_plane(plan), *real, *simulated, *dns)}

    def is_component_running(self, name: str) -> bool:
        """Tell whether a component runs."""
        process = self._process(name)
        return process is not None and is_running(process)

    def component_pid(self, name: str) -> int:
        """Return the pid of a running component; raise ClusterError when it does not run."""
        process = self._process(name)
        if process is None or not is_running(process):
            raise ClusterError(f"{name} of the cluster {self._state.config.name} does not run.")
        return process.pid

    def start_component(self, name: str) -> None:
        """Start a component that does not run, and wait until it answers."""
        if not self.is_component_running(name):
            self.launch_component(name)
            self.wait_component_ready(name)

    def stop_component(self, name: str) -> None:
        """Stop a component and wait for its exit: a stopping API server keeps its port for seconds."""
        process = self._process(name)
        if process is not None:
            end(process, STOP_GRACE)
        self._reap(name)

    def restart_component(self, name: str) -> None:
        """Stop a component, then start it."""
        self.stop_component(name)
        self.start_component(name)

    def load_image(self, archive: Path) -> None:
        """Load a docker-archive or OCI archive into the real node's container runtime."""
        done = run_in(
            self._host(), ("ctr", "--namespace=k8s.io", "images", "import", str(archive.absolute()))
        )
        if done.returncode != 0:
            raise ClusterError(f"The image {archive} could not be loaded: {done.stderr.strip()}")

    def open_box(self) -> None:
        """Make the namespaces that everything of a cluster with a real node runs in."""
        wire = self._state.addresses.wire
        if wire is None:
            return
        box = open_box(self.plan, wire)
        self._children["box"] = box.holder
        holder = identify(box.holder.pid)
        self.record(box=box.first, processes={"box": holder} if holder else {})
        connect_box(box.first.pid, self._state.addresses, wire)

    def stop(self) -> None:
        """End the cluster; nothing of it is left. Do nothing when it has been ended before."""
        with clusters_lock():
            if self._is_current():
                remove_cluster(self._state)
        for name in list(self._children):
            self._reap(name)

    def launch_component(self, name: str) -> None:
        """Start a component without waiting for its answer."""
        component = self.components()[name]
        self._reap(name)
        self._children[name] = launch(self._host(), component)
        process = find_component(self._host(), self._children[name])
        if process is not None:
            self.record(processes={**self._state.processes, name: process})

    def wait_component_ready(self, name: str) -> None:
        """Wait until a component that this process launched answers; raise ClusterError when it does not."""
        wait_ready(self._host(), self.components()[name], self._children[name], START_TIMEOUT)

    def record_ready(self) -> None:
        """Record that the start has succeeded."""
        self.record(phase=Phase.READY)

    def record(self, **changes: Any) -> None:
        """Record changed fields of the state."""
        self._state = dataclasses.replace(self._refresh(), **changes)
        write_state(self._state)

    def _process(self, name: str) -> ProcessId | None:
        if name not in self.components():
            known = ", ".join(self.components())
            raise ClusterError(
                f"The cluster {self._state.config.name} has no component {name}, only {known}."
            )
        return self._refresh().processes.get(name)

    def _refresh(self) -> State:
        """Return the state with what other processes have recorded since."""
        if self._is_current():
            self._state = read_state(self.folder) or self._state
        return self._state

    def _is_current(self) -> bool:
        """Tell whether the folder holds this cluster, and not a later one of the same name."""
        recorded = read_state(self.folder)
        return recorded is not None and recorded.starter == self._state.starter

    def _host(self) -> Host:
        box = self._state.box
        return Host(self.folder, self._state.config.lifetime, box, joining_files_inside() if box else ())

    def _reap(self, name: str) -> None:
        child = self._children.pop(name, None)
        if child is not None:
            child.wait(STOP_GRACE)
