"""Which programs make up a control plane, with which flags? Pure: a table of components from a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sundial_devcluster.addresses import Addresses
from sundial_devcluster.config import ClusterConfig
from sundial_devcluster.identities import kubeconfig_path
from sundial_devcluster.probes import Access, CommandProbe, Probe


@dataclass(frozen=True)
class Component:
    """Describe one long-running program of a cluster."""

    name: str
    argv: tuple[str, ...]
    log: Path
    probe: Probe | CommandProbe | None = None


@dataclass(frozen=True)
class Plan:
    """Hold what the flags of every component follow from."""

    config: ClusterConfig
    folder: Path
    addresses: Addresses
    programs: Mapping[str, Path]

    @property
    def pki(self) -> Path:
        """Return the folder of the certificates."""
        return self.folder / "pki"

    def log(self, name: str) -> Path:
        """Return the log file of a component."""
        return self.folder / "logs" / f"{name}.log"

    def access(self, port: int, client: str = "admin", authority: str = "ca") -> Access:
        """Return how a client of the cluster reaches a port of its control plane."""
        pki = self.pki
        server = f"https://{self.addresses.host}:{port}"
        return Access(server, pki / f"{authority}.crt", pki / f"{client}.crt", pki / f"{client}.key")


def control_plane(plan: Plan) -> tuple[Component, ...]:
    """Return the control plane in the order of its start."""
    return (build_etcd(plan), build_apiserver(plan), build_controller_manager(plan), build_scheduler(plan))


def build_etcd(plan: Plan) -> Component:
    """Return etcd; without fsync, since nothing here has to survive a power cut."""
    ports, pki = plan.addresses.ports, plan.pki
    client = f"https://{plan.addresses.host}:{ports.etcd}"
    peer = f"https://{plan.addresses.host}:{ports.etcd_peer}"
    argv = [
        str(plan.programs["etcd"]),
        f"--data-dir={plan.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--client-cert-auth",
        "--peer-client-cert-auth",
        *_etcd_files(pki, ""),
        *_etcd_files(pki, "peer-"),
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]
    probe = Probe(plan.access(ports.etcd, "etcd-client", "etcd-ca"), "/health")
    return Component("etcd", tuple(argv), plan.log("etcd"), probe)


def _etcd_files(pki: Path, prefix: str) -> list[str]:
    return [
        f"--{prefix}cert-file={pki / 'etcd.crt'}",
        f"--{prefix}key-file={pki / 'etcd.key'}",
        f"--{prefix}trusted-ca-file={pki / 'etcd-ca.crt'}",
    ]


def build_apiserver(plan: Plan) -> Component:
    """Return the API server; the user's flags come last and so win."""
    argv = (
        str(plan.programs["kube-apiserver"]),
        *_etcd_access(plan),
        *_serving_flags(plan),
        *_trust_flags(plan.pki),
        *_audit_flags(plan),
        *plan.config.apiserver_flags,
    )
    probe = Probe(plan.access(plan.addresses.ports.apiserver), "/readyz")
    return Component("kube-apiserver", argv, plan.log("kube-apiserver"), probe)


def _etcd_access(plan: Plan) -> tuple[str, ...]:
    return (
        f"--etcd-servers=https://{plan.addresses.host}:{plan.addresses.ports.etcd}",
        f"--etcd-cafile={plan.pki / 'etcd-ca.crt'}",
        f"--etcd-certfile={plan.pki / 'etcd-client.crt'}",
        f"--etcd-keyfile={plan.pki / 'etcd-client.key'}",
    )


def _serving_flags(plan: Plan) -> tuple[str, ...]:
    # Kubernetes refuses endpoints on loopback: there, pods are simulated and need none.
    reconciler = () if plan.addresses.wire else ("--endpoint-reconciler-type=none",)
    return (
        f"--bind-address={plan.addresses.host}",
        f"--advertise-address={plan.addresses.host}",
        f"--secure-port={plan.addresses.ports.apiserver}",
        f"--service-cluster-ip-range={plan.addresses.service_network}",
        *reconciler,
    )


def _trust_flags(pki: Path) -> tuple[str, ...]:
    return (
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        "--anonymous-auth=false",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki / 'service-accounts.key'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
        f"--kubelet-client-certificate={pki / 'apiserver-kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'apiserver-kubelet-client.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={pki / 'front-ca.crt'}",
        "--requestheader-allowed-names=front-proxy",
    )


def _audit_flags(plan: Plan) -> tuple[str, ...]:
    if plan.config.audit_policy is None:
        return ()
    return (
        f"--audit-policy-file={plan.config.audit_policy.absolute()}",
        f"--audit-log-path={plan.folder / 'logs' / 'audit.log'}",
    )


def build_controller_manager(plan: Plan) -> Component:
    """Return the controller manager; without the root CA file pods would get no ca.crt."""
    name = "kube-controller-manager"
    port = plan.addresses.ports.controller_manager
    argv = (
        str(plan.programs[name]),
        *_controller_flags(plan, name, port),
        f"--tls-cert-file={plan.pki / 'controller-manager-server.crt'}",
        f"--tls-private-key-file={plan.pki / 'controller-manager-server.key'}",
        f"--service-account-private-key-file={plan.pki / 'service-accounts.key'}",
        f"--root-ca-file={plan.pki / 'ca.crt'}",
        "--use-service-account-credentials=true",
        *plan.config.controller_manager_flags,
    )
    return Component(name, argv, plan.log(name), Probe(plan.access(port), "/healthz"))


def build_scheduler(plan: Plan) -> Component:
    """Return the scheduler."""
    name = "kube-scheduler"
    port = plan.addresses.ports.scheduler
    argv = (
        str(plan.programs[name]),
        *_controller_flags(plan, name, port),
        f"--tls-cert-file={plan.pki / 'scheduler-server.crt'}",
        f"--tls-private-key-file={plan.pki / 'scheduler-server.key'}",
        *plan.config.scheduler_flags,
    )
    return Component(name, argv, plan.log(name), Probe(plan.access(port), "/healthz"))


def _controller_flags(plan: Plan, name: str, port: int) -> tuple[str, ...]:
    kubeconfig = kubeconfig_path(plan.folder, name)
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        f"--bind-address={plan.addresses.host}",
        f"--secure-port={port}",
    )
