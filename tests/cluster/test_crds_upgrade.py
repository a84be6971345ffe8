"""Does a stricter release leave the objects of an older one in peace?

A copy of the ScheduledJob CRD in a group of its own is made stricter while an object is stored.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sundial_devcluster.cluster import Cluster, KubectlError
from sundial_devcluster.polling import until

CRD_FILE = Path(__file__).parents[2] / "crds" / "scheduledjobs.yaml"
GROUP = "upgrade.example.com"
RESOURCE = f"scheduledjobs.{GROUP}"
TEMPLATE = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:1.36"}]}}}}


STRICTER = (("<= 52", "<= 3"), ("endsAt > self.startsAt", "endsAt < self.startsAt"), ("1000000000", "5"))


def definition() -> str:
    crd = yaml.safe_load(CRD_FILE.read_text())
    crd["metadata"]["name"] = RESOURCE
    crd["spec"]["group"] = GROUP
    crd["spec"]["names"] |= {"shortNames": [], "categories": []}
    return json.dumps(crd)


def stricter_definition() -> str:
    text = definition()
    for loose, strict in STRICTER:
        assert loose in text
        text = text.replace(loose, strict)
    return text


def scheduled_job(name: str) -> str:
    window = {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2027-01-01T00:00:00Z"}
    spec = {"schedule": {"interval": {"seconds": 10}} | window, "template": TEMPLATE}
    head = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "ScheduledJob", "metadata": {"name": name}}
    return json.dumps(head | {"spec": spec})


def is_refused(cluster: Cluster, namespace: str, manifest: str) -> bool:
    try:
        cluster.kubectl("create", "-n", namespace, "--dry-run=server", "-f", "-", input=manifest)
    except KubectlError:
        return True
    return False


@pytest.fixture
def stored(cluster: Cluster, namespace: str) -> Iterator[str]:
    """Store an object named `report`, then make its CRD stricter than it is."""
    cluster.kubectl("apply", "--server-side", "-f", "-", input=definition())
    until(lambda: not is_refused(cluster, namespace, scheduled_job("report")))
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=scheduled_job("report"))
    cluster.kubectl("apply", "--server-side", "-f", "-", input=stricter_definition())
    until(lambda: is_refused(cluster, namespace, scheduled_job("another")))
    yield "report"
    cluster.kubectl("delete", "crd", RESOURCE, "--wait=false")


def test_status_and_suspend_can_still_be_written(cluster: Cluster, namespace: str, stored: str) -> None:
    patch = ("patch", f"{RESOURCE}/{stored}", "-n", namespace, "--type=merge", "-p")
    cluster.kubectl(*patch, '{"status": {"lastResult": "Failed"}}', "--subresource=status")
    cluster.kubectl(*patch, '{"spec": {"suspend": true}}')
    told = cluster.kubectl("get", f"{RESOURCE}/{stored}", "-n", namespace, "-o", "json")
    assert (json.loads(told)["status"], json.loads(told)["spec"]["suspend"]) == (
        {"lastResult": "Failed"},
        True,
    )
