"""The operator as a child process, and what a user sees of one namespace; for tests of every ring."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import PATIENCE_SECONDS, until

JsonObject = dict[str, Any]
Starter = Callable[..., "Sundial"]


class Sundial:
    """An operator that looks after one namespace of a cluster; settings are its environment."""

    program: ClassVar[tuple[str, ...]] = ("-m", "sundial_operator")
    """What Python is called with."""

    def __init__(self, cluster: Cluster, ns: str, log: Path, settings: dict[str, str]) -> None:
        self.cluster = cluster
        self.ns = ns
        self.log = log
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._logged_before = 0

    def start(self, wait_for: str = "leading") -> None:
        """Start the process, and wait until its log says that it leads, or something else."""
        self.launch()
        self.wait_for(wait_for, PATIENCE_SECONDS)

    def launch(self) -> None:
        """Start the process, and wait for nothing."""
        self._logged_before = self.log.stat().st_size if self.log.exists() else 0
        environment = os.environ | {
            "KUBECONFIG": str(self.cluster.kubeconfig),
            "SUNDIAL_NAMESPACE": self.ns,
            "SUNDIAL_WATCH_NAMESPACES": self.ns,
            "SUNDIAL_HEALTH_PORT": "0",
            "SUNDIAL_LEASE_SECONDS": "4",
            "SUNDIAL_RENEW_DEADLINE_SECONDS": "3",
            "SUNDIAL_RENEW_PERIOD_SECONDS": "0.5",
            "SUNDIAL_LOG_FORMAT": "json",
            "PYTHONWARNINGS": "default,ignore::ResourceWarning",  # kopf leaves sockets to a process that ends
            **self.settings,
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.program],
                env=environment,
                stderr=log,
                stdout=log,
            )

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to the process and wait for its end; return its exit status."""
        assert self._process is not None
        self._process.send_signal(how)
        return self.wait(20)

    def wait_for(self, event: str, timeout: float) -> None:
        """Wait for an event in the log of the running process."""
        until(lambda: f'"event": "{event}"' in self.log.read_text()[self._logged_before :], timeout)

    def health(self, path: str) -> tuple[int, str]:
        """Ask the running process's health server; returns the status code and the text."""
        lines = self.log.read_text()[self._logged_before :].splitlines()
        port = next(json.loads(line)["port"] for line in lines if '"event": "serving health' in line)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, timeout: float) -> int:
        """Wait for the process to end by itself; return its exit status."""
        assert self._process is not None
        status = self._process.wait(timeout)
        self._process = None
        return status

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    def is_running(self) -> bool:
        """Tell whether there is a process to end."""
        return self._process is not None

    def apply(self, manifest: JsonObject) -> None:
        """Apply a manifest as a user does."""
        self.cluster.kubectl("apply", "-n", self.ns, "-f", "-", input=json.dumps(manifest))

    def patch(self, name: str, spec: JsonObject) -> None:
        """Change the spec of a ScheduledJob."""
        self.cluster.kubectl(
            "patch", "-n", self.ns, "sj", name, "--type=merge", "-p", json.dumps({"spec": spec})
        )

    def status(self, name: str) -> JsonObject:
        """Read the status of a ScheduledJob."""
        path = f"/apis/sundial.dev/v1alpha1/namespaces/{self.ns}/scheduledjobs/{name}"
        status: JsonObject = self.cluster.get_json(path).get("status", {})
        return status

    def ready(self, name: str) -> str | None:
        """Read the reason of the condition Ready."""
        return self.condition(name, "Ready").get("reason")

    def condition(self, name: str, kind: str) -> JsonObject:
        """Read a condition of a ScheduledJob."""
        found = [c for c in self.status(name).get("conditions", ()) if c["type"] == kind]
        return found[0] if found else {}

    def jobs(self, name: str) -> list[JsonObject]:
        """List the Jobs of a ScheduledJob, oldest slot first."""
        selector = f"labelSelector=sundial.dev/scheduled-job%3D{name}"
        items: list[JsonObject] = self.cluster.get_json(
            f"/apis/batch/v1/namespaces/{self.ns}/jobs?{selector}"
        )["items"]
        return sorted(items, key=slot_of)

    def until_ready(self, name: str, reason: str, timeout: float = 20) -> None:
        """Wait until Ready has this reason."""
        until(lambda: self.ready(name) == reason, timeout)


def slot_of(job: JsonObject) -> str:
    """Read the slot of a Job; a manual run has none."""
    return str(job["metadata"]["annotations"].get("sundial.dev/scheduled-for", ""))


def build_scheduled_job(name: str, schedule: JsonObject, **spec: Any) -> JsonObject:
    """Build a ScheduledJob whose container does nothing."""
    template = {
        "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "localhost/box:1"}]}}}
    }
    if "taskFunctionRef" not in spec:
        spec = {"template": template} | spec
    return {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "ScheduledJob",
        "metadata": {"name": name},
        "spec": {"schedule": schedule, **spec},
    }


def build_template(command: list[str], **annotations: str) -> JsonObject:
    """Build a template of one container with a command; annotations go to its Pod."""
    container = {"name": "main", "image": "localhost/box:1", "command": command}
    pod = {"metadata": {"annotations": annotations}, "spec": {"containers": [container]}}
    return {"spec": {"template": pod}}


@pytest.fixture
def start_operator(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Starter]:
    """Give a function that starts an operator for the test's namespace."""
    yield from _start_operators(cluster, namespace, tmp_path)


@pytest.fixture
def start_node_operator(node_cluster: Cluster, node_namespace: str, tmp_path: Path) -> Iterator[Starter]:
    """Give the same on the cluster with a real node."""
    yield from _start_operators(node_cluster, node_namespace, tmp_path)


@pytest.fixture(scope="module")
def sundial(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sundial]:
    """Give an operator that the tests of a module share, with a namespace of its own and a short floor."""
    ns = f"test-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", ns)
    operators = _start_operators(cluster, ns, tmp_path_factory.mktemp("operator"))
    yield next(operators)(SUNDIAL_TOMBSTONE_SECONDS="3")
    next(operators, None)
    cluster.kubectl("delete", "namespace", ns, "--wait=false")


def _start_operators(cluster: Cluster, ns: str, folder: Path) -> Iterator[Starter]:
    started: list[Sundial] = []

    def start(*, wait_for: str = "leading", **settings: str) -> Sundial:
        sundial = Sundial(cluster, ns, folder / f"operator-{len(started)}.log", settings)
        started.append(sundial)
        sundial.start(wait_for)
        return sundial

    yield start
    ends = [sundial.end() for sundial in started if sundial.is_running()]
    logs = [sundial.log.read_text() for sundial in started]
    assert not any(ends), "".join(logs)
    complaints = [line for log in logs for line in log.splitlines() if _is_complaint(line)]
    assert not complaints, complaints


def _is_complaint(line: str) -> bool:
    """Tell whether a line of the log is one that no test expects: an error, or Python's own words."""
    is_expected = '"event": "lost the leadership"' in line
    return not is_expected and ('"level": "error"' in line or not line.startswith("{"))
