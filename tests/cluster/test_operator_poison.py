"""One bad object hurts only itself: it gets a clear condition, and the others run on time."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from testkit.processes.operators import (
    JsonObject,
    Sundial,
    build_scheduled_job,
    slot_of,
)

from sundial_devcluster.polling import until

POISON: dict[str, tuple[JsonObject, str, str]] = {
    "zone-that-only-the-server-knows": (
        build_scheduled_job("bad", {"cron": "0 9 * * *", "timeZone": "right/Europe/Berlin"}),
        "InvalidSchedule",
        "spec.schedule.timeZone: ",
    ),
    "cron-that-does-not-parse": (
        build_scheduled_job("bad", {"cron": "61 * * * *"}),
        "InvalidSchedule",
        'spec.schedule.cron: the minute field "61" is out of range; write 0 to 59.',
    ),
    "huge-args": (
        build_scheduled_job("bad", {"interval": {"seconds": 1}}, args={"data": "x" * 200_000}),
        "ArgsTooLarge",
        "spec.args: 200011 bytes of JSON; at most 65536 are allowed",
    ),
    "unknown-function": (
        build_scheduled_job("bad", {"interval": {"seconds": 1}}, taskFunctionRef={"name": "nobody"}),
        "TaskFunctionNotFound",
        "spec.taskFunctionRef.name: there is no TaskFunction nobody in this namespace",
    ),
    "day-that-never-comes": (
        build_scheduled_job("bad", {"cron": "0 0 30 2 *"}),
        "NeverFires",
        "spec.schedule names no instant in the ten years after",
    ),
    "instant-in-the-past": (
        build_scheduled_job("bad", {"at": "2020-01-01T00:00:00Z"}),
        "InThePast",
        "spec.schedule.at: 2020-01-01T00:00:00Z passed without a run",
    ),
}


@pytest.mark.parametrize(("manifest", "reason", "message"), POISON.values(), ids=POISON)
def test_a_bad_spec_gets_a_condition_and_no_job(
    sundial: Sundial, manifest: JsonObject, reason: str, message: str
) -> None:
    name = f"bad-{secrets.token_hex(2)}"
    bad = manifest | {"metadata": {"name": name}}
    sundial.cluster.kubectl("create", "-n", sundial.ns, "-f", "-", input=json.dumps(bad))
    sundial.until_ready(name, reason)
    assert sundial.condition(name, "Ready")["message"].startswith(message)
    assert sundial.condition(name, "Ready")["status"] == "False"
    assert not sundial.jobs(name)


def test_poison_changes_nothing_for_the_others(sundial: Sundial) -> None:
    good = {"concurrency": {"policy": "Allow"}, "history": {"successful": 50}}
    sundial.apply(build_scheduled_job("good", {"interval": {"seconds": 1}}, **good))
    for number, (manifest, _, _) in enumerate(POISON.values()):
        bad = manifest | {"metadata": {"name": f"bad-{number}"}}
        sundial.cluster.kubectl("create", "-n", sundial.ns, "-f", "-", input=json.dumps(bad))
    sundial.until_ready("bad-0", "InvalidSchedule")
    before = len(sundial.jobs("good"))
    jobs = until(lambda: (len(sundial.jobs("good")) >= before + 4) and sundial.jobs("good"))
    assert all(_lateness(job) < timedelta(seconds=2) for job in jobs[before:])
    assert sundial.status("good")["counters"]["verdicts"].keys() == {"started"}


def test_a_job_that_the_server_refuses_is_skipped_with_its_words(sundial: Sundial) -> None:
    manifest = build_scheduled_job("refused", {"interval": {"seconds": 1}})
    del manifest["spec"]["template"]["spec"]["template"]["spec"]["containers"][0]["image"]
    sundial.apply(manifest)
    entry = until(lambda: sundial.status("refused").get("recentSlots", [None])[0])
    assert (entry["verdict"], entry["reason"]) == ("Skipped", "Rejected")
    assert "containers[0].image: Required value" in entry["message"]


def test_a_schedule_is_ready_once_its_function_exists(sundial: Sundial) -> None:
    spec = {"taskFunctionRef": {"name": "report"}}
    sundial.apply(build_scheduled_job("user", {"interval": {"seconds": 1}}, **spec))
    sundial.until_ready("user", "TaskFunctionNotFound")
    created = datetime.now(UTC)
    template = build_scheduled_job("x", {})["spec"]["template"]
    sundial.apply(
        {
            "apiVersion": "sundial.dev/v1alpha1",
            "kind": "TaskFunction",
            "metadata": {"name": "report"},
            "spec": {"handler": {"container": {}}, "template": template},
        }
    )
    sundial.until_ready("user", "Scheduled")
    jobs = until(lambda: sundial.jobs("user"))
    assert datetime.fromisoformat(slot_of(jobs[0])) > created - timedelta(seconds=1)


def _lateness(job: JsonObject) -> timedelta:
    """How late a Job was created; creation times are whole seconds."""
    created = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
    return created - datetime.fromisoformat(slot_of(job))


FORGED_RANGE = {
    "from": "1970-01-02T00:00:00Z",
    "to": "8999-01-01T00:00:00Z",
    "count": 7,
    "verdict": "Missed",
    "reason": "TooLate",
}


def test_a_forged_status_holds_nobody_up(sundial: Sundial) -> None:
    """A range of seven thousand years would have to be counted for each Job of its slots."""
    often = {"concurrency": {"policy": "Allow"}, "history": {"successful": 50}}
    for name in ("forged", "honest"):
        sundial.apply(build_scheduled_job(name, {"cron": "*/2 * * * * *"}, **often))
    until(lambda: len(sundial.jobs("forged")) >= 5)
    status = json.dumps({"status": {"recentSlots": [FORGED_RANGE]}})
    sundial.cluster.kubectl(
        "patch", "sj", "forged", "-n", sundial.ns, "--subresource=status", "--type=merge", "-p", status
    )
    before = len(sundial.jobs("honest"))
    jobs = until(lambda: (len(sundial.jobs("honest")) >= before + 4) and sundial.jobs("honest"))
    assert all(_lateness(job) < timedelta(seconds=2) for job in jobs[before:])
    until(lambda: FORGED_RANGE not in sundial.status("forged").get("recentSlots", []))


def test_a_job_that_a_status_contradicts_is_not_read_for_ever(sundial: Sundial) -> None:
    sundial.apply(build_scheduled_job("read", {"interval": {"seconds": 2}}, history={"successful": 50}))
    job = until(lambda: sundial.jobs("read"))[0]
    run_id = job["metadata"]["labels"]["sundial.dev/run"]
    entry = {"runId": run_id, "job": job["metadata"]["name"], "slot": slot_of(job), "attempt": 5}
    status = json.dumps({"status": {"active": [entry | {"phase": "Running"}]}})
    sundial.cluster.kubectl(
        "patch", "sj", "read", "-n", sundial.ns, "--subresource=status", "--type=merge", "-p", status
    )
    until(lambda: run_id not in [one["runId"] for one in sundial.status("read").get("active", [])])
    before = len(sundial.jobs("read"))
    until(lambda: len(sundial.jobs("read")) >= before + 2)
