"""A service account for an operator, with exactly the permissions that a test gives it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from testkit.processes.operators import Sundial
from testkit.role_rules import build_rules

from sundial_devcluster.cluster import Cluster
from sundial_kube.permissions import Permission


def log_in(sundial: Sundial, permissions: Iterable[Permission]) -> str:
    """Make the account and return its kubeconfig; its right to write statuses is a role of its own."""
    kubectl, ns = sundial.cluster.kubectl, sundial.ns
    given = list(permissions)
    kubectl("create", "serviceaccount", "operator", "-n", ns)
    give(sundial, "statuses", [one for one in given if one.subresource == "status"])
    give(sundial, "all-else", [one for one in given if one.subresource != "status"])
    path = sundial.log.with_suffix(".kubeconfig")
    write_kubeconfig(sundial.cluster, ns, "operator", path)
    return str(path)


def write_kubeconfig(cluster: Cluster, ns: str, account: str, path: Path) -> None:
    """Write a kubeconfig by which a process is a service account."""
    config = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    config["users"][0]["user"] = {"token": cluster.kubectl("create", "token", account, "-n", ns).strip()}
    path.write_text(json.dumps(config))


def give(sundial: Sundial, name: str, permissions: Iterable[Permission]) -> None:
    """Give the account more permissions, as a role of that name in each namespace where it has some."""
    by_ns: defaultdict[str, list[Permission]] = defaultdict(list)
    for permission in permissions:
        by_ns[permission.ns or sundial.ns].append(permission)
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}
    account = f"--serviceaccount={sundial.ns}:operator"
    for ns, given in by_ns.items():
        manifest = role | {"metadata": {"name": name, "namespace": ns}, "rules": build_rules(given)}
        sundial.cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))
        sundial.cluster.kubectl("create", "rolebinding", name, "-n", ns, f"--role={name}", account)
