"""The control plane of one bench, with Sundial's kinds, its fence, and a service account for the operator."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from bench.harness.arena import open_namespace
from bench.harness.audit import POLICY
from bench.harness.requests import create

from sundial_core.coordination.fence import build_fence
from sundial_core.resources.names import build_installation
from sundial_devcluster.cluster import Cluster, ClusterConfig, start_cluster
from sundial_devcluster.kubectl import install_crds

CRDS = Path(__file__).parents[3] / "crds"
NAMESPACE = "sundial-system"
RELEASE = "sundial"


@contextmanager
def open_cluster(config: ClusterConfig, report: Any) -> Iterator[Cluster]:
    """Start a cluster that knows Sundial's kinds; end it with the block, whatever happens."""
    cluster = start_cluster(config, report=report)
    try:
        install_crds(cluster.kubectl, CRDS)
        yield cluster
    finally:
        cluster.stop()


@contextmanager
def open_audited_cluster(config: ClusterConfig, report: Any) -> Iterator[Cluster]:
    """Do the same with a record of the operator's writes."""
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "audit-policy.json"
        policy.write_text(json.dumps(POLICY))
        with open_cluster(replace(config, audit_policy=policy), report) as cluster:
            yield cluster


def find_audit_log(cluster: Cluster) -> Path:
    """Return where the record of the writes is."""
    return cluster.folder / "logs" / "audit.log"


def find_operator_log(cluster: Cluster) -> Path:
    """Return where the operator's log is to be."""
    return cluster.folder / "logs" / "sundial-operator.log"


async def install(cluster: Cluster, session: aiohttp.ClientSession) -> Path:
    """Install what the operator needs: namespace, fence, account; returns a kubeconfig of the account."""
    await open_namespace(session, NAMESPACE)
    fence = build_fence(build_installation(NAMESPACE, RELEASE), NAMESPACE, RELEASE)
    cluster.kubectl(
        "apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": fence})
    )
    accounts = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
    await create(
        session, accounts, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": RELEASE}}
    )
    await create(session, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", _build_binding())
    token = await request_token(session, f"{accounts}/{RELEASE}/token")
    kubeconfig = cluster.folder / "operator.kubeconfig"
    kubeconfig.write_text(json.dumps(build_kubeconfig(cluster, token)))
    return kubeconfig


async def request_token(session: aiohttp.ClientSession, path: str) -> str:
    """Request a token of a service account."""
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 86400},
    }
    async with session.post(path, data=orjson.dumps(request)) as answer:
        answer.raise_for_status()
        token: str = orjson.loads(await answer.read())["status"]["token"]
        return token


def _build_binding() -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "sundial-bench"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "namespace": NAMESPACE, "name": RELEASE}],
    }


def build_kubeconfig(cluster: Cluster, token: str) -> dict[str, Any]:
    """Build the kubeconfig of a token."""
    server = {"server": cluster.server, "certificate-authority": str(cluster.folder / "pki" / "ca.crt")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bench", "cluster": server}],
        "users": [{"name": "operator", "user": {"token": token}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "operator"}}],
        "current-context": "bench",
    }


def describe_machine(cluster: Cluster) -> dict[str, Any]:
    """Return what the figures depend on besides the code; `load` is the mean of the last minute."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "kubernetes": cluster.get_json("/version")["gitVersion"],
    }
