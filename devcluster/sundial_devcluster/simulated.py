"""How are nodes simulated? kwok with its own stages, our stage for failing Pods, and Node objects.

Of simulated Pods only those that a Job owns end: after 0.3 s, or after the annotation
pod-complete.stage.kwok.x-k8s.io/delay (plus .../jitter-delay); with exit code 1 when they carry
devcluster.local/simulate: Failed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sundial_devcluster.components import Component, Plan
from sundial_devcluster.config import Nodes
from sundial_devcluster.identities import KUBELET_CLIENTS, kubeconfig_path
from sundial_devcluster.programs import KWOK_FILES, kwok_folder

FAILING_STAGE = Path(__file__).parent / "stages" / "pod-fail.yaml"
SIMULATE = "devcluster.local/simulate"
MARKER = "kwok.x-k8s.io/node"
COMPLETES_AFTER_MS = 300
ENDS_AT_ONCE = "startedAt: {{ $now | Quote }}"
KEEPS_START = "startedAt: {{ $origin.state.running.startedAt | Quote }}"
CAPACITY = {"cpu": "64", "memory": "256Gi", "pods": "5000"}


def build_kwok(plan: Plan) -> Component:
    """Return kwok; it manages the annotated nodes only and listens nowhere."""
    argv = (
        str(plan.programs["kwok"]),
        f"--kubeconfig={kubeconfig_path(plan.folder, 'kwok')}",
        f"--config={plan.folder / 'kwok.yaml'}",
        f"--manage-nodes-with-annotation-selector={MARKER}=fake",
        f"--node-ip={plan.addresses.host}",
        "--cidr=10.247.0.0/16",
        "--node-lease-duration-seconds=40",
    )
    return Component("kwok", argv, plan.log("kwok"))


def write_stages(folder: Path) -> None:
    """Write kwok's configuration: without it the bare program knows no stages."""
    kept = [kwok_folder() / Path(name).name for name in KWOK_FILES if name.startswith("stage/")]
    stages = [yaml.safe_load(path.read_text()) for path in (*kept, FAILING_STAGE)]
    (folder / "kwok.yaml").write_text(yaml.safe_dump_all(adjust_stage(stage) for stage in stages))


def adjust_stage(stage: dict[str, Any]) -> dict[str, Any]:
    """Return a stage as is, but pod-complete without failing Pods, without random delays, and sooner.

    The original also overwrites the start of the container with its end.
    """
    if stage["metadata"]["name"] != "pod-complete":
        return stage
    spec = stage["spec"]
    kept = [*spec["selector"]["matchExpressions"], _fails("NotIn")]
    delay = {key: value for key, value in spec["delay"].items() if key != "jitterDurationMilliseconds"}
    delay["durationMilliseconds"] = COMPLETES_AFTER_MS
    status = spec["next"]["statusTemplate"].replace(ENDS_AT_ONCE, KEEPS_START)
    after = {**spec["next"], "statusTemplate": status}
    return {**stage, "spec": {**spec, "selector": {"matchExpressions": kept}, "delay": delay, "next": after}}


def _fails(operator: str) -> dict[str, Any]:
    return {"key": f'.metadata.annotations["{SIMULATE}"]', "operator": operator, "values": ["Failed"]}


def build_node(number: int, nodes: Nodes) -> dict[str, Any]:
    """Return a simulated Node; beside a real one it is tainted, so that only who asks is simulated."""
    name = f"simulated-{number}"
    labels = {"type": "kwok", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    taint = {"key": MARKER, "value": "fake", "effect": "NoSchedule"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": {MARKER: "fake"}, "labels": labels},
        "spec": {"taints": [taint]} if nodes.are_real else {},
        "status": {"allocatable": CAPACITY, "capacity": CAPACITY},
    }


def build_kwok_grants() -> list[dict[str, Any]]:
    """Return kwok's own role, bound to its certificate's user."""
    role = yaml.safe_load((kwok_folder() / "role.yaml").read_text())
    name = "sundial-devcluster:kwok"
    return [{**role, "metadata": {"name": name}}, build_binding(name, name, {"kind": "User", "name": "kwok"})]


def build_kubelet_client_grant() -> dict[str, Any]:
    """Return the binding that lets the API server read logs from kubelets."""
    subject = {"kind": "Group", "name": KUBELET_CLIENTS}
    return build_binding(KUBELET_CLIENTS, "system:kubelet-api-admin", subject)


def build_binding(name: str, role: str, subject: dict[str, str]) -> dict[str, Any]:
    """Return a ClusterRoleBinding of one subject."""
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, **subject}],
    }
