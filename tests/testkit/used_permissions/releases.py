"""A release of the chart on a control plane without Pods: its objects, and its programs as processes.

They are who the chart makes them, with the environment that it gives them.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import httpx
from testkit.helm_charts import NS, JsonObject, merge, render, select
from testkit.operator_accounts import write_kubeconfig
from testkit.processes.apis import ApiProcess, find_port
from testkit.processes.operators import Sundial
from testkit.role_rules import Grant, list_granted
from testkit.used_permissions.audited_requests import read_asked
from testkit.used_permissions.comparisons import Usage, compare

from sundial_devcluster.cluster import Cluster, ClusterConfig, Nodes, start_cluster
from sundial_devcluster.polling import until

TEAM = "team"
PROGRAMS = ("sundial-operator", "sundial-api")
"""How Deployments, containers' commands and accounts are called."""

AUDIT_POLICY = Path(__file__).parents[2] / "chart" / "audit-policy.yaml"
LEFT_OUT = ("Deployment", "Service", "PodDisruptionBudget", "Pod")
QUICK = {
    "operator": {
        "tombstoneSeconds": 2,
        "lease": {"seconds": 4, "renewDeadlineSeconds": 3, "renewPeriodSeconds": 0.5},
    },
    "api": {"defaultNamespace": TEAM},
}
DEAF = """
from sundial_operator.__main__ import main
from sundial_operator.inputs import kopf_handlers, relists
kopf_handlers.take_event = lambda *_: None
relists.RELIST_SECONDS, relists.SETTLE_SECONDS = 0.2, 0.0
main()
"""


class PlainOperator(Sundial):
    """An operator as an image runs it."""

    program: ClassVar[tuple[str, ...]] = ("-m", "sundial_operator")


class DeafOperator(Sundial):
    """An operator whose watches of few kinds lose all; relists, ten minutes apart else, come at once."""

    program: ClassVar[tuple[str, ...]] = ("-c", DEAF)


@dataclass(frozen=True, slots=True)
class Release:
    """What is installed in a cluster, and a folder for what its processes leave."""

    cluster: Cluster
    items: list[JsonObject]
    folder: Path

    @contextmanager
    def run_operator(self, kind: type[Sundial] = PlainOperator) -> Iterator[Sundial]:
        """Run an operator until the block ends, unless it has ended before; users look at TEAM with it."""
        log = self.folder / f"{kind.__name__}.log"
        settings = self._build_environment("sundial-operator", log.with_suffix(".kubeconfig"))
        own = {"SUNDIAL_HEALTH_HOST": "127.0.0.1", "SUNDIAL_HEALTH_PORT": "0"}
        operator = kind(self.cluster, TEAM, log, settings | own)
        operator.launch()
        try:
            yield operator
        finally:
            ended = operator.end() if operator.is_running() else 0
        assert ended == 0, log.read_text()

    @contextmanager
    def run_api(self, database: str) -> Iterator[ApiProcess]:
        """Run the API until the block ends."""
        port, log = find_port(), self.folder / "api.log"
        own = {"SUNDIAL_API_DATABASE_URL": database, "SUNDIAL_API_HOST": "127.0.0.1"}
        given = self._build_environment("sundial-api", log.with_suffix(".kubeconfig"))
        environment = os.environ | given | own | {"SUNDIAL_API_PORT": str(port)}
        with log.open("wb") as out:
            command = [sys.executable, "-m", "sundial_api"]
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        try:
            yield ApiProcess(f"http://127.0.0.1:{port}", log)
        finally:
            process.terminate()
            process.wait(20)

    @contextmanager
    def connect(self, token: str) -> Iterator[httpx.Client]:
        """Give a client of the API server for who changes something many times a second."""
        authority = ssl.create_default_context(cafile=str(self.cluster.folder / "pki" / "ca.crt"))
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=self.cluster.server, verify=authority, headers=headers) as client:
            yield client

    def _build_environment(self, program: str, kubeconfig: Path) -> dict[str, str]:
        """Build what the chart gives a program, and log in as its account."""
        write_kubeconfig(self.cluster, NS, program, kubeconfig)
        (deployment,) = select(self.items, "Deployment", program)
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        given = {one["name"]: one.get("value", "") for one in container["env"] if "valueFrom" not in one}
        return given | {"KUBECONFIG": str(kubeconfig)}

    def compare(self, program: str) -> Usage:
        """Compare what a program's account was granted with what it has asked for until now."""
        user = f"system:serviceaccount:{NS}:{program}"
        with (self.cluster.folder / "logs" / "audit.log").open() as log:
            asked = [one for one in read_asked(log) if one.user == user]
        return compare(asked, self.list_granted(program))

    def list_granted(self, program: str) -> set[Grant]:
        """List what a program's account was granted."""
        return list_granted(self.items, program)


REFUSED = '"event": "not permitted'


def wait_for(log: Path, condition: Callable[[], object]) -> None:
    """Wait until a program is so far; raises AssertionError once its log says that it may not."""
    until(lambda: condition() or REFUSED in log.read_text())
    assert REFUSED not in log.read_text(), log.read_text()


@contextmanager
def open_release(folder: Path, values: Mapping[str, Any], *apiserver_flags: str) -> Iterator[Release]:
    """Start a cluster with simulated nodes and install the chart there; it is gone afterwards."""
    folder.mkdir()
    items = render(merge(QUICK, values))
    config = ClusterConfig(
        f"test-verbs-{os.getpid()}", Nodes.KWOK, apiserver_flags=apiserver_flags, audit_policy=AUDIT_POLICY
    )
    cluster = start_cluster(config)
    try:
        for ns in (NS, TEAM):
            cluster.kubectl("create", "namespace", ns)
        installed = [one for one in items if one["kind"] not in LEFT_OUT]
        manifest = {"apiVersion": "v1", "kind": "List", "items": installed}
        cluster.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(manifest))
        cluster.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=60s")
        yield Release(cluster, items, folder)
    finally:
        cluster.stop()
