"""Does the command do what its help says, also when it is interrupted?"""

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sundial_devcluster.cluster import stop_cluster
from sundial_devcluster.folders import cluster_folder
from sundial_devcluster.processes import processes_marked

COMMAND = (sys.executable, "-m", "sundial_devcluster")


@pytest.fixture
def name() -> Iterator[str]:
    """Give the name of a cluster that is ended after the test, whatever became of it."""
    chosen = f"command-{secrets.token_hex(3)}"
    yield chosen
    stop_cluster(chosen)


def run(*arguments: str) -> str:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_cluster_goes_up_is_shown_and_goes_down(name: str) -> None:
    exported = run("up", "--name", name, "--nodes", "none")
    kubeconfig = run("kubeconfig", "--name", name).strip()
    assert exported == f"export KUBECONFIG={kubeconfig}\n"
    status = json.loads(run("status", "--name", name, "-o", "json"))
    assert status["status"] == "ready"
    assert all(component["pid"] for component in status["components"])
    assert name in [cluster["name"] for cluster in json.loads(run("list", "-o", "json"))]
    run("down", "--name", name)
    assert name not in run("list")


def test_status_tells_which_component_is_down(name: str) -> None:
    run("up", "--name", name, "--nodes", "none")
    (scheduler,) = (one for one in components(name) if one["name"] == "kube-scheduler")
    subprocess.run(["kill", "-KILL", str(scheduler["pid"])], check=True)
    assert json.loads(run("status", "--name", name, "-o", "json"))["status"] == "degraded"
    assert [one["name"] for one in components(name) if one["pid"] is None] == ["kube-scheduler"]


def components(name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run("status", "--name", name, "-o", "json"))["components"]
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_start_leaves_nothing(name: str, number: signal.Signals) -> None:
    command = [*COMMAND, "up", "--name", name, "--nodes", "none"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as starting:
        assert starting.stderr is not None
        assert any("starting the control plane" in line for line in starting.stderr)
        starting.send_signal(number)
        assert "Interrupted" in starting.stderr.read()
    assert starting.returncode == 130
    assert not cluster_folder(name).exists()
    assert not list(processes_marked(cluster_folder(name)))


def test_unknown_cluster_is_one_sentence() -> None:
    done = subprocess.run(
        [*COMMAND, "status", "--name", "none-such"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "error: There is no cluster named none-such.\n")
