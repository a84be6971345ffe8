"""A ScheduledJobRun runs its ScheduledJob once, on a real control plane, and its status tells the outcome."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from testkit.processes.operators import (
    JsonObject,
    Starter,
    Sundial,
    build_scheduled_job,
    build_template,
)

from sundial_devcluster.polling import until

EXAMPLES = Path(__file__).parents[2] / "examples"
YEARLY = {"cron": "0 0 1 1 *"}
LASTS = {"template": build_template(["sleep"], **{"pod-complete.stage.kwok.x-k8s.io/delay": "1h"})}


def ask(sundial: Sundial, job: str, **spec: Any) -> str:
    """Create a ScheduledJobRun as a person does; return its name."""
    manifest = {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "ScheduledJobRun",
        "metadata": {"generateName": f"{job}-", **spec.pop("metadata", {})},
        "spec": {"scheduledJobName": job, **spec},
    }
    told = sundial.cluster.kubectl(
        "create", "-n", sundial.ns, "-f", "-", "-o", "json", input=json.dumps(manifest)
    )
    return str(json.loads(told)["metadata"]["name"])


def read(sundial: Sundial, name: str) -> JsonObject:
    """Read a ScheduledJobRun."""
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{sundial.ns}/scheduledjobruns/{name}"
    item: JsonObject = sundial.cluster.get_json(path)
    return item


def tell(sundial: Sundial, name: str) -> str:
    """Write verdict, result and reason of a ScheduledJobRun in a line."""
    status = read(sundial, name).get("status", {})
    return " ".join(status[field] for field in ("verdict", "result", "reason") if field in status)


def until_told(sundial: Sundial, name: str, expected: str, timeout: float = 30) -> JsonObject:
    """Wait until the status of one says this; return it."""
    until(lambda: tell(sundial, name) == expected, timeout)
    status: JsonObject = read(sundial, name)["status"]
    return status


def environment(job: JsonObject) -> dict[str, str]:
    """Read what a Job's container finds in its environment."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def test_a_manual_run_with_args_while_suspended(sundial: Sundial) -> None:
    sundial.apply(build_scheduled_job("manual", YEARLY, suspend=True, args={"n": 1}))
    sundial.until_ready("manual", "Scheduled")
    name = ask(sundial, "manual", args={"n": 2}, requestedBy="Maryam", reason="to see it")
    status = until_told(sundial, name, "Started Succeeded")
    (job,) = sundial.jobs("manual")
    assert (status["jobName"], status["runId"]) == (
        job["metadata"]["name"],
        read(sundial, name)["metadata"]["uid"],
    )
    seen = environment(job)
    assert (seen["SUNDIAL_ARGS"], seen["SUNDIAL_TRIGGER"]) == ('{"n":2}', "manual")
    assert (seen["SUNDIAL_RUN_ID"], seen["SUNDIAL_SCHEDULED_FOR"]) == (status["runId"], "")
    assert sundial.cluster.kubectl("wait", "-n", sundial.ns, f"sjr/{name}", "--for=condition=Complete")


def test_the_schedule_shows_the_run_and_keeps_its_cursor(sundial: Sundial) -> None:
    sundial.apply(build_scheduled_job("shown", YEARLY))
    sundial.until_ready("shown", "Scheduled")
    before = sundial.status("shown")
    name = ask(sundial, "shown")
    until_told(sundial, name, "Started Succeeded")
    after = until(lambda: _find_ended(sundial, "shown"))
    assert (after["cursor"], after["nextRunTime"]) == (before["cursor"], before["nextRunTime"])
    assert "counters" not in after
    (entry,) = after["recentSlots"]
    assert (entry["trigger"], entry["result"], "slot" in entry) == ("manual", "Succeeded", False)


def _find_ended(sundial: Sundial, name: str) -> JsonObject | None:
    status = sundial.status(name)
    return status if status.get("lastResult") and status["activeCount"] == 0 else None


def test_a_backfill_of_a_slot_that_has_passed(sundial: Sundial) -> None:
    sundial.apply(build_scheduled_job("backfill", {"cron": "0 9 * * *", "timeZone": "Africa/Cairo"}))
    sundial.until_ready("backfill", "Scheduled")
    name = ask(sundial, "backfill", scheduledFor="2026-01-02T09:00:00+02:00")
    until_told(sundial, name, "Started Succeeded")
    (job,) = sundial.jobs("backfill")
    seen = environment(job)
    assert (seen["SUNDIAL_SCHEDULED_FOR"], seen["SUNDIAL_TRIGGER"]) == ("2026-01-02T07:00:00Z", "backfill")
    assert seen["SUNDIAL_PREVIOUS_SLOT"] == "2026-01-01T07:00:00Z"
    assert job["metadata"]["labels"]["sundial.dev/trigger"] == "backfill"


@pytest.mark.parametrize(
    ("spec", "expected", "words"),
    [
        pytest.param(
            {"scheduledFor": "2026-01-02T09:00:01Z"},
            "Skipped Failed InvalidSlot",
            "the nearest are 2026-01-01T00:00:00Z and 2027-01-01T00:00:00Z",
            id="no slot",
        ),
        pytest.param(
            {"scheduledFor": "2099-01-01T00:00:00Z"},
            "Skipped Failed InvalidSlot",
            "has not passed yet",
            id="a slot to come",
        ),
        pytest.param(
            {"args": {"text": "x" * 70_000}}, "Skipped Failed ArgsTooLarge", "at most 65536", id="large args"
        ),
        pytest.param(
            {"metadata": {"labels": {"velero.io/restore-name": "x"}}},
            "Skipped Failed Restored",
            "came back from a backup",
            id="restored",
        ),
    ],
)
def test_a_refusal_says_why(sundial: Sundial, spec: JsonObject, expected: str, words: str) -> None:
    sundial.apply(build_scheduled_job("refused", YEARLY))
    sundial.until_ready("refused", "Scheduled")
    status = until_told(sundial, ask(sundial, "refused", **dict(spec)), expected)
    assert words in status["message"]
    assert not sundial.jobs("refused")


def test_at_the_limit_only_who_ignores_it_starts(sundial: Sundial) -> None:
    sundial.apply(build_scheduled_job("busy", YEARLY, **LASTS))
    sundial.until_ready("busy", "Scheduled")
    until_told(sundial, ask(sundial, "busy"), "Started")
    until_told(sundial, ask(sundial, "busy"), "Skipped Failed AlreadyActive")
    until_told(sundial, ask(sundial, "busy", ignoreConcurrency=True), "Started")
    assert len(sundial.jobs("busy")) == 2


def test_deleting_one_does_not_end_its_run(sundial: Sundial) -> None:
    sundial.apply(build_scheduled_job("deleted-run", YEARLY, **LASTS))
    sundial.until_ready("deleted-run", "Scheduled")
    name = ask(sundial, "deleted-run")
    until_told(sundial, name, "Started")
    sundial.cluster.kubectl("delete", "-n", sundial.ns, "sjr", name)
    until_told(sundial, ask(sundial, "deleted-run"), "Skipped Failed AlreadyActive")
    (entry,) = sundial.status("deleted-run")["active"]
    assert (entry["trigger"], entry["job"]) == (
        "manual",
        sundial.jobs("deleted-run")[0]["metadata"]["name"],
    )


def test_it_waits_for_its_schedule_and_fails_with_it(sundial: Sundial) -> None:
    name = ask(sundial, "parent")
    assert "waits for it until" in until_told(sundial, name, "NotFound")["message"]
    sundial.apply(build_scheduled_job("parent", YEARLY, **LASTS))
    until_told(sundial, name, "Started")
    sundial.cluster.kubectl("delete", "-n", sundial.ns, "sj", "parent")
    until_told(sundial, name, "Started Failed ParentDeleted")
    sundial.apply(build_scheduled_job("parent", YEARLY))
    until_told(sundial, ask(sundial, "parent"), "Started Succeeded")
    assert tell(sundial, name) == "Started Failed ParentDeleted"


def test_a_job_that_somebody_deletes_ends_the_run(sundial: Sundial) -> None:
    sundial.apply(build_scheduled_job("job-deleted", YEARLY, **LASTS))
    sundial.until_ready("job-deleted", "Scheduled")
    name = ask(sundial, "job-deleted")
    job = until_told(sundial, name, "Started")["jobName"]
    sundial.cluster.kubectl("delete", "-n", sundial.ns, "job", job)
    until_told(sundial, name, "Started Cancelled JobDeleted")
    assert not sundial.jobs("job-deleted")


def test_one_with_a_time_to_live_goes_and_one_of_argo_stays(sundial: Sundial) -> None:
    sundial.apply(build_scheduled_job("mortal", YEARLY, concurrency={"policy": "Allow"}))
    sundial.until_ready("mortal", "Scheduled")
    marks = {"annotations": {"argocd.argoproj.io/tracking-id": "app:sundial.dev/ScheduledJobRun:x/y"}}
    kept = ask(sundial, "mortal", ttlSecondsAfterFinished=1, metadata=marks)
    until_told(sundial, kept, "Started Succeeded")
    gone = ask(sundial, "mortal", ttlSecondsAfterFinished=1)
    until(lambda: gone not in _list(sundial))
    assert kept in _list(sundial)


def _list(sundial: Sundial) -> list[str]:
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{sundial.ns}/scheduledjobruns"
    return [item["metadata"]["name"] for item in sundial.cluster.get_json(path)["items"]]


def test_history_keeps_the_jobs_of_the_newest_runs(sundial: Sundial) -> None:
    history = {"successful": 1, "failed": 0}
    sundial.apply(build_scheduled_job("kept", YEARLY, history=history, concurrency={"policy": "Allow"}))
    sundial.until_ready("kept", "Scheduled")
    names = [ask(sundial, "kept") for _ in range(3)]
    for name in names:
        until_told(sundial, name, "Started Succeeded")
    until(lambda: len(sundial.jobs("kept")) == 1)
    assert [tell(sundial, name) for name in names] == ["Started Succeeded"] * 3


def test_the_examples_run_now(sundial: Sundial) -> None:
    for file in ("task-function.yaml", "via-task-function.yaml", "run-now.yaml"):
        sundial.apply(yaml.safe_load((EXAMPLES / file).read_text()))
    until_told(sundial, "clean-up-now", "Started Succeeded")
    (job,) = sundial.jobs("via-task-function")
    assert environment(job)["SUNDIAL_ARGS"] == '{"days":7}'


def test_an_operator_that_is_killed_starts_each_one_once(start_operator: Starter) -> None:
    sundial = start_operator(SUNDIAL_TOMBSTONE_SECONDS="3600")
    sundial.apply(build_scheduled_job("killed", YEARLY, concurrency={"policy": "Allow"}))
    sundial.until_ready("killed", "Scheduled")
    names = []
    for count in range(1, 5):
        names.append(ask(sundial, "killed"))
        until(lambda wanted=count: len(sundial.jobs("killed")) == wanted)  # its status may not be stored
        sundial.end(signal.SIGKILL)
        sundial.start()
    for name in names:
        until_told(sundial, name, "Started Succeeded")
    runs = {job["metadata"]["labels"]["sundial.dev/run"] for job in sundial.jobs("killed")}
    assert runs == {read(sundial, name)["metadata"]["uid"] for name in names}
    assert len(sundial.jobs("killed")) == len(names)


def test_under_queue_one_waits_and_another_is_cancelled_by_deleting_it(sundial: Sundial) -> None:
    rule = {"policy": "Queue", "maxQueued": 2}
    sundial.apply(build_scheduled_job("queue", YEARLY, concurrency=rule, **LASTS))
    sundial.until_ready("queue", "Scheduled")
    first = ask(sundial, "queue")
    job = until_told(sundial, first, "Started")["jobName"]
    cancelled, next_one = ask(sundial, "queue"), ask(sundial, "queue")
    until_told(sundial, next_one, "Queued")
    until_told(sundial, ask(sundial, "queue"), "Skipped Failed QueueFull")
    sundial.cluster.kubectl("delete", "-n", sundial.ns, "sjr", cancelled)
    sundial.cluster.kubectl("annotate", "-n", sundial.ns, "job", job, "sundial.dev/cancel=true")
    until_told(sundial, first, "Started Cancelled Cancelled")
    until_told(sundial, next_one, "Started")
    assert len(sundial.jobs("queue")) == 2


def test_under_replace_one_ends_the_oldest_run(sundial: Sundial) -> None:
    sundial.apply(build_scheduled_job("replace", YEARLY, concurrency={"policy": "Replace"}, **LASTS))
    sundial.until_ready("replace", "Scheduled")
    first = ask(sundial, "replace")
    until_told(sundial, first, "Started")
    second = ask(sundial, "replace")
    until_told(sundial, second, "Started")
    until_told(sundial, first, "Started Cancelled Replaced")
    assert len(sundial.jobs("replace")) == 2


def test_what_a_quota_refuses_for_now_is_told_at_once(sundial: Sundial) -> None:
    sundial.cluster.kubectl("create", "quota", "none", "-n", sundial.ns, "--hard=count/jobs.batch=0")
    try:
        soon = (datetime.now(UTC) + timedelta(seconds=3)).replace(microsecond=0)
        sundial.apply(build_scheduled_job("once", {"at": soon.isoformat()}))
        sundial.apply(build_scheduled_job("refused", YEARLY))
        name = ask(sundial, "refused")
        status = until(lambda: read(sundial, name).get("status"))
        conditions = {one["type"]: one for one in status["conditions"]}
        assert conditions["Started"]["reason"] == "CreateFailed"
        assert "exceeded quota: none" in conditions["Started"]["message"]
        until(lambda: sundial.condition("once", "Progressing").get("reason") == "CreateFailed")
        assert "exceeded quota: none" in sundial.condition("once", "Progressing")["message"]
    finally:
        sundial.cluster.kubectl("delete", "quota", "none", "-n", sundial.ns)
    until(lambda: read(sundial, name)["status"].get("verdict") == "Started")
    until(lambda: len(sundial.jobs("once")) == 1)
