"""What ends a run early stops its real Pod; what keeps a real Pod from starting is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from testkit.processes.operators import (
    JsonObject,
    Starter,
    Sundial,
    build_scheduled_job,
    build_template,
)

from sundial_devcluster.polling import until


@pytest.fixture
def sundial(start_node_operator: Starter) -> Sundial:
    """Give a running operator on the cluster with the real node."""
    return start_node_operator()


def test_an_image_that_does_not_exist_is_told(sundial: Sundial) -> None:
    template = build_template(["true"])
    template["spec"]["template"]["spec"]["containers"][0]["image"] = "localhost/no-such-image:1"
    at = (datetime.now(UTC) + timedelta(seconds=3)).replace(microsecond=0).isoformat()
    how: JsonObject = {"startTimeoutSeconds": 8, "retry": {"count": 0}}
    sundial.apply(build_scheduled_job("unpulled", {"at": at}, template=template, **how))
    until(lambda: sundial.status("unpulled").get("lastResult") == "Failed")
    entry = sundial.status("unpulled")["recentSlots"][0]
    assert entry["reason"] == "StartFailed"
    assert entry["message"].split(":")[0] in ("ErrImagePull", "ImagePullBackOff")
    assert "no-such-image" in entry["message"]


def test_replace_stops_the_old_pod_before_the_new_one_starts(sundial: Sundial) -> None:
    template = build_template(["sh", "-c", "trap 'sleep 2; exit 1' TERM; while true; do sleep 0.2; done"])
    template["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 10
    sundial.apply(
        build_scheduled_job(
            "replace", {"interval": {"seconds": 12}}, template=template, concurrency={"policy": "Replace"}
        )
    )
    until(lambda: _running(sundial), every=0.1)
    first = _running(sundial)
    seen = {frozenset(first)}
    until(lambda: _note(sundial, seen) and len(set().union(*seen)) >= 3, every=0.1)
    assert all(len(names) <= 1 for names in seen), "two Pods ran at the same time"
    results = [entry["reason"] for entry in sundial.status("replace")["recentSlots"] if "result" in entry]
    assert set(results) == {"Replaced"}


def _note(sundial: Sundial, seen: set[frozenset[str]]) -> bool:
    seen.add(frozenset(_running(sundial)))
    return True


def _running(sundial: Sundial) -> list[str]:
    """List the Pods of which a container runs now."""
    path = f"/api/v1/namespaces/{sundial.ns}/pods?labelSelector=sundial.dev/scheduled-job%3Dreplace"
    return [
        pod["metadata"]["name"]
        for pod in sundial.cluster.get_json(path)["items"]
        if any("running" in c["state"] for c in pod["status"].get("containerStatuses", ()))
    ]
