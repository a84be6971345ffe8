"""The ground of the chaos suite: a control plane that keeps a record, the fence, the operator's identity."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.crew import Crew, Member, build_environment
from chaos.proxies import Proxies
from chaos.records import Record
from chaos.workload import NAMESPACES, build_namespace, build_schedules
from testkit.role_rules import build_rules

from sundial_core.coordination.fence import build_fence
from sundial_devcluster.cluster import Cluster, ClusterConfig, KubectlError, Nodes, start_cluster
from sundial_devcluster.kubectl import install_crds
from sundial_devcluster.polling import until
from sundial_operator.permissions import list_needed

INSTALLATION_NS = "sundial-system"
CRDS = Path(__file__).parents[2] / "crds"
AUDIT_POLICY = Path(__file__).with_name("audit-policy.yaml")
ONE_LOG_FILE = "--audit-log-maxsize=100000"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{INSTALLATION_NS}/leases/sundial"
LEADER_TERM = f"/apis/sundial.dev/v1alpha1/namespaces/{INSTALLATION_NS}/leaderterms/sundial"
STANDING_BY_SECONDS = 60.0
INSIST_SECONDS = 60.0

Report = Callable[[str], None]


@dataclass(frozen=True)
class Arena:
    """Everything that faults are done to, and the record of what came of it."""

    cluster: Cluster
    proxies: Proxies
    crew: Crew
    record: Record

    def insist(self, *arguments: str, manifests: list[dict[str, Any]] | None = None) -> None:
        """Run kubectl as administrator until it works: the API server may be away."""
        deadline = time.monotonic() + INSIST_SECONDS
        while True:
            try:
                return self.kubectl(*arguments, manifests=manifests)
            except KubectlError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def try_kubectl(self, *arguments: str) -> None:
        """Run kubectl as administrator once, where it does not matter whether it works."""
        with contextlib.suppress(KubectlError):
            self.kubectl(*arguments)

    def kubectl(self, *arguments: str, manifests: list[dict[str, Any]] | None = None) -> None:
        """Run kubectl as administrator."""
        items = {"apiVersion": "v1", "kind": "List", "items": manifests}
        self.cluster.kubectl(*arguments, input=json.dumps(items) if manifests is not None else None)

    def read(self, path: str) -> dict[str, Any] | None:
        """Read an object or a list; None while that is not possible."""
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            answer: dict[str, Any] = self.cluster.get_json(path)
            return answer
        return None

    def read_holder(self) -> str:
        """Read who holds the Lease: nobody is the empty string."""
        lease = self.read(LEASE) or {}
        return str((lease.get("spec") or {}).get("holderIdentity") or "")

    def read_term(self) -> tuple[int, str]:
        """Read the term and its holder."""
        spec = (self.read(LEADER_TERM) or {}).get("spec") or {}
        return int(spec.get("term", 0)), str(spec.get("holder", ""))


@contextlib.contextmanager
def open_arena(
    folder: Path, operators: int, timing: dict[str, str], seed: int, report: Report
) -> Iterator[Arena]:
    """Start a cluster and the operators, with schedules at work; all of it is gone afterwards."""
    config = ClusterConfig(
        f"chaos-{os.getpid()}", Nodes.KWOK, apiserver_flags=(ONE_LOG_FILE,), audit_policy=AUDIT_POLICY
    )
    with contextlib.ExitStack() as exits:
        cluster = start_cluster(config, report)
        exits.callback(cluster.stop)
        install_crds(cluster.kubectl, CRDS)
        _install(cluster)
        ca = cluster.folder / "pki" / "ca.crt"
        seeds = [seed + number for number in range(operators)]
        proxies = exits.enter_context(Proxies(cluster.server, ca, folder, seeds))
        report(f"starting {operators} operators")
        members = [_build_member(cluster, proxies, folder, number, timing) for number in range(operators)]
        crew = exits.enter_context(Crew(members))
        crew.wait_standing_by(STANDING_BY_SECONDS)
        arena = Arena(cluster, proxies, crew, Record(cluster.folder / "logs" / "audit.log"))
        until(lambda: crew.find(arena.read_term()[1]), STANDING_BY_SECONDS)
        create_schedules(arena, *NAMESPACES)
        yield arena


def create_schedules(arena: Arena, *namespaces: str) -> None:
    """Create namespaces with their schedules."""
    made = [build_namespace(ns) for ns in namespaces]
    schedules = [one for ns in namespaces for one in build_schedules(ns)]
    arena.insist("apply", "--server-side", "-f", "-", manifests=[*made, *schedules])


def _install(cluster: Cluster) -> None:
    """Install the operator's namespace, identity, role and fence."""
    cluster.kubectl("create", "namespace", INSTALLATION_NS)
    items = [*build_identity(), *build_fence(f"{INSTALLATION_NS}.sundial", INSTALLATION_NS, "sundial")]
    cluster.kubectl(
        "create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    )


def build_identity() -> list[dict[str, Any]]:
    """Build a service account that may do what the operator itself says that it does, and nothing else."""
    rules = build_rules(list_needed(INSTALLATION_NS, "sundial", ()))
    group = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": "chaos-operator"}}
    account = {"kind": "ServiceAccount", "name": "sundial", "namespace": INSTALLATION_NS}
    binding = {
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "chaos-operator"},
        "subjects": [account],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {k: account[k] for k in ("name", "namespace")},
        },
        role | {"rules": rules},
        role | {"kind": "ClusterRoleBinding"} | binding,
    ]


def _build_member(
    cluster: Cluster, proxies: Proxies, folder: Path, number: int, timing: dict[str, str]
) -> Member:
    token = cluster.kubectl("create", "token", "sundial", f"--namespace={INSTALLATION_NS}", "--duration=24h")
    server = {"server": proxies.all[number].url, "certificate-authority": str(proxies.authority)}
    kubeconfig = folder / f"operator-{number}.kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "chaos", "cluster": server}],
                "users": [{"name": "sundial", "user": {"token": token.strip()}}],
                "contexts": [{"name": "chaos", "context": {"cluster": "chaos", "user": "sundial"}}],
                "current-context": "chaos",
            }
        )
    )
    environment = build_environment(kubeconfig, INSTALLATION_NS, timing)
    return Member(number, folder / f"operator-{number}.log", environment)
