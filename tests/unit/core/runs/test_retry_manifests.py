"""The Job of a next attempt: that of the attempt before, numbered anew, without what the server added."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from testkit.scheduled_jobs import (
    TEMPLATE,
    UID,
    at,
    build_observed,
)

from sundial_core.resources import names
from sundial_core.resources.phases import Trigger
from sundial_core.runs.manifests import (
    Attempt,
    Creator,
    Owner,
    build_job,
    build_retry_job,
)
from sundial_core.runs.retries import NextAttempt

RUN = names.build_run_id(UID, at(10))
FIRST = Attempt(Owner("team", "tick", UID, 4), RUN, Trigger.SCHEDULE, at(10), at(0), 1, {"n": 1}, 77)
SECOND = replace(FIRST, previous_slot=None, attempt=2, args=None, timeout_seconds=0)
FOLLOWING = NextAttempt(build_observed(10, "Failed"), 2, at(45), retries_used=1, disruptions=0)
NEXT = Creator("sundial-system.another", "process-2", 13)


def build_stored() -> dict[str, Any]:
    """Build the first attempt's Job as the API server returns it after its end."""
    job = build_job(FIRST, TEMPLATE, Creator("sundial-system.sundial", "process-1", 12))
    job["metadata"] |= {"uid": "u", "resourceVersion": "9", "creationTimestamp": "2026-01-01T00:00:10Z"}
    job["metadata"]["annotations"] |= {names.ENDED: "StartTimeout", names.TIMEOUT: "77"}
    job["spec"] |= {
        "activeDeadlineSeconds": 1,
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}},
        "suspend": False,
    }
    job["spec"]["template"]["metadata"]["labels"] |= {
        "controller-uid": "u",
        "batch.kubernetes.io/job-name": "j",
    }
    job["status"] = {"conditions": []}
    return job


def test_only_what_counts_attempts_differs() -> None:
    expected = build_job(FIRST, TEMPLATE, NEXT)
    expected["metadata"]["name"] = SECOND.job_name
    expected["metadata"]["annotations"] |= {names.ATTEMPT: "2", names.RETRIES_USED: "1"}
    expected["spec"]["template"]["metadata"]["annotations"] |= {names.ATTEMPT: "2"}
    for container in expected["spec"]["template"]["spec"]["containers"]:
        entry = next(e for e in container["env"] if e["name"] == "SUNDIAL_ATTEMPT")
        container["env"] = [{**e, "value": "2"} if e is entry else e for e in container["env"]]
    assert build_retry_job(build_stored(), FOLLOWING, SECOND, NEXT) == expected


def test_the_job_before_is_not_changed() -> None:
    stored = build_stored()
    build_retry_job(stored, FOLLOWING, SECOND, NEXT)
    assert stored == build_stored()


def test_what_somebody_has_added_to_the_job_before_is_not_ours_to_repeat() -> None:
    stored = build_stored()
    stored["metadata"]["ownerReferences"].append({"kind": "ConfigMap", "name": "x", "uid": "x"})
    stored["metadata"]["labels"][names.RUN] = "another"
    repeated = build_retry_job(stored, FOLLOWING, SECOND, NEXT)
    assert repeated == build_retry_job(build_stored(), FOLLOWING, SECOND, NEXT)


def test_a_run_without_a_slot_gets_none_by_a_mark() -> None:
    stored, manual = build_stored(), replace(SECOND, trigger=Trigger.MANUAL, slot=None)
    repeated = build_retry_job(stored, FOLLOWING, manual, NEXT)
    for metadata in (repeated["metadata"], repeated["spec"]["template"]["metadata"]):
        assert names.SCHEDULED_FOR not in metadata["annotations"]


def test_a_count_is_written_where_it_is_not_zero() -> None:
    stored = build_stored()
    stored["metadata"]["annotations"] |= {names.RETRIES_USED: "7", names.DISRUPTIONS: "7"}
    disrupted = replace(FOLLOWING, retries_used=0, disruptions=1)
    marks = build_retry_job(stored, disrupted, SECOND, NEXT)["metadata"]["annotations"]
    assert names.RETRIES_USED not in marks
    assert marks[names.DISRUPTIONS] == "1"
