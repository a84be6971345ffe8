"""A Job of the name that a slot's Job would have: ours is adopted, anybody else's makes the slot Skipped."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from testkit.processes.operators import JsonObject, Sundial, build_scheduled_job

from sundial_core.resources.names import build_job_name, build_run_id
from sundial_core.resources.phases import Trigger
from sundial_core.runs.manifests import (
    Attempt,
    Creator,
    Owner,
    build_job,
)
from sundial_devcluster.polling import until


def _schedule_once(sundial: Sundial, name: str) -> Attempt:
    """Apply a schedule of one slot, some seconds ahead, and describe the attempt that it will be."""
    slot = (datetime.now(UTC) + timedelta(seconds=6)).replace(microsecond=0)
    sundial.apply(build_scheduled_job(name, {"at": slot.isoformat()}))
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{sundial.ns}/scheduledjobs/{name}"
    uid = sundial.cluster.get_json(path)["metadata"]["uid"]
    owner = Owner(sundial.ns, name, uid, 1)
    return Attempt(owner, build_run_id(uid, slot), Trigger.SCHEDULE, slot, None, 1, None, 300)


def _create(sundial: Sundial, job: JsonObject) -> None:
    sundial.cluster.kubectl("create", "-n", sundial.ns, "-f", "-", input=json.dumps(job))


def test_a_job_of_somebody_else_is_left_alone(sundial: Sundial) -> None:
    attempt = _schedule_once(sundial, "taken")
    name = build_job_name("taken", attempt.run_id, 1)
    pod = {"restartPolicy": "Never", "containers": [{"name": "x", "image": "localhost/box:1"}]}
    _create(
        sundial,
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {"template": {"spec": pod}},
        },
    )
    entry = until(lambda: sundial.status("taken").get("recentSlots", [None])[0])
    assert (entry["verdict"], entry["reason"]) == ("Skipped", "NameTaken")
    assert name in entry["message"]


def test_our_own_job_of_the_slot_is_adopted(sundial: Sundial) -> None:
    attempt = _schedule_once(sundial, "adopted")
    template = build_scheduled_job("adopted", {})["spec"]["template"]
    stranger = Creator("another.installation", "a-process-that-died", 1)
    _create(sundial, build_job(attempt, template, stranger))
    until(lambda: sundial.status("adopted").get("lastResult") == "Succeeded")
    (job,) = sundial.jobs("adopted")
    assert job["metadata"]["labels"]["sundial.dev/installation"] == "another.installation"
    assert sundial.status("adopted")["counters"]["verdicts"] == {"started": 1}
