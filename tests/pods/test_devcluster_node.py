"""Does a real node run Pods, and is nothing left of it, however it ended?"""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sundial_devcluster.cluster import Cluster, find_obstacle, get_cluster, stop_cluster
from sundial_devcluster.folders import cluster_folder
from sundial_devcluster.polling import until
from sundial_devcluster.processes import processes_marked
from sundial_devcluster.state import State, read_state

STARTER = """
import signal, sys
from sundial_devcluster.cluster import ClusterConfig, Lifetime, Nodes, start_cluster
cluster = start_cluster(ClusterConfig(sys.argv[1], Nodes.REAL, lifetime=Lifetime(sys.argv[2])), print)
print("ready", flush=True)
signal.pause()
"""


@pytest.fixture
def name() -> Iterator[str]:
    """Give the name of a cluster that is ended after the test, whatever became of it."""
    if obstacle := find_obstacle():
        pytest.skip(f"real Pods are not to be had: {obstacle}")
    chosen = f"crash-{secrets.token_hex(3)}"
    yield chosen
    stop_cluster(chosen)


def run_starter(name: str, lifetime: str, until_line: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-u", "-c", STARTER, name, lifetime]
    starter = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    for line in starter.stdout:
        if line.startswith(until_line):
            return starter
    raise AssertionError(f"the starter ended with {starter.wait()} before {until_line!r}")


def kill(starter: "subprocess.Popen[str]") -> None:
    starter.kill()
    starter.wait()
    assert starter.stdout is not None
    starter.stdout.close()


def what_is_left(state: State) -> list[str]:
    """Return what is there of a cluster: processes, folder, link, cgroups, routes, mounts."""
    wire = state.addresses.wire
    assert wire is not None
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    mounts = Path("/proc/self/mounts").read_text()
    return [
        *(f"process {process.pid}" for process in processes_marked(state.folder)),
        *(str(path) for path in (state.folder, Path("/sys/class/net", wire.link)) if path.exists()),
        *(str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{wire.cgroup}")),
        *(line for line in routes.splitlines() if wire.node_address in line),
        *(line for line in mounts.splitlines() if str(state.folder) in line),
    ]


def test_node_is_ready(node_cluster: Cluster) -> None:
    (node,) = json.loads(node_cluster.kubectl("get", "nodes", "-o", "json"))["items"]
    conditions = {one["type"]: one["status"] for one in node["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.37.2"


def test_job_completes_and_its_log_is_readable(node_cluster: Cluster, node_namespace: str) -> None:
    where = f"--namespace={node_namespace}"
    node_cluster.kubectl("create", where, "job", "echo", "--image=localhost/box:1", "--", "echo", "hello")
    node_cluster.kubectl("wait", where, "job/echo", "--for=condition=Complete", "--timeout=30s")
    assert node_cluster.kubectl("logs", where, "job/echo") == "hello\n"


def test_pod_reaches_the_api_server_but_no_other_machine(node_cluster: Cluster, node_namespace: str) -> None:
    script = (
        "echo | nc -w 2 $KUBERNETES_SERVICE_HOST 443 >/dev/null && echo yes; echo | nc -w 2 192.0.2.1 53 2>&1"
    )
    where = f"--namespace={node_namespace}"
    command = ["sh", "-c", f"{script}; true"]
    node_cluster.kubectl("create", where, "job", "net", "--image=localhost/box:1", "--", *command)
    node_cluster.kubectl("wait", where, "job/net", "--for=condition=Complete", "--timeout=30s")
    log = node_cluster.kubectl("logs", where, "job/net")
    assert log.startswith("yes\n")
    assert "unreachable" in log


def test_node_cluster_dies_with_its_starter_and_down_leaves_nothing(name: str) -> None:
    starter = run_starter(name, "starter", "ready")
    state = get_cluster(name).state
    assert what_is_left(state)
    kill(starter)
    until(lambda: not list(processes_marked(state.folder)), 15)  # killed, not dying by themselves
    stop_cluster(name)
    assert what_is_left(state) == []


@pytest.mark.parametrize("step", ["starting the control plane", "starting the node"])
def test_half_started_cluster_goes_without_trace(name: str, step: str) -> None:
    kill(run_starter(name, "detached", step))
    state = get_cluster(name).state
    assert what_is_left(state)
    assert stop_cluster(name)
    assert what_is_left(state) == []


def test_cluster_whose_box_was_killed_is_replaced_by_the_next_start(name: str) -> None:
    kill(run_starter(name, "detached", "ready"))
    old = get_cluster(name).state
    assert old.box is not None
    os.kill(old.box.pid, signal.SIGKILL)
    until(lambda: not list(processes_marked(old.folder)), 15)
    kill(run_starter(name, "detached", "ready"))
    assert get_cluster(name).state.box != old.box
    assert get_cluster(name).is_component_running("kubelet")
    stop_cluster(name)
    assert what_is_left(old) == []


def test_stopped_cluster_has_no_record(name: str) -> None:
    assert read_state(cluster_folder(name)) is None
