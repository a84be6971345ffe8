"""How do names of Services resolve in a real node's Pods? CoreDNS in the box, behind the Service kube-dns."""

from __future__ import annotations

from typing import Any

from sundial_devcluster.components import Component, Plan
from sundial_devcluster.identities import kubeconfig_path
from sundial_devcluster.simulated import build_binding

NAME = "sundial-devcluster:coredns"
SERVICE_OFFSET = 10
PORTS = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
COREFILE = """\
cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {{
  bind {host}
  errors
  kubernetes {{
    kubeconfig {kubeconfig}
    pods insecure
    ttl 5
  }}
}}
.:53 {{
  bind {host}
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""
"""Names outside the cluster do not exist: nothing here is to be reached."""


def build_coredns(plan: Plan) -> Component:
    """Return CoreDNS; it listens on the node's address."""
    argv = (str(plan.programs["coredns"]), "-conf", str(plan.folder / "Corefile"))
    return Component("coredns", argv, plan.log("coredns"))


def write_corefile(plan: Plan) -> None:
    """Write its configuration."""
    kubeconfig = kubeconfig_path(plan.folder, "coredns")
    (plan.folder / "Corefile").write_text(COREFILE.format(host=plan.addresses.host, kubeconfig=kubeconfig))


def build_dns_objects(plan: Plan) -> list[dict[str, Any]]:
    """Return what it may read, and the Service by which Pods find it."""
    service = {"name": "kube-dns", "namespace": "kube-system"}
    rules = [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": NAME},
            "rules": rules,
        },
        build_binding(NAME, NAME, {"kind": "User", "name": "coredns"}),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": service,
            "spec": {"clusterIP": plan.addresses.service_address(SERVICE_OFFSET), "ports": PORTS},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": service | {"labels": {"kubernetes.io/service-name": "kube-dns"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [plan.addresses.host], "conditions": {"ready": True}}],
            "ports": PORTS,
        },
    ]
