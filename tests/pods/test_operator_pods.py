"""A ScheduledJob runs real Pods on a real node, on time."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from testkit.processes.operators import (
    JsonObject,
    Starter,
    Sundial,
    build_scheduled_job,
    build_template,
    slot_of,
)

from sundial_devcluster.polling import until

SLOTS = 18
PERIOD = timedelta(seconds=10)
TOMBSTONE_SECONDS = 30
HISTORY = 3


@pytest.fixture(scope="module")
def seen() -> dict[str, JsonObject]:
    """Give a record of every Job that was ever there, by UID."""
    return {}


@pytest.fixture
def sundial(start_node_operator: Starter) -> Sundial:
    """Give a running operator on the cluster with the real node."""
    return start_node_operator(SUNDIAL_TOMBSTONE_SECONDS=str(TOMBSTONE_SECONDS))


@pytest.fixture
def after_three_minutes(sundial: Sundial, seen: dict[str, JsonObject]) -> Sundial:
    """Give an operator that has run a job every ten seconds for three minutes, every Job of it recorded."""
    sundial.apply(
        build_scheduled_job(
            "tick",
            {"interval": {"seconds": 10}},
            template=build_template(["sh", "-c", "echo $SUNDIAL_SCHEDULED_FOR"]),
            history={"successful": HISTORY, "failed": 1},
        )
    )
    until(lambda: _record(sundial, seen) >= SLOTS, SLOTS * 10 + 60, every=0.5)
    sundial.patch("tick", {"suspend": True})
    return sundial


def _record(sundial: Sundial, seen: dict[str, JsonObject]) -> int:
    jobs = sundial.jobs("tick")
    assert len(jobs) <= HISTORY + TOMBSTONE_SECONDS // 10 + 2, "Jobs beyond the history outlive the floor"
    seen.update({job["metadata"]["uid"]: job for job in jobs})
    return len(seen)


def test_each_slot_is_one_job_on_time_and_the_status_says_so(
    after_three_minutes: Sundial, seen: dict[str, JsonObject]
) -> None:
    until(lambda: len(after_three_minutes.jobs("tick")) == HISTORY)
    slots = sorted(datetime.fromisoformat(slot_of(job)) for job in seen.values())
    assert slots == [slots[0] + PERIOD * n for n in range(len(slots))]
    # Creation times are cut to whole seconds, and so are these slots: equal means less than a second late.
    assert all(job["metadata"]["creationTimestamp"] == slot_of(job) for job in seen.values())
    status = after_three_minutes.status("tick")
    assert status["counters"]["verdicts"] == {"started": len(slots)}
    assert Counter(entry["result"] for entry in status["recentSlots"]) == {"Succeeded": len(slots)}
    assert (status["lastResult"], status["activeCount"]) == ("Succeeded", 0)
    assert [slot_of(job) for job in after_three_minutes.jobs("tick")] == [
        entry["slot"] for entry in status["recentSlots"][HISTORY - 1 :: -1]
    ]


def test_a_pod_sees_its_run(sundial: Sundial) -> None:
    command = ["sh", "-c", 'echo "$SUNDIAL_TRIGGER $SUNDIAL_ATTEMPT $SUNDIAL_SCHEDULED_FOR $SUNDIAL_ARGS"']
    job = build_scheduled_job("see", _soon(), template=build_template(command), args={"x": "$(PASSWORD) $$"})
    sundial.apply(job)
    until(lambda: sundial.status("see").get("lastResult") == "Succeeded")
    slot = sundial.status("see")["lastScheduleTime"]
    printed = sundial.cluster.kubectl("logs", "-n", sundial.ns, "-l", "sundial.dev/scheduled-job=see")
    assert printed.strip() == f'schedule 1 {slot} {{"x":"$(PASSWORD) $$"}}'


def test_a_failing_container_is_told_by_its_exit_code(sundial: Sundial) -> None:
    template = build_template(["sh", "-c", "exit 3"])
    sundial.apply(build_scheduled_job("fail", _soon(), template=template, retry={"count": 0}))
    until(lambda: sundial.status("fail").get("lastResult") == "Failed")
    entry = sundial.status("fail")["recentSlots"][0]
    assert (entry["reason"], entry["message"]) == ("Error", "container main exited with code 3")
    assert sundial.status("fail")["consecutiveFailures"] == 1


def test_a_slow_container_is_ended_at_its_timeout(sundial: Sundial) -> None:
    template = build_template(["sleep", "600"])
    template["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1
    spec = {"template": template, "timeoutSeconds": 3, "retry": {"count": 0}}
    sundial.apply(build_scheduled_job("slow", _soon(), **spec))
    until(lambda: sundial.status("slow").get("lastResult") == "TimedOut")
    until(lambda: sundial.status("slow")["activeCount"] == 0)


def _soon() -> JsonObject:
    return {"at": (datetime.now(UTC) + timedelta(seconds=3)).replace(microsecond=0).isoformat()}
