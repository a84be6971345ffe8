"""Do control planes live side by side, lose no data on a restart, and leave nothing when they end?"""

import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sundial_devcluster.cluster import (
    Cluster,
    ClusterConfig,
    ClusterError,
    KubectlError,
    Nodes,
    get_cluster,
    start_cluster,
    stop_cluster,
)
from sundial_devcluster.folders import cluster_folder
from sundial_devcluster.polling import until
from sundial_devcluster.processes import MARK, processes_marked

STARTER = """
import signal, sys
from sundial_devcluster.cluster import ClusterConfig, Lifetime, Nodes, start_cluster
start_cluster(ClusterConfig(sys.argv[1], Nodes.NONE, lifetime=Lifetime(sys.argv[2])))
print("ready", flush=True)
signal.pause()
"""


@pytest.fixture
def name() -> Iterator[str]:
    """Give the name of a cluster that is ended after the test, whatever became of it."""
    chosen = f"life-{secrets.token_hex(3)}"
    yield chosen
    stop_cluster(chosen)


def kill_after_start(name: str, lifetime: str) -> None:
    command = [sys.executable, "-c", STARTER, name, lifetime]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "ready\n"
        starter.kill()


def test_two_clusters_are_two(cluster: Cluster, name: str) -> None:
    other = start_cluster(ClusterConfig(name, Nodes.NONE))
    other.kubectl("create", "namespace", "only-there")
    with pytest.raises(KubectlError, match="NotFound"):
        cluster.kubectl("get", "namespace", "only-there")
    assert other.get_json("/api/v1/nodes")["items"] == []


def test_restart_of_the_api_server_keeps_the_data(name: str) -> None:
    started = start_cluster(ClusterConfig(name, Nodes.NONE))
    started.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    before = started.component_pid("kube-apiserver")
    started.restart_component("kube-apiserver")
    assert started.component_pid("kube-apiserver") != before
    assert started.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}") == "b"


def test_end_leaves_no_process_and_no_folder(name: str) -> None:
    started = start_cluster(ClusterConfig(name, Nodes.KWOK))
    assert len(list(processes_marked(started.folder))) == len(started.components())
    started.stop()
    assert not list(processes_marked(started.folder))
    assert not started.folder.exists()


def test_cluster_dies_with_its_starter(name: str) -> None:
    kill_after_start(name, "starter")
    folder = cluster_folder(name)
    until(lambda: not list(processes_marked(folder)))
    stop_cluster(name)
    assert not folder.exists()


def test_detached_cluster_outlives_its_starter_and_can_be_used(name: str) -> None:
    kill_after_start(name, "detached")
    found = get_cluster(name)
    found.restart_component("kube-scheduler")
    assert found.get_json("/api/v1/namespaces/default")["metadata"]["name"] == "default"
    with pytest.raises(ClusterError, match="there already"):
        start_cluster(ClusterConfig(name, Nodes.NONE))


def test_failed_start_names_the_program_and_leaves_nothing(name: str) -> None:
    wrong = ClusterConfig(name, Nodes.NONE, apiserver_flags=("--no-such-flag",))
    with pytest.raises(ClusterError, match=r"kube-apiserver ended(.|\n)*unknown flag: --no-such-flag"):
        start_cluster(wrong)
    with pytest.raises(ClusterError, match="no cluster named"):
        get_cluster(name)


def test_process_not_yet_recorded_is_ended_too(name: str) -> None:
    started = start_cluster(ClusterConfig(name, Nodes.NONE))
    stray = subprocess.Popen(["sleep", "600"], env={MARK: str(started.folder), "PATH": "/usr/bin:/bin"})
    started.stop()
    assert stray.wait(timeout=10) == -signal.SIGKILL


def test_cluster_with_an_unreadable_record_goes_all_the_same(name: str) -> None:
    started = start_cluster(ClusterConfig(name, Nodes.NONE))
    (started.folder / "cluster.json").write_text("{}")
    assert stop_cluster(name)
    assert not list(processes_marked(started.folder))
    assert not started.folder.exists()


def test_old_handle_does_not_end_a_later_cluster_of_the_name(name: str) -> None:
    first = find_started(name)
    stop_cluster(name)
    kill_after_start(name, "detached")
    first.stop()
    assert get_cluster(name).is_component_running("kube-apiserver")


def find_started(name: str) -> Cluster:
    kill_after_start(name, "detached")
    return get_cluster(name)


def test_next_start_of_any_name_removes_what_a_killed_test_run_left(name: str) -> None:
    kill_after_start(name, "starter")
    until(lambda: not list(processes_marked(cluster_folder(name))))
    other = start_cluster(ClusterConfig(f"{name}-other", Nodes.NONE))
    other.stop()
    assert not cluster_folder(name).exists()
