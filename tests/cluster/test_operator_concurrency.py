"""What happens to a slot while runs are active, and how runs are ended early, on a real control plane."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from testkit.processes.operators import (
    JsonObject,
    Sundial,
    build_scheduled_job,
    build_template,
    slot_of,
)

from sundial_devcluster.polling import until

EVERY_TWO_SECONDS = {"interval": {"seconds": 2}}
DELAY = "pod-complete.stage.kwok.x-k8s.io/delay"


def _apply(sundial: Sundial, name: str, schedule: JsonObject, takes: str, **spec: Any) -> None:
    template = build_template(["sleep"], **{DELAY: takes})
    history = {"successful": 20, "failed": 20}
    sundial.apply(build_scheduled_job(name, schedule, template=template, history=history, **spec))


def _skipped(sundial: Sundial, name: str, reason: str) -> int:
    verdicts = sundial.status(name).get("counters", {}).get("verdicts", {})
    return int(verdicts.get("skipped", {}).get(reason, 0))


def _once() -> JsonObject:
    return {"at": (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0).isoformat()}


def _ended_at(job: JsonObject) -> datetime | None:
    times = [
        condition["lastTransitionTime"]
        for condition in job.get("status", {}).get("conditions", ())
        if condition["type"] in ("Complete", "Failed")
    ]
    return datetime.fromisoformat(times[0]) if times else None


def _never_overlap(jobs: list[JsonObject]) -> bool:
    created = [datetime.fromisoformat(job["metadata"]["creationTimestamp"]) for job in jobs]
    ends = [_ended_at(job) for job in jobs]
    return all(end is not None and end <= after for end, after in zip(ends, created[1:], strict=False))


def test_queue_runs_one_after_the_other_oldest_first(sundial: Sundial) -> None:
    _apply(sundial, "queue", EVERY_TWO_SECONDS, "5s", concurrency={"policy": "Queue", "maxQueued": 2})
    until(lambda: len(sundial.jobs("queue")) >= 4)
    assert _skipped(sundial, "queue", "QueueFull") > 0
    queued = until(lambda: sundial.status("queue").get("queued"))
    assert {entry["reason"] for entry in queued} == {"AlreadyActive"}
    sundial.patch("queue", {"suspend": True})
    until(lambda: sundial.status("queue").get("activeCount") == 0)
    assert "queued" not in sundial.status("queue")
    assert _skipped(sundial, "queue", "QueueDropped") > 0
    assert _never_overlap(sundial.jobs("queue"))


def test_replace_ends_the_old_run_and_the_newest_goes_on(sundial: Sundial) -> None:
    _apply(sundial, "replace", {"interval": {"seconds": 4}}, "1h", concurrency={"policy": "Replace"})
    until(lambda: len(sundial.jobs("replace")) >= 3)
    sundial.patch("replace", {"suspend": True})
    *old, newest = sundial.jobs("replace")
    assert [job["metadata"]["annotations"]["sundial.dev/ended"] for job in old] == ["Replaced"] * len(old)
    assert "sundial.dev/ended" not in newest["metadata"]["annotations"]
    assert _never_overlap(sundial.jobs("replace"))
    entry = next(e for e in sundial.status("replace")["recentSlots"] if e["slot"] == slot_of(old[0]))
    assert (entry["verdict"], entry["result"], entry["reason"]) == ("Started", "Cancelled", "Replaced")


def test_kubectl_annotate_cancels_a_run_and_it_is_not_tried_again(sundial: Sundial) -> None:
    _apply(sundial, "cancel", _once(), "1h", retry={"count": 3, "delaySeconds": 0})
    until(lambda: sundial.status("cancel").get("activeCount") == 1)
    (job,) = sundial.jobs("cancel")
    sundial.cluster.kubectl(
        "annotate", "job", job["metadata"]["name"], "-n", sundial.ns, "sundial.dev/cancel=true"
    )
    until(lambda: sundial.status("cancel").get("lastResult") == "Cancelled")
    until(lambda: sundial.status("cancel").get("activeCount") == 0)
    assert sundial.status("cancel")["recentSlots"][0]["reason"] == "Cancelled"
    (job,) = sundial.jobs("cancel")
    assert job["metadata"]["annotations"]["sundial.dev/ended"] == "Cancelled"
    assert _ended_at(job) is not None


def test_a_run_between_attempts_is_cancelled_at_once(sundial: Sundial) -> None:
    template = build_template(["false"], **{"devcluster.local/simulate": "Failed"})
    retry = {"count": 3, "delaySeconds": 3600}
    sundial.apply(build_scheduled_job("between", _once(), template=template, retry=retry))
    until(lambda: [e["phase"] for e in sundial.status("between").get("active", [])] == ["Waiting"])
    (job,) = sundial.jobs("between")
    sundial.cluster.kubectl(
        "annotate", "job", job["metadata"]["name"], "-n", sundial.ns, "sundial.dev/cancel=now"
    )
    until(lambda: sundial.status("between").get("lastResult") == "Cancelled")
    (job,) = sundial.jobs("between")
    assert job["spec"]["activeDeadlineSeconds"] == 300


def test_a_pod_that_finds_no_node_ends_as_start_failed_and_is_tried_again(sundial: Sundial) -> None:
    template = build_template(["true"])
    template["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}
    how: JsonObject = {"timeoutSeconds": 60, "startTimeoutSeconds": 2}
    retry = {"count": 1, "delaySeconds": 0}
    sundial.apply(build_scheduled_job("nowhere", _once(), template=template, retry=retry, **how))
    until(lambda: sundial.status("nowhere").get("lastResult") == "Failed")
    entry = sundial.status("nowhere")["recentSlots"][0]
    assert entry["reason"] == "StartFailed"
    assert entry["message"].startswith("Unschedulable: ")
    first, second = sorted(sundial.jobs("nowhere"), key=_attempt)
    assert (first["spec"]["activeDeadlineSeconds"], _attempt(second)) == (1, "2")
    assert first["metadata"]["annotations"]["sundial.dev/timeout-seconds"] == "60"
    assert second["metadata"]["annotations"]["sundial.dev/timeout-seconds"] == "60"


def _attempt(job: JsonObject) -> str:
    return str(job["metadata"]["annotations"]["sundial.dev/attempt"])


def test_a_pod_that_is_refused_ends_as_start_failed_with_what_the_server_said(
    sundial: Sundial,
) -> None:
    template = build_template(["true"])
    template["spec"]["template"]["spec"]["serviceAccountName"] = "nobody"
    how: JsonObject = {"startTimeoutSeconds": 2, "retry": {"count": 0}}
    sundial.apply(build_scheduled_job("refused", _once(), template=template, **how))
    until(lambda: sundial.status("refused").get("lastResult") == "Failed")
    entry = sundial.status("refused")["recentSlots"][0]
    assert entry["reason"] == "StartFailed"
    assert 'serviceaccount "nobody" not found' in entry["message"]
