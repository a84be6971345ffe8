"""A status that the API server refuses stops its own schedule, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from testkit.processes.operators import (
    JsonObject,
    Sundial,
    build_scheduled_job,
    slot_of,
)

from sundial_core.decision.unstored_limit import MAX_STARTS
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until

TICK = {"interval": {"seconds": 1}}
ALL = {"concurrency": {"policy": "Allow"}, "history": {"successful": 100}, "retry": {"count": 0}}


def build_policy(ns: str, name: str) -> JsonObject:
    """Build what refuses the statuses of one ScheduledJob."""
    policy = f"refuse-status.{ns}.{name}"
    rule = {
        "apiGroups": ["sundial.dev"],
        "apiVersions": ["v1alpha1"],
        "operations": ["UPDATE"],
        "resources": ["scheduledjobs/status"],
    }
    is_it = f"object.metadata.namespace == '{ns}' && object.metadata.name == '{name}'"
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [{"name": "it", "expression": is_it}],
        "validations": [{"expression": "false", "message": "no status for this one"}],
    }
    binding = {"policyName": policy, "validationActions": ["Deny"]}
    kinds = {"ValidatingAdmissionPolicy": spec, "ValidatingAdmissionPolicyBinding": binding}
    items = [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": policy},
            "spec": spec,
        }
        for kind, spec in kinds.items()
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


@pytest.fixture
def refusal(cluster: Cluster, sundial: Sundial) -> Iterator[str]:
    """Give the manifest of a policy that is in force: a ScheduledJob named `refused` gets no status."""
    sundial.apply(build_scheduled_job("refused", TICK, suspend=True, **ALL))
    manifest = json.dumps(build_policy(sundial.ns, "refused"))
    cluster.kubectl("apply", "-f", "-", input=manifest)
    until(lambda: _is_refused(sundial))
    yield manifest
    cluster.kubectl("delete", "--ignore-not-found", "-f", "-", input=manifest)


def _is_refused(sundial: Sundial) -> bool:
    """Have the status written by changing what it is about, until that is refused."""
    sundial.patch("refused", {"description": str(datetime.now().timestamp())})  # noqa: DTZ005
    return "no status for this one" in sundial.log.read_text()


def _lateness(job: JsonObject) -> timedelta:
    """How late a Job was created; creation times are whole seconds."""
    created = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
    return created - datetime.fromisoformat(slot_of(job))


def _is_stopped(sundial: Sundial) -> bool:
    return "sundial_schedules_not_stored 1.0" in sundial.health("/metrics")[1]


def _list_not_stored(sundial: Sundial) -> list[JsonObject]:
    entries = sundial.status("refused").get("recentSlots", [])
    return [entry for entry in entries if entry.get("reason") == "StatusNotStored"]


def test_a_refused_status_stops_its_schedule_and_no_other(sundial: Sundial, refusal: str) -> None:
    sundial.apply(build_scheduled_job("healthy", TICK, **ALL))
    sundial.patch("refused", {"suspend": False})
    until(lambda: _is_stopped(sundial), 180, every=1)
    stopped, before = (
        len(sundial.jobs("refused")),
        sundial.status("healthy")["counters"]["verdicts"]["started"],
    )
    until(lambda: sundial.status("healthy")["counters"]["verdicts"]["started"] > before + 5)
    assert len(sundial.jobs("refused")) == stopped
    assert MAX_STARTS <= stopped <= MAX_STARTS + 2
    assert max(map(_lateness, sundial.jobs("healthy"))) < timedelta(seconds=2)
    assert "StatusNotStored" in sundial.cluster.kubectl("describe", "-n", sundial.ns, "sj", "refused")

    sundial.cluster.kubectl("delete", "-f", "-", input=refusal)
    (missed,) = until(lambda: _list_not_stored(sundial))
    verdicts = sundial.status("refused")["counters"]["verdicts"]
    assert (missed["verdict"], verdicts["missed"]) == ("Missed", {"StatusNotStored": missed["count"]})
    assert "no status for this one" in missed["message"]
    until(lambda: sundial.status("refused")["counters"]["verdicts"]["started"] > stopped + 3)
    assert len(_list_not_stored(sundial)) == 1
    assert not _is_stopped(sundial)
