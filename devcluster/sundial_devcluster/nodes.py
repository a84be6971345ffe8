"""Of what is a real node made? containerd, kubelet and kube-proxy in the box, with their configuration."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from sundial_devcluster.addresses import Wire
from sundial_devcluster.components import Component, Plan
from sundial_devcluster.identities import NODE, kubeconfig_path
from sundial_devcluster.images import PAUSE
from sundial_devcluster.probes import CommandProbe, Probe

KUBELET_PORT = 10250
CNI_PROGRAMS = Path("/usr/lib/cni")
CONTAINERD = """\
version = 2
root = "{folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_programs}"
    conf_dir = "{folder}/cni"
"""


def node_components(plan: Plan) -> tuple[Component, ...]:
    """Return the programs of the node in the order of their start."""
    return (build_containerd(plan), build_kubelet(plan), build_kube_proxy(plan))


def build_containerd(plan: Plan) -> Component:
    """Return the container runtime, Debian's."""
    argv = ("containerd", f"--config={plan.folder / 'containerd.toml'}")
    return Component("containerd", argv, plan.log("containerd"), CommandProbe(("ctr", "version")))


def build_kubelet(plan: Plan) -> Component:
    """Return the kubelet."""
    argv = (
        str(plan.programs["kubelet"]),
        f"--config={plan.folder / 'kubelet.yaml'}",
        f"--kubeconfig={kubeconfig_path(plan.folder, 'kubelet')}",
        f"--hostname-override={NODE}",
        f"--node-ip={plan.addresses.host}",
    )
    return Component("kubelet", argv, plan.log("kubelet"), Probe(plan.access(KUBELET_PORT), "/healthz"))


def build_kube_proxy(plan: Plan) -> Component:
    """Return kube-proxy; zeros keep it from writing the host's conntrack settings."""
    wire = plan.addresses.wire
    argv = (
        str(plan.programs["kube-proxy"]),
        f"--kubeconfig={kubeconfig_path(plan.folder, 'kube-proxy')}",
        f"--hostname-override={NODE}",
        f"--cluster-cidr={wire.pod_network if wire else ''}",
        "--proxy-mode=nftables",
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
        "--healthz-bind-address=127.0.0.1:10256",
        "--metrics-bind-address=127.0.0.1:10249",
    )
    return Component("kube-proxy", argv, plan.log("kube-proxy"))


def write_node_files(plan: Plan, wire: Wire) -> None:
    """Write the configuration of the node's programs."""
    (plan.folder / "cni").mkdir()
    (plan.folder / "cni" / "10-pods.conflist").write_text(json.dumps(build_cni(wire.pod_network)))
    toml = CONTAINERD.format(folder=plan.folder, pause=PAUSE, cni_programs=CNI_PROGRAMS)
    (plan.folder / "containerd.toml").write_text(toml)
    (plan.folder / "kubelet.yaml").write_text(yaml.safe_dump(build_kubelet_configuration(plan)))


def build_cni(pod_network: str) -> dict[str, object]:
    """Return the pods' network: a wire from each pod to the node, no bridge, no masquerading."""
    ranges = [[{"subnet": pod_network}]]
    addresses = {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]}
    plugin = {"type": "ptp", "ipMasq": False, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [plugin]}


def build_kubelet_configuration(plan: Plan) -> dict[str, object]:
    """Return the kubelet's configuration; no eviction, since the disk and memory are the host's."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": [],
        "cgroupDriver": "cgroupfs",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        **_kubelet_trust(plan),
        "address": plan.addresses.host,
        "port": KUBELET_PORT,
        "readOnlyPort": 0,
        "healthzPort": 0,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "evictionHard": {"memory.available": "1Mi"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "volumePluginDir": str(plan.folder / "volume-plugins"),
        "resolvConf": "",
        "clusterDNS": [plan.addresses.service_address(10)],
        "clusterDomain": "cluster.local",
    }


def _kubelet_trust(plan: Plan) -> dict[str, object]:
    return {
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(plan.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(plan.pki / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(plan.pki / "kubelet-server.key"),
    }
