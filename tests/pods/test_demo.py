"""Does the demo run real Pods, and does its operator get by with the rights that it has?"""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sundial_devcluster.cluster import find_obstacle, get_cluster, stop_cluster
from sundial_devcluster.folders import cluster_folder
from sundial_devcluster.processes import processes_marked


@pytest.fixture
def name() -> Iterator[str]:
    """Give the name of a cluster that is ended after the test, whatever became of it."""
    if obstacle := find_obstacle():
        pytest.skip(f"real Pods are not to be had: {obstacle}")
    chosen = f"demo-{secrets.token_hex(3)}"
    yield chosen
    stop_cluster(chosen)


def run_demo(name: str, *options: str, seconds: str) -> str:
    """Run the demo to its end without a terminal, and return what it printed."""
    command = [sys.executable, "-W", "error", "-m", "sundial_demo", "--name", name, *options]
    environment = {**os.environ, "CLUSTER": "local", "DEMO_SECONDS": seconds}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_demo_runs_real_pods_and_leaves_nothing(name: str) -> None:
    shown = run_demo(name, seconds="25")
    summary = {line.split()[0]: line for line in shown[shown.index("worst Job after") :].splitlines() if line}
    assert "Nodes: 1 real node." in shown
    assert "Succeeded" in summary["every-10-seconds"]
    assert not cluster_folder(name).exists()
    assert list(processes_marked(cluster_folder(name))) == []


def test_operator_has_its_own_identity_and_is_refused_nothing_it_needs(name: str) -> None:
    run_demo(name, "--keep", seconds="15")
    cluster = get_cluster(name)
    log = (cluster.folder / "sundial-operator.log").read_text()
    kubeconfig = cluster.folder / "sundial-operator.kubeconfig"
    assert '"event": "stopped"' in log
    assert "Forbidden" not in log
    assert kubeconfig.stat().st_mode & 0o077 == 0
    rights = cluster.kubectl("auth", "can-i", "--list", "--as=system:serviceaccount:sundial-system:sundial")
    assert "jobs.batch" in rights
    assert "secrets" not in rights
