"""The mirror follows a real control plane into a real Postgres."""

from __future__ import annotations

import json
from typing import Any

from testkit.mirror_comparison import Comparison, Rows
from testkit.processes.mirrors import MirrorProcess
from testkit.processes.operators import Starter, Sundial, build_scheduled_job

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until

EVERY_SECOND = {"interval": {"seconds": 1}}
ALLOW = {"policy": "Allow"}


def run_for_a_while(sundial: Sundial, *names: str, slots: int = 5) -> None:
    """Let schedules run some slots, then suspend them and wait until nothing is active any more."""
    for name in names:
        until(lambda name=name: _count_started(sundial, name) >= slots)  # type: ignore[misc]
        sundial.patch(name, {"suspend": True})
    for name in names:
        until(lambda name=name: sundial.status(name).get("activeCount") == 0)  # type: ignore[misc]


def _count_started(sundial: Sundial, name: str) -> int:
    return int(sundial.status(name).get("counters", {}).get("verdicts", {}).get("started", 0))


def test_rows_follow_the_cluster(
    start_operator: Starter, mirror: MirrorProcess, comparison: Comparison, rows: Rows
) -> None:
    sundial = start_operator(SUNDIAL_TOMBSTONE_SECONDS="2")
    sundial.apply(build_scheduled_job("good", EVERY_SECOND, concurrency=ALLOW, history={"successful": 2}))
    bad = build_scheduled_job("bad", {"interval": {"seconds": 2}}, retry={"count": 0}, history={"failed": 1})
    pod = bad["spec"]["template"]["spec"]["template"]
    pod["metadata"] = {"annotations": {"pod-fail.stage.kwok.x-k8s.io/exit-code": "3"}}
    sundial.apply(bad)
    run_for_a_while(sundial, "good", "bad")
    comparison.until_equal()
    assert set(rows.read("SELECT DISTINCT status FROM scheduled_job_executions")) <= {"success", "failed"}


def test_replicas_are_shown(start_operator: Starter, mirror: MirrorProcess, rows: Rows) -> None:
    start_operator()
    until(lambda: rows.read("SELECT is_leader FROM scheduler_instances") == [True])
    start_operator(wait_for="standing by")
    until(lambda: sorted(rows.read("SELECT is_leader FROM scheduler_instances")) == [False, True])
    (pid, version) = rows.read("SELECT pid, version FROM scheduler_instances WHERE is_leader")[0]
    assert (pid > 1, bool(version)) == (True, True)


def test_the_operator_can_read_how_far_the_mirror_is(mirror: MirrorProcess, comparison: Comparison) -> None:
    until(lambda: all(version > 0 for version in _read_mirrored(comparison).values()))
    assert sorted(_read_mirrored(comparison)) == ["jobs", "pods"]


def _read_mirrored(comparison: Comparison) -> dict[str, int]:
    group = "/apis/coordination.k8s.io/v1"
    lease = until(lambda: _find(comparison.list(group, "leases"), "sundial-mirror"))
    said = json.loads(lease["metadata"]["annotations"]["sundial.dev/mirrored-until"])
    return {name: int(version) for name, version in said.items()}


def _find(items: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    return next((item for item in items if item["metadata"]["name"] == name), None)


def test_an_object_that_cannot_be_read_hurts_only_itself(
    cluster: Cluster, namespace: str, mirror: MirrorProcess, rows: Rows
) -> None:
    poison = _build_job("poison", {"sundial.dev/scheduled-job-uid": "not-a-uuid"})
    secret = {"name": "DB_PASSWORD", "value": "hunter2"}
    poison["spec"]["template"]["spec"]["containers"][0]["env"] = [secret]
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(poison))
    good = build_scheduled_job("good", {"cron": "@yearly"})
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(good))
    until(lambda: rows.read("SELECT name FROM scheduled_jobs") == ["good"])
    kept = until(lambda: rows.read("SELECT kind, resource_name, document FROM scheduler_quarantine"))
    assert (kept[0][:2], "not-a-uuid" in kept[0][2]["excerpt"]) == (("Job", "poison"), True)
    assert "hunter2" not in str(rows.read("SELECT CAST(q AS text), kind FROM scheduler_quarantine q"))


def test_a_pod_of_another_job_tells_nothing_of_a_run(
    start_operator: Starter, cluster: Cluster, namespace: str, mirror: MirrorProcess, rows: Rows
) -> None:
    sundial = start_operator()
    sundial.apply(build_scheduled_job("good", EVERY_SECOND, concurrency=ALLOW))
    run_for_a_while(sundial, "good", slots=1)
    read = "SELECT id, pod_name, result, status FROM scheduled_job_executions ORDER BY id"
    until(lambda: {(bool(row[1]), row[3]) for row in rows.read(read)} == {(True, "success")})
    told = rows.read(read)
    run = sundial.jobs("good")[0]["spec"]["template"]["metadata"]
    labels, annotations = run["labels"], run["annotations"]
    stranger = _build_job("stranger", {"app": "stranger"})
    stranger["spec"] |= {"suspend": True}
    _apply(cluster, namespace, stranger)
    found = json.loads(cluster.kubectl("get", "job", "stranger", "-n", namespace, "-o", "json"))
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "stranger", "uid": found["metadata"]["uid"]}
    ended = {"exitCode": 1, "message": '{"sundial": 1, "result": {"rows": "forged"}}'}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "forged",
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner | {"controller": True}],
        },
        "spec": stranger["spec"]["template"]["spec"] | {"nodeName": "nowhere"},
    }
    _apply(cluster, namespace, pod)
    status = {"phase": "Failed", "containerStatuses": [_build_container_status(ended)]}
    patch = json.dumps({"status": status})
    cluster.kubectl("patch", "pod", "forged", "-n", namespace, "--subresource=status", "-p", patch)
    _apply(cluster, namespace, build_scheduled_job("after", {"cron": "@yearly"}))
    until(lambda: "after" in rows.read("SELECT name FROM scheduled_jobs"))
    assert rows.read(read) == told
    kept = "SELECT kind, resource_name FROM scheduler_quarantine"
    until(lambda: rows.read(kept) == [("Pod", "forged")])


def _apply(cluster: Cluster, ns: str, item: dict[str, Any]) -> None:
    cluster.kubectl("apply", "-n", ns, "-f", "-", input=json.dumps(item))


def _build_container_status(ended: dict[str, Any]) -> dict[str, Any]:
    state = {"terminated": {"reason": "Error", "startedAt": None, "finishedAt": None} | ended}
    image = {"image": "localhost/box:1", "imageID": "", "restartCount": 0, "ready": False}
    return {"name": "main", "state": state, **image}


def _build_job(name: str, labels: dict[str, str]) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "localhost/box:1"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {"suspend": True, "template": {"spec": pod}},
    }


def test_rows_of_a_cluster_that_is_suddenly_empty_go_after_a_second_list(
    cluster: Cluster, namespace: str, rows: Rows, stopped_mirror: MirrorProcess
) -> None:
    rows.change(
        "INSERT INTO scheduled_jobs (id, namespace, resource_name, name, task_function_id, job_type_id,"
        " schedule_config, created_at, updated_at)"
        " SELECT gen_random_uuid(), :ns, 'ghost-' || n, 'ghost', 1, 2, '{}', now(), now()"
        " FROM generate_series(1, 60) AS n",
        ns=namespace,
    )
    stopped_mirror.start()
    until(lambda: rows.read("SELECT count(*) FROM scheduled_jobs WHERE deleted_at IS NULL") == [0])
    assert "another is asked for" in stopped_mirror.log.read_text()


def test_forged_counters_stop_neither_their_row_nor_the_mirror(
    start_operator: Starter, mirror: MirrorProcess, rows: Rows
) -> None:
    sundial = start_operator()
    sundial.apply(build_scheduled_job("bomb", {"cron": "@yearly"}))
    until(lambda: sundial.ready("bomb"))
    forged = {"counters": {"verdicts": {"missed": {"A": 2**63 - 1, "B": 2**63 - 1, "C": 9}}}}
    patch = json.dumps({"status": forged})
    sundial.cluster.kubectl(
        "patch", "-n", sundial.ns, "sj", "bomb", "--subresource=status", "--type=merge", "-p", patch
    )
    sundial.apply(build_scheduled_job("other", {"cron": "@yearly"}))
    until(lambda: sorted(rows.read("SELECT name FROM scheduled_jobs")) == ["bomb", "other"])
    until(lambda: sundial.status("bomb")["counters"]["verdicts"]["missed"]["A"] == 2**53)
    sundial.patch("bomb", {"description": "changed"})
    until(lambda: rows.read("SELECT description FROM scheduled_jobs WHERE name = 'bomb'") == ["changed"])
    assert rows.read("SELECT missed_slots FROM scheduled_jobs WHERE name = 'bomb'") == [2**53]
    assert rows.read("SELECT key FROM scheduler_quarantine") == []


def test_a_status_with_no_more_than_the_crd_asks_for_is_mirrored_and_patched(
    start_operator: Starter, mirror: MirrorProcess, rows: Rows
) -> None:
    sundial = start_operator()
    sundial.apply(build_scheduled_job("old", EVERY_SECOND, concurrency=ALLOW))
    until(lambda: sundial.ready("old"))
    sundial.end()
    least = {
        **{name: [{}] for name in ("active", "queued", "recentSlots")},
        "conditions": [{"type": "Ready", "status": "True"}],
        "activeOmitted": {},
        "counters": {"verdicts": {}},
        "paused": {},
        "seen": {},
    }
    patch = json.dumps({"status": least})
    sundial.cluster.kubectl(
        "patch", "-n", sundial.ns, "sj", "old", "--subresource=status", "--type=merge", "-p", patch
    )
    version = sundial.cluster.get_json(_path(sundial.ns, "old"))["metadata"]["resourceVersion"]
    read = "SELECT resource_version >= :version FROM scheduled_jobs WHERE name = 'old'"
    until(lambda: rows.read(read, version=int(version)) == [True])
    sundial.start()
    until(lambda: any(entry.get("result") for entry in sundial.status("old").get("recentSlots", ())))
    assert rows.read("SELECT key FROM scheduler_quarantine") == []


def _path(ns: str, name: str) -> str:
    return f"/apis/sundial.dev/v1alpha1/namespaces/{ns}/scheduledjobs/{name}"


def test_finished_jobs_stay_until_they_are_mirrored(
    cluster: Cluster, namespace: str, start_operator: Starter
) -> None:
    lease = json.dumps(_build_lease(jobs=0, pods=0))
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input=lease)
    sundial = start_operator(SUNDIAL_TOMBSTONE_SECONDS="1")
    sundial.apply(build_scheduled_job("kept", EVERY_SECOND, concurrency=ALLOW, history={"successful": 0}))
    run_for_a_while(sundial, "kept", slots=3)
    until(lambda: "sundial_schedules_awaiting_mirror 1.0" in sundial.health("/metrics")[1])
    assert len(sundial.jobs("kept")) >= 3
    sundial.apply(_build_lease(jobs=2**62, pods=2**62))
    until(lambda: not sundial.jobs("kept"))


def _build_lease(**mirrored: int) -> dict[str, Any]:
    said = json.dumps({name: str(version) for name, version in mirrored.items()})
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "sundial-mirror", "annotations": {"sundial.dev/mirrored-until": said}},
    }
