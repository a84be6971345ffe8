"""The API as a process with its own command, on a real database and cluster; for tests of its whole."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import httpx
import pytest

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until
from sundial_devcluster.postgres import Postgres

TEMPLATE = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "localhost/box:1"}]}}}}
PREFIX = "/api/v1/scheduler"
READER = [{"apiGroups": ["sundial.dev"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
WRITER = [{"apiGroups": ["sundial.dev"], "resources": ["*"], "verbs": ["*"]}]


class ApiProcess:
    """A running API and a look at what it wrote to its log."""

    def __init__(self, url: str, log: Path) -> None:
        self.url, self.log = url, log

    def connect(self, token: str | None = None) -> httpx.Client:
        """Give a client of the endpoints, with a token or without one."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url + PREFIX, headers=headers, timeout=30)


@contextmanager
def run_api(
    cluster: Cluster, database: str, log: Path, kubeconfig: Path | None = None, **settings: str
) -> Iterator[ApiProcess]:
    """Run the API until the block ends; it mirrors the whole cluster."""
    port = find_port()
    own = {name: value for name, value in os.environ.items() if not name.startswith("SUNDIAL_")}
    own |= {"KUBECONFIG": str(kubeconfig or cluster.kubeconfig), "SUNDIAL_API_DATABASE_URL": database}
    own |= {"SUNDIAL_API_PORT": str(port), "SUNDIAL_NAMESPACE": "default"}
    own |= {f"SUNDIAL_API_{name.upper()}": value for name, value in settings.items()}
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "sundial_api"], env=own, stdout=out, stderr=out)
    try:
        until(lambda: is_ready(f"http://127.0.0.1:{port}"))
        yield ApiProcess(f"http://127.0.0.1:{port}", log)
    finally:
        process.terminate()
        process.wait(20)


def make_user(cluster: Cluster, ns: str, name: str, rules: list[dict[str, list[str]]], kind: str) -> str:
    """Make a service account with rules of its own and give a token of it; `kind` is Role or ClusterRole."""
    group = "rbac.authorization.k8s.io"
    where = {"namespace": ns} if kind == "Role" else {}
    role_name = f"{ns}-{name}"
    account = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"namespace": ns, "name": name}}
    role = {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "metadata": {"name": role_name} | where,
        "rules": rules,
    }
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": f"{kind}Binding",
        "metadata": {"name": role_name} | where,
        "roleRef": {"apiGroup": group, "kind": kind, "name": role_name},
        "subjects": [{"kind": "ServiceAccount", "namespace": ns, "name": name}],
    }
    items = {"apiVersion": "v1", "kind": "List", "items": [account, role, binding]}
    cluster.kubectl("apply", "-f", "-", input=json.dumps(items))
    return str(cluster.kubectl("create", "token", "-n", ns, name)).strip()


def make_function(api: ApiProcess, cluster: Cluster, ns: str, token: str, **spec: Any) -> dict[str, Any]:
    """Make a TaskFunction `clean-up` and give it as the API shows it."""
    manifest = {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "TaskFunction",
        "metadata": {"name": "clean-up"},
        "spec": {"name": "clean_up", "handler": {"container": {}}, "template": TEMPLATE} | spec,
    }
    cluster.kubectl("apply", "-n", ns, "-f", "-", input=json.dumps(manifest))
    with api.connect(token) as caller:

        def read() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = caller.get(f"/task-functions?namespace={ns}").json()[
                "taskFunctions"
            ]
            return found

        until(read)
        return read()[0]


def is_ready(url: str) -> bool:
    """Tell whether an API is ready and mirrors."""
    try:
        with urlopen(f"{url}/readyz", timeout=5) as answer:
            return b"synced" in answer.read()
    except (URLError, ConnectionError, TimeoutError):
        return False


def find_port() -> int:
    """Find a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def api_process(
    cluster: Cluster, postgres: Postgres, fresh_database: str, tmp_path: Path
) -> Iterator[ApiProcess]:
    """Give an API that identifies callers by tokens of the cluster."""
    with run_api(cluster, fresh_database, tmp_path / "api.log") as process:
        yield process
