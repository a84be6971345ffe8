"""Is a custom resource pleasant in kubectl: explain, columns, categories, selectors and wait?"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sundial_devcluster.cluster import Cluster

ROOT = Path(__file__).parents[2]
TEMPLATE = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:1.36"}]}}}}
STATUS = yaml.safe_load((Path(__file__).parent / "manifests" / "status.yaml").read_text())


def own_objects(schema: dict[str, Any], path: str) -> Iterator[str]:
    """Yield the path of each object whose fields are our own."""
    properties = schema.get("properties", schema.get("items", {}).get("properties"))
    if properties is None or path.endswith(".template"):
        return
    yield path
    for name, field in properties.items():
        yield from own_objects(field, f"{path}.{name}")


def explained_paths() -> list[str]:
    paths = []
    for file in sorted((ROOT / "crds").glob("*.yaml")):
        spec = yaml.safe_load(file.read_text())["spec"]
        schema = spec["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        for part in ("spec", "status"):
            paths += own_objects(schema.get(part, {}), f"{spec['names']['plural']}.{part}")
    return paths


def create(cluster: Cluster, namespace: str, kind: str, name: str, **spec: Any) -> None:
    manifest = {"apiVersion": "sundial.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(manifest))


def create_job(cluster: Cluster, namespace: str, name: str, **spec: Any) -> None:
    whole = {"schedule": {"cron": "0 9 * * *"}, "template": TEMPLATE} | spec
    create(cluster, namespace, "ScheduledJob", name, **{k: v for k, v in whole.items() if v is not None})


def patch_status(cluster: Cluster, namespace: str, name: str, status: dict[str, Any]) -> None:
    patch = json.dumps({"status": status})
    cluster.kubectl("patch", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", patch)


@pytest.mark.parametrize("path", explained_paths())
def test_explain_describes_every_field(cluster: Cluster, path: str) -> None:
    told = cluster.kubectl("explain", path)
    assert "FIELDS:" in told
    assert "<no description>" not in told
    assert "<empty>" not in told


def test_explain_tells_which_values_there_are(cluster: Cluster) -> None:
    told = cluster.kubectl("explain", "sj.spec.concurrency.policy")
    assert told.split("ENUM:")[1].split()[:4] == ["Forbid", "Allow", "Replace", "Queue"]
    assert "Forbid skips it" in told


def test_columns_of_a_scheduled_job(cluster: Cluster, namespace: str) -> None:
    create_job(cluster, namespace, "report", suspend=True)
    patch_status(cluster, namespace, "sj/report", STATUS)
    header, row = cluster.kubectl("get", "sj", "-n", namespace, "-o", "wide").splitlines()
    assert " ".join(header.split()) == "NAME SCHEDULE SUSPENDED ACTIVE LAST RESULT NEXT READY REASON AGE"
    assert row.startswith("report   At 09:00, Monday to Friday (Africa/Cairo)   True        2        ")
    assert row.split()[10:14] == ["Failed", "2030-01-01T07:00:00Z", "True", "Scheduled"]


@pytest.mark.parametrize(
    ("resource", "columns"),
    [
        ("sj", "NAME SCHEDULE SUSPENDED ACTIVE LAST RESULT NEXT READY AGE"),
        ("tf", "NAME ACTIVE SYSTEM USED READY AGE"),
        ("sjr", "NAME SCHEDULEDJOB VERDICT RESULT REASON AGE"),
        ("leaderterms", "NAME TERM HOLDER SINCE AGE"),
    ],
)
def test_columns(cluster: Cluster, namespace: str, resource: str, columns: str) -> None:
    create_job(cluster, namespace, "job")
    create(cluster, namespace, "TaskFunction", "function", handler={"container": {}}, template=TEMPLATE)
    create(cluster, namespace, "ScheduledJobRun", "run", scheduledJobName="job")
    create(cluster, namespace, "LeaderTerm", "term", term=1, holder="a", since="2026-01-01T00:00:00Z")
    assert cluster.kubectl("get", resource, "-n", namespace).splitlines()[0].split() == columns.split()


def test_category_lists_all_kinds(cluster: Cluster, namespace: str) -> None:
    create_job(cluster, namespace, "job")
    create(cluster, namespace, "TaskFunction", "function", handler={"container": {}}, template=TEMPLATE)
    create(cluster, namespace, "ScheduledJobRun", "run", scheduledJobName="job")
    create(cluster, namespace, "LeaderTerm", "term", term=1, holder="a", since="2026-01-01T00:00:00Z")
    told = cluster.kubectl("get", "sundial", "-n", namespace, "-o", "name").split()
    kinds = {line.split("/")[0].removesuffix(".sundial.dev") for line in told}
    assert kinds == {"scheduledjob", "taskfunction", "scheduledjobrun", "leaderterm"}


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("spec.suspend=true", ["off"]),
        ("spec.suspend=false", ["on", "shared"]),
        ("spec.taskFunctionRef.name=clean-up", ["shared"]),
    ],
)
def test_scheduled_jobs_are_selected_by_field(
    cluster: Cluster, namespace: str, selector: str, names: list[str]
) -> None:
    create_job(cluster, namespace, "off", suspend=True)
    create_job(cluster, namespace, "on")
    create_job(cluster, namespace, "shared", template=None, taskFunctionRef={"name": "clean-up"})
    told = cluster.kubectl("get", "sj", "-n", namespace, "--field-selector", selector, "-o", "name").split()
    assert told == [f"scheduledjob.sundial.dev/{name}" for name in names]


def test_runs_are_selected_by_their_job(cluster: Cluster, namespace: str) -> None:
    create(cluster, namespace, "ScheduledJobRun", "a", scheduledJobName="wanted")
    create(cluster, namespace, "ScheduledJobRun", "b", scheduledJobName="other")
    selector = "spec.scheduledJobName=wanted"
    told = cluster.kubectl("get", "sjr", "-n", namespace, "--field-selector", selector, "-o", "name")
    assert told.split() == ["scheduledjobrun.sundial.dev/a"]


def test_wait_for_ready(cluster: Cluster, namespace: str) -> None:
    create_job(cluster, namespace, "report")
    patch_status(cluster, namespace, "sj/report", STATUS)
    wait = ("wait", "-n", namespace, "--for=condition=Ready", "--timeout=10s", "sj/report")
    assert "condition met" in cluster.kubectl(*wait)


def test_status_is_kept_whole(cluster: Cluster, namespace: str) -> None:
    create_job(cluster, namespace, "report")
    patch_status(cluster, namespace, "sj/report", STATUS)
    stored = json.loads(cluster.kubectl("get", "sj", "report", "-n", namespace, "-o", "json"))
    assert stored["status"] == STATUS
    assert stored["metadata"]["generation"] == 1


def test_status_takes_words_of_a_newer_operator(cluster: Cluster, namespace: str) -> None:
    create_job(cluster, namespace, "report")
    condition = {"type": "Novel", "status": "Unknown", "reason": "", "message": "m" * 40_000}
    slot = {"slot": "2026-01-01T00:00:00.123456Z", "verdict": "Deferred", "reason": "any words: at all"}
    status = {"conditions": [condition], "recentSlots": [slot] * 500, "lastResult": "Odd"}
    patch_status(cluster, namespace, "sj/report", status)
    stored = json.loads(cluster.kubectl("get", "sj", "report", "-n", namespace, "-o", "json"))
    assert stored["status"] == status


def test_spec_cannot_be_changed_through_status(cluster: Cluster, namespace: str) -> None:
    create_job(cluster, namespace, "report")
    patch = json.dumps({"spec": {"suspend": True}})
    cluster.kubectl(
        "patch", "sj/report", "-n", namespace, "--subresource=status", "--type=merge", "-p", patch
    )
    told = cluster.kubectl("get", "sj", "report", "-n", namespace, "-o", "jsonpath={.spec.suspend}")
    assert told == "false"
