"""Who takes part in a cluster, and with which certificate and kubeconfig?

The roles of kwok and of the API server's kubelet client are granted in rbac.py; all others are known to
Kubernetes by their names.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import yaml

from sundial_devcluster.addresses import LOOPBACK, Addresses
from sundial_devcluster.pki import (
    CertificateRequest,
    Use,
    create_authority,
    write_authority,
    write_certificates,
    write_token_key,
)

NODE = "node-1"
KUBELET_CLIENTS = "sundial-devcluster:kubelet-clients"
SERVICE_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
CLIENTS = (
    CertificateRequest("admin", "admin", Use.CLIENT, "system:masters"),
    CertificateRequest("kube-controller-manager", "system:kube-controller-manager", Use.CLIENT),
    CertificateRequest("kube-scheduler", "system:kube-scheduler", Use.CLIENT),
    CertificateRequest("kube-proxy", "system:kube-proxy", Use.CLIENT),
    CertificateRequest("kubelet", f"system:node:{NODE}", Use.CLIENT, "system:nodes"),
    CertificateRequest("kwok", "kwok", Use.CLIENT),
    CertificateRequest("coredns", "coredns", Use.CLIENT),
)


def server_requests(addresses: Addresses) -> tuple[CertificateRequest, ...]:
    """Return the certificates of the servers; each listens on `addresses.host`."""
    host = addresses.host
    api_names = (LOOPBACK, host, addresses.service_address(1), *SERVICE_NAMES)
    return (
        CertificateRequest("apiserver", "kube-apiserver", Use.SERVER, names=tuple(dict.fromkeys(api_names))),
        CertificateRequest("controller-manager-server", "kube-controller-manager", Use.SERVER, names=(host,)),
        CertificateRequest("scheduler-server", "kube-scheduler", Use.SERVER, names=(host,)),
        CertificateRequest("kubelet-server", NODE, Use.SERVER, names=(host, NODE)),
        CertificateRequest("apiserver-kubelet-client", "kube-apiserver", Use.CLIENT, KUBELET_CLIENTS),
    )


def write_identities(folder: Path, addresses: Addresses, now: datetime) -> None:
    """Write folder/pki and one kubeconfig per client."""
    pki = folder / "pki"
    pki.mkdir(mode=0o700)
    authority = create_authority("sundial-devcluster", now)
    write_authority(pki, "ca", authority)
    write_certificates(pki, authority, (*CLIENTS, *server_requests(addresses)))
    write_authority(pki, "front-ca", create_authority("sundial-devcluster-front", now))
    _write_etcd_identities(pki, addresses, now)
    write_token_key(pki / "service-accounts.key")
    for client in CLIENTS:
        kubeconfig_path(folder, client.file).write_text(
            yaml.safe_dump(build_kubeconfig(pki, client.file, addresses.server))
        )


def _write_etcd_identities(pki: Path, addresses: Addresses, now: datetime) -> None:
    authority = create_authority("sundial-devcluster-etcd", now)
    write_authority(pki, "etcd-ca", authority)
    requests = (
        CertificateRequest("etcd", "etcd", Use.BOTH, names=(addresses.host,)),
        CertificateRequest("etcd-client", "kube-apiserver", Use.CLIENT),
    )
    write_certificates(pki, authority, requests)


def kubeconfig_path(folder: Path, client: str) -> Path:
    """Return where a client's kubeconfig is."""
    return folder / f"{client}.kubeconfig"


def build_kubeconfig(pki: Path, client: str, server: str) -> dict[str, object]:
    """Return a kubeconfig that names files, so that nothing is copied into it."""
    cluster = {"server": server, "certificate-authority": str(pki / "ca.crt")}
    user = {"client-certificate": str(pki / f"{client}.crt"), "client-key": str(pki / f"{client}.key")}
    name = "sundial"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": client, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": client}}],
        "current-context": name,
    }
