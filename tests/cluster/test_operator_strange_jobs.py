"""Jobs that are not what they say, on a real control plane: changed marks, copies, suspended Jobs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from testkit.processes.job_copies import copy_job
from testkit.processes.operators import (
    JsonObject,
    Starter,
    Sundial,
    build_scheduled_job,
    build_template,
)

from sundial_devcluster.polling import until

DELAY = "pod-complete.stage.kwok.x-k8s.io/delay"


def apply(
    sundial: Sundial, name: str, takes: str, schedule: JsonObject | None = None, **spec: Any
) -> JsonObject:
    """Apply a schedule of a slot every two seconds, and wait for its first Job."""
    template = build_template(["sleep"], **{DELAY: takes})
    schedule = schedule or {"interval": {"seconds": 2}}
    sundial.apply(build_scheduled_job(name, schedule, template=template, **spec))
    return until(lambda: sundial.jobs(name))[0]


def soon() -> JsonObject:
    return {"at": (datetime.now(UTC) + timedelta(seconds=4)).replace(microsecond=0).isoformat()}


def annotate(sundial: Sundial, job: JsonObject, text: str) -> None:
    sundial.cluster.kubectl(
        "annotate", "-n", sundial.ns, "job", job["metadata"]["name"], "--overwrite", f"sundial.dev/{text}"
    )


def find_doubt(sundial: Sundial, name: str) -> tuple[str, str] | None:
    found = sundial.condition(name, "JobsRecognized")
    return (found["reason"], found["message"]) if found else None


def list_notes(sundial: Sundial, name: str) -> list[str]:
    path = f"/apis/events.k8s.io/v1/namespaces/{sundial.ns}/events"
    events = sundial.cluster.get_json(path)["items"]
    return [one["note"] for one in events if one["regarding"].get("name") == name]


@pytest.mark.parametrize("text", ["attempt=one", "attempt-", "scheduled-for=noon", "retries-used=abc"])
def test_a_changed_mark_is_shown_and_the_schedule_goes_on(sundial: Sundial, text: str) -> None:
    name = f"marked-{abs(hash(text))}"
    first = apply(sundial, name, "4s")
    annotate(sundial, first, text)
    reason, message = until(lambda: find_doubt(sundial, name))
    mark = "sundial.dev/" + text.rstrip("-").split("=")[0]
    assert reason == "MarksChanged"
    assert f"{first['metadata']['name']} ({mark})" in message
    until(lambda: any("MarksChanged" in note for note in list_notes(sundial, name)))
    until(lambda: len(sundial.jobs(name)) >= 2)
    until(lambda: "Succeeded" in [one.get("result") for one in sundial.status(name)["recentSlots"]])
    sundial.patch(name, {"suspend": True})
    until(lambda: sundial.status(name)["activeCount"] == 0)


def test_what_was_said_goes_when_the_mark_is_put_right(sundial: Sundial) -> None:
    job = apply(sundial, "mended", "1h", soon(), timeoutSeconds=3600)
    annotate(sundial, job, "attempt=one")
    until(lambda: find_doubt(sundial, "mended"))
    annotate(sundial, job, "attempt=1")
    until(lambda: find_doubt(sundial, "mended") is None)


def test_a_suspended_job_can_be_ended_and_makes_no_pod(sundial: Sundial) -> None:
    job = apply(sundial, "halted", "1h", soon(), timeoutSeconds=3600)
    name = job["metadata"]["name"]
    until(lambda: sundial.jobs("halted")[0]["status"].get("ready") == 1)
    patch = json.dumps({"spec": {"suspend": True}})
    sundial.cluster.kubectl("patch", "-n", sundial.ns, "job", name, "--type=merge", "-p", patch)
    until(lambda: not sundial.jobs("halted")[0]["status"].get("active"))
    annotate(sundial, job, "cancel=true")
    until(lambda: sundial.status("halted")["recentSlots"][0].get("result") == "Cancelled")
    until(lambda: sundial.status("halted")["activeCount"] == 0)
    made = [note for note in list_notes(sundial, name) if note.startswith("Created pod")]
    assert len(made) == 1


def test_marks_of_a_pod_template_that_are_changed_while_it_is_suspended(sundial: Sundial) -> None:
    job = apply(sundial, "template", "1h", timeoutSeconds=3600)
    name = job["metadata"]["name"]
    change(sundial, name, {"suspend": True})
    marks = {"labels": {"sundial.dev/run": "other"}, "annotations": {"sundial.dev/attempt": "7"}}
    change(sundial, name, {"template": {"metadata": marks}})
    change(sundial, name, {"suspend": False})
    reason, message = until(lambda: find_doubt(sundial, "template"))
    assert reason == "MarksChanged"
    assert name in message
    before = count_skipped(sundial, "template")
    until(lambda: count_skipped(sundial, "template") > before + 1)
    assert [one["job"] for one in sundial.status("template")["active"]] == [name]
    assert len(sundial.jobs("template")) == 1


def count_skipped(sundial: Sundial, name: str) -> int:
    """Read how many slots were skipped because the run went on."""
    return int(sundial.status(name)["counters"]["verdicts"].get("skipped", {}).get("AlreadyActive", 0))


def change(sundial: Sundial, name: str, spec: JsonObject) -> None:
    """Change the spec of a Job."""
    patch = json.dumps({"spec": spec})
    sundial.cluster.kubectl("patch", "job", name, "-n", sundial.ns, "--type=merge", "-p", patch)


def test_a_job_that_lost_its_label_while_nobody_led_holds_no_place(start_operator: Starter) -> None:
    sundial = start_operator()
    job = apply(sundial, "hidden", "1h", timeoutSeconds=3600)
    until(lambda: sundial.status("hidden").get("activeCount") == 1)
    sundial.end()
    label = "sundial.dev/scheduled-job-uid-"
    sundial.cluster.kubectl("label", "-n", sundial.ns, "job", job["metadata"]["name"], label)
    sundial.start()
    until(lambda: len(sundial.jobs("hidden")) >= 2)
    ended = [one for one in sundial.status("hidden")["recentSlots"] if one.get("result")]
    assert [(one["result"], one["reason"]) for one in ended] == [("Cancelled", "JobDeleted")]


def test_a_copy_of_a_job_holds_no_place_and_is_left_alone(sundial: Sundial) -> None:
    job = apply(sundial, "copied", "1h", timeoutSeconds=3600)
    name = job["metadata"]["name"]
    copy_job(sundial, job, sundial.ns, "by-hand")
    assert until(lambda: find_doubt(sundial, "copied")) == (
        "JobNotOurs",
        "not taken for runs of this schedule (delete or rename them): by-hand",
    )
    assert [one["job"] for one in sundial.status("copied")["active"]] == [name]
    annotate(sundial, job, "cancel=true")
    until(lambda: len([one for one in sundial.jobs("copied") if one["metadata"]["name"] != "by-hand"]) >= 2)
    copies = [one for one in sundial.jobs("copied") if one["metadata"]["name"] == "by-hand"]
    assert "sundial.dev/ended" not in copies[0]["metadata"]["annotations"]
