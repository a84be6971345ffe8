"""Does the demo show runs on simulated nodes, end when it is told to, and leave nothing?"""

import os
import secrets
import signal
from collections.abc import Callable, Iterator

import pytest
from testkit.processes.demos import Demo

from sundial_devcluster.cluster import Cluster, stop_cluster
from sundial_devcluster.folders import programs_folder

STARTING = "- starting the control plane"
SHOWING = "ends in"
BROKEN_OFF = "Interrupted. Nothing is left."
OWN = ("sundial-demo", "sundial-system")


@pytest.fixture
def name() -> Iterator[str]:
    """Give the name of a cluster that is ended after the test, whatever became of it."""
    chosen = f"demo-{secrets.token_hex(3)}"
    yield chosen
    stop_cluster(chosen)


def test_demo_runs_for_its_seconds_and_leaves_nothing(name: str) -> None:
    demo = Demo(name, "--nodes=kwok", DEMO_SECONDS="15")
    assert demo.end() == 0, demo.text
    assert "2 SIMULATED nodes, on which no container runs" in demo.text
    assert "At 09:00, Monday to Thursday and Sunday (Africa/Cairo)" in demo.text
    summary = demo.text[demo.text.index("worst Job after") :]
    assert "Succeeded" in next(line for line in summary.splitlines() if line.startswith("every-10-seconds"))
    assert demo.what_is_left() == []


@pytest.mark.parametrize(
    ("number", "moment", "status", "words"),
    [
        pytest.param(signal.SIGINT, STARTING, 130, BROKEN_OFF, id="Ctrl-C while the cluster starts"),
        pytest.param(
            signal.SIGTERM, "- starting the operator", 130, BROKEN_OFF, id="SIGTERM before the show"
        ),
        pytest.param(signal.SIGINT, SHOWING, 0, "- removing the cluster\nDone.", id="Ctrl-C during the show"),
    ],
)
def test_interrupted_demo_leaves_nothing(
    name: str, number: signal.Signals, moment: str, status: int, words: str
) -> None:
    demo = Demo(name, "--nodes=kwok")
    demo.read_until(moment)
    assert demo.end(number) == status, demo.text
    assert words in demo.text
    assert demo.what_is_left() == []


@pytest.mark.parametrize(
    ("find", "who"),
    [pytest.param(Demo.operator_pid, "operator", id="operator"), pytest.param(Demo.api_pid, "API", id="API")],
)
def test_demo_fails_with_the_log_when_a_child_dies(name: str, find: Callable[[Demo], int], who: str) -> None:
    demo = Demo(name, "--nodes=kwok")
    demo.read_until(SHOWING)
    os.kill(find(demo), signal.SIGKILL)
    assert demo.end() == 1, demo.text
    assert f"error: The {who} ended with status -9; its log ends:" in demo.text
    assert demo.what_is_left() == []


def test_kept_cluster_is_named_and_can_be_removed(name: str) -> None:
    demo = Demo(name, "--nodes=kwok", "--keep", DEMO_SECONDS="1")
    assert demo.end() == 0, demo.text
    assert f"-m sundial_devcluster down --name {name}" in demo.text
    assert demo.folder.exists()
    assert stop_cluster(name)
    assert demo.what_is_left() == []


def test_current_context_is_not_used_unasked(cluster: Cluster, name: str) -> None:
    demo = Demo(name, CLUSTER="current", DEMO="processes", KUBECONFIG=str(cluster.kubeconfig))
    assert demo.end() == 1, demo.text
    assert "has to be confirmed" in demo.text
    assert not set(OWN) & set(namespaces(cluster))


def test_current_cluster_keeps_what_it_had_and_nothing_else(cluster: Cluster, name: str) -> None:
    before = crds(cluster)
    assert before
    own = {"CLUSTER": "current", "DEMO": "processes", "KUBECONFIG": str(cluster.kubeconfig)}
    demo = Demo(name, "--yes", **own, DEMO_SECONDS="1")
    assert demo.end() == 0, demo.text
    assert "scheduledjobs.sundial.dev, which was there before" in demo.text
    assert crds(cluster) == before
    assert not set(OWN) & set(namespaces(cluster))
    assert "sundial-demo" not in cluster.kubectl("get", "clusterroles,clusterrolebindings", "-o", "name")


def test_cluster_with_the_namespaces_of_sundial_is_refused(cluster: Cluster, name: str) -> None:
    cluster.kubectl("create", "namespace", "sundial-system")
    demo = Demo(name, "--yes", **by_chart(cluster))
    status = demo.end()
    assert "sundial-system" in namespaces(cluster)
    cluster.kubectl("delete", "namespace", "sundial-system")
    assert status == 1
    assert "kubectl delete namespace/sundial-system" in demo.text


def by_chart(cluster: Cluster) -> dict[str, str]:
    """Build the environment of a user who has Helm, for the cluster of the current context."""
    path = f"{programs_folder()}:{os.environ['PATH']}"
    image = "registry.example/sundial:1"
    return {"CLUSTER": "current", "KUBECONFIG": str(cluster.kubeconfig), "IMAGE": image, "PATH": path}


def test_current_cluster_is_asked_for_an_image(cluster: Cluster, name: str) -> None:
    demo = Demo(name, "--yes", **by_chart(cluster) | {"IMAGE": ""})
    assert demo.end() == 1, demo.text
    assert "IMAGE=REGISTRY/sundial:demo" in demo.text
    assert "Traceback" not in demo.text
    assert not set(OWN) & set(namespaces(cluster))


def test_release_in_a_current_cluster_is_uninstalled_and_others_crds_stay(
    cluster: Cluster, name: str
) -> None:
    before, wide = crds(cluster), cluster_wide(cluster)
    demo = Demo(name, "--yes", **by_chart(cluster))
    demo.read_until("- waiting for the operator's Pod")
    assert cluster_wide(cluster) > wide
    assert demo.end(signal.SIGINT) == 130, demo.text
    assert "--set=crds.enabled=false" in demo.text
    assert "--set=scope.namespaces={sundial-demo}" in demo.text
    assert "scheduledjobs.sundial.dev, which was there before" in demo.text
    assert (crds(cluster), cluster_wide(cluster)) == (before, wide)
    assert not set(OWN) & set(namespaces(cluster))


def cluster_wide(cluster: Cluster) -> set[str]:
    kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings"
    return set(cluster.kubectl("get", kinds, "-o", "name").split())


def namespaces(cluster: Cluster) -> list[str]:
    return cluster.kubectl("get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}").split()


def crds(cluster: Cluster) -> str:
    return cluster.kubectl("get", "crds", "-o", "jsonpath={.items[*].metadata.uid}")
