"""Does the throw-away control plane behave like Kubernetes, and do clusters keep out of each other's way?"""

import json

import pytest

from sundial_devcluster.cluster import Cluster, KubectlError


def job(name: str, **annotations: str) -> str:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "localhost/none:1"}]}
    template = {"metadata": {"annotations": annotations}, "spec": pod}
    spec = {"backoffLimit": 0, "template": template}
    return json.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec})


def job_ends(cluster: Cluster, namespace: str, manifest: str, condition: str) -> dict[str, object]:
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=manifest)
    cluster.kubectl("wait", "-n", namespace, "job", "--all", f"--for=condition={condition}", "--timeout=20s")
    return json.loads(cluster.kubectl("get", "pods", "-n", namespace, "-o", "json"))["items"][0]


def test_control_plane_reports_the_pinned_version(cluster: Cluster) -> None:
    told = json.loads(cluster.kubectl("version", "-o", "json"))
    assert told["serverVersion"]["gitVersion"] == "v1.37.2"
    assert told["clientVersion"]["minor"] == "37"


def test_anonymous_and_foreign_requests_are_refused(cluster: Cluster, namespace: str) -> None:
    user = "system:serviceaccount:default:default"
    with pytest.raises(KubectlError, match="forbidden"):
        cluster.kubectl("get", "secrets", "-n", namespace, f"--as={user}")


def test_simulated_job_completes(cluster: Cluster, namespace: str) -> None:
    pod = job_ends(cluster, namespace, job("fine"), "Complete")
    assert pod["status"]["phase"] == "Succeeded"
    assert pod["spec"]["nodeName"].startswith("simulated-")


def test_simulated_job_fails_on_demand(cluster: Cluster, namespace: str) -> None:
    pod = job_ends(cluster, namespace, job("broken", **{"devcluster.local/simulate": "Failed"}), "Failed")
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 1
