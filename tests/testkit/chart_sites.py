"""A cluster with a real node for releases of the chart: with the image, and a Postgres that Pods reach."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from chaos.records import Creation, Record
from testkit.helm_charts import CHART, NS, RELEASE, merge, run_helm

from sundial_devcluster.cluster import Cluster, start_cluster
from sundial_devcluster.config import ClusterConfig, Nodes
from sundial_devcluster.polling import until
from sundial_devcluster.postgres import Postgres, get_programs, make_postgres
from sundial_devcluster.product_image import BuiltImage, ensure_product_image

AUDIT_POLICY = Path(__file__).parents[1] / "chart" / "audit-policy.yaml"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
TEAM = "team"
PASSWORD = "p@ss:w/rd%1 &#?"
KEYS = {"host": "host", "user": "user", "password": "password", "database": "database"}
ARBITRARY_UID = 1_000_650_000
"""As OpenShift gives: it has no name in the image."""
VALUES: dict[str, Any] = {
    "image": {"repository": "localhost/sundial", "tag": "1"},
    "database": {"existingSecret": {"name": "database"}, "keys": KEYS},
    "podSecurityContext": {"runAsUser": ARBITRARY_UID, "runAsGroup": ARBITRARY_UID},
    "operator": {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}},
    "api": {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}},
}
JsonObject = dict[str, Any]


@dataclass
class Site:
    """Where releases are installed, and what the API server has logged of them."""

    cluster: Cluster
    postgres: Postgres
    address: str
    record: Record = field(init=False)

    def __post_init__(self) -> None:
        self.record = Record(self.cluster.folder / "logs" / "audit.log")

    def helm(self, *arguments: object) -> str:
        """Run Helm on the cluster."""
        return run_helm(*arguments, kubeconfig=self.cluster.kubeconfig)

    def deploy(self, verb: str, values: Mapping[str, Any] | None = None, *, ns: str = NS) -> None:
        """Install or upgrade a release, and wait until all is ready."""
        file = self.cluster.folder / "values.json"
        file.write_text(json.dumps(merge(VALUES, values or {})))
        self.helm(verb, RELEASE, CHART, "--namespace", ns, "--values", file, "--wait", "--timeout=150s")

    def make_namespace(self, ns: str) -> None:
        """Make a namespace in which Pods have to be restricted."""
        self.cluster.kubectl("create", "namespace", ns)
        self.cluster.kubectl("label", "namespace", ns, RESTRICTED)

    def make_database(self, name: str, ns: str = "") -> None:
        """Make an empty database, and the Secret that names it, where a namespace is said."""
        with psycopg.connect(self.postgres.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER sundial")
        if not ns:
            return
        said = {"host": self.address, "user": "sundial", "password": PASSWORD, "database": name}
        data = {key: base64.b64encode(value.encode()).decode() for key, value in said.items()}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"}, "data": data}
        self.apply(secret, ns)

    def apply(self, manifest: JsonObject, ns: str) -> None:
        """Apply a manifest."""
        self.cluster.kubectl("apply", "-n", ns, "-f", "-", input=json.dumps(manifest))

    def list(self, path: str) -> list[JsonObject]:
        """List objects."""
        found: list[JsonObject] = self.cluster.get_json(path)["items"]
        return found

    def list_pods(self, component: str, ns: str = NS) -> list[JsonObject]:
        """List the Pods of a part of the release."""
        selector = f"app.kubernetes.io%2Fcomponent%3D{component}"
        return self.list(f"/api/v1/namespaces/{ns}/pods?labelSelector={selector}")

    def find_leader(self, ns: str = NS) -> str:
        """Find the Pod that leads, once one does."""

        def find() -> str:
            path = f"/apis/coordination.k8s.io/v1/namespaces/{ns}/leases/{RELEASE}"
            holder: str = self.cluster.get_json(path)["spec"].get("holderIdentity") or ""
            pod = holder.partition("_")[0]
            return pod if pod in {one["metadata"]["name"] for one in self.list_pods("operator", ns)} else ""

        return until(find, 60)

    def list_starts(self, ns: str = TEAM) -> list[Creation]:
        """List the first Jobs of slots that were ever created in a namespace, by their slots."""
        self.record.poll()
        found = [one for one in self.record.creations if one.ns == ns and one.slot and one.attempt == 1]
        return sorted(found, key=lambda one: (one.slot, one.at))

    def get_pod_json(self, pod: JsonObject, port: int, path: str) -> Any:
        """Ask a Pod through the API server."""
        metadata = pod["metadata"]
        place = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}:{port}/proxy{path}"
        return self.cluster.get_json(place)


@contextmanager
def open_site(audit_policy: Path = AUDIT_POLICY, image: BuiltImage | None = None) -> Iterator[Site]:
    """Start the cluster and the Postgres; both are gone afterwards."""
    image = image or ensure_product_image()
    config = ClusterConfig(f"test-chart-{os.getpid()}", Nodes.REAL, audit_policy=audit_policy, has_dns=True)
    cluster = start_cluster(config)
    postgres = make_postgres(get_programs())
    try:
        cluster.load_image(image.archive)
        wire = cluster.plan.addresses.wire
        assert wire is not None, "a real node is in a box"
        postgres.create()
        postgres.let_in("0.0.0.0/0")
        postgres.start(listen=wire.host_address)
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE sundial LOGIN PASSWORD '{PASSWORD}'")
        yield Site(cluster, postgres, wire.host_address)
    finally:
        cluster.stop()
        if postgres.is_running():
            postgres.stop("immediate")
        shutil.rmtree(postgres.folder)


def build_schedule(name: str, seconds: int = 2, **spec: Any) -> JsonObject:
    """Build a ScheduledJob whose Pods are restricted ones."""
    container = {
        "name": "main",
        "image": "localhost/box:1",
        "command": ["true"],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {"securityContext": security, "terminationGracePeriodSeconds": 1, "containers": [container]}
    return {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "ScheduledJob",
        "metadata": {"name": name},
        "spec": {
            "schedule": {"interval": {"seconds": seconds}},
            "template": {"spec": {"template": {"spec": pod}}},
            **spec,
        },
    }
