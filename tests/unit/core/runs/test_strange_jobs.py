"""Jobs that are not what they say: copies of ours, and ours with marks that somebody has changed."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import (
    at,
    build_job_item,
    build_scheduled_job,
    build_spec,
    list_starts,
    look,
    read_verdicts,
)
from testkit.simulation.cluster import Cluster
from testkit.simulation.process import Process

from sundial_core.resources import names
from sundial_core.runs.jobs import parse_job

ENDED_WELL = ["10 Started Succeeded", "20 Started Succeeded", "30 Started Succeeded"]


def begin(policy: str = "Forbid", **fields: Any) -> tuple[Cluster, Process]:
    """Let the slot at 10 start; its Job takes three seconds."""
    cluster = Cluster(build_spec(concurrency={"policy": policy, "maxInstances": 1}, **fields))
    process = Process(cluster)
    process.pass_time(11)
    assert len(cluster.jobs) == 1
    return cluster, process


def read(cluster: Cluster) -> list[str]:
    return read_verdicts(cluster.item["status"])


def find_doubt(cluster: Cluster) -> tuple[str, str] | None:
    """Find the reason and the message of the condition that says that Jobs are not what they say."""
    conditions = cluster.item["status"]["conditions"]
    found = [one for one in conditions if one["type"] == "JobsRecognized"]
    return (found[0]["reason"], found[0]["message"]) if found else None


@pytest.mark.parametrize("place", ["template", "metadata"])
@pytest.mark.parametrize(
    ("mark", "value"),
    [(names.RUN, "other"), (names.TRIGGER, "manual"), (names.ATTEMPT, "7"), (names.ATTEMPT, "seven")],
)
def test_the_name_tells_which_of_two_marks_is_right(place: str, mark: str, value: str) -> None:
    item = build_job_item(10)
    template = {name: dict(item["metadata"][name]) for name in ("labels", "annotations")}
    item["spec"] = item.get("spec", {}) | {"template": {"metadata": template}}
    right = parse_job(item)
    where = template if place == "template" else item["metadata"]
    where["labels" if mark in (names.RUN, names.TRIGGER) else "annotations"][mark] = value
    job = parse_job(item)
    assert (job.run_id, job.trigger, job.attempt) == (right.run_id, right.trigger, 1)
    assert (job.named_for, job.changed) == ("tick", (mark,))


COPIES = {
    "in another namespace": {"namespace": "elsewhere"},
    "under another name": {"name": "tick-by-hand"},
    "under another name, with an attempt's hash": {"name": "tock-zkxb2h6ibh"},
}


@pytest.mark.parametrize("changes", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("when", ["running", "ended"])
@pytest.mark.parametrize("policy", ["Forbid", "Replace"])
def test_a_copy_of_a_job_counts_for_nothing(changes: dict[str, str], when: str, policy: str) -> None:
    cluster, process = begin(policy)
    process.pass_time(0 if when == "running" else 5)
    cluster.copy_job(**changes)
    process.pass_time(24 if when == "running" else 19)
    assert read(cluster) == ENDED_WELL
    assert cluster.item["status"]["activeCount"] == 0
    process.restart()
    process.pass_time(10)
    assert read(cluster) == [*ENDED_WELL, "40 Started Succeeded"]
    cluster.copies.clear()
    process.pass_time(1)
    assert read(cluster) == [*ENDED_WELL, "40 Started Succeeded"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"namespace": "elsewhere"}, None, id="another namespace must not write here"),
        pytest.param(
            {"name": "copy"},
            ("JobNotOurs", "not taken for runs of this schedule (delete or rename them): copy"),
            id="by name",
        ),
    ],
)
def test_a_copy_is_shown_as_long_as_it_is_there(
    changes: dict[str, str], expected: tuple[str, str] | None
) -> None:
    cluster, process = begin()
    cluster.copy_job(**changes)
    process.pass_time(5)
    assert find_doubt(cluster) == expected
    cluster.copies.clear()
    process.pass_time(5)
    assert find_doubt(cluster) is None


CHANGES = {
    "no attempt": (names.ATTEMPT, None),
    "attempt one": (names.ATTEMPT, "one"),
    "another attempt": (names.ATTEMPT, "7"),
    "a huge attempt": (names.ATTEMPT, "9" * 400),
    "no run": (names.RUN, None),
    "another run": (names.RUN, "5b1f6d2e-0000-4000-8000-000000000000"),
    "no trigger": (names.TRIGGER, None),
    "another trigger": (names.TRIGGER, "manual"),
    "no slot": (names.SCHEDULED_FOR, None),
    "another slot": (names.SCHEDULED_FOR, "2026-01-01T00:00:20Z"),
    "a slot that is none": (names.SCHEDULED_FOR, "noon"),
    "retries": (names.RETRIES_USED, "abc"),
    "fewer retries": (names.RETRIES_USED, "-5"),
    "disruptions": (names.DISRUPTIONS, "many"),
    "a huge timeout": (names.TIMEOUT, "9" * 30),
    "a negative timeout": (names.TIMEOUT, "-1"),
    "a start timeout": (names.START_TIMEOUT, "9" * 30),
}


@pytest.mark.parametrize(("mark", "value"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("is_new_leader", [False, True], ids=["same leader", "another leader"])
def test_a_changed_mark_changes_nothing_of_the_run(
    mark: str,
    value: str | None,
    is_new_leader: bool,  # noqa: FBT001
) -> None:
    cluster, process = begin()
    cluster.mark(mark, value)
    if is_new_leader:
        process.restart()
    process.pass_time(24)
    assert read(cluster) == ENDED_WELL
    assert find_doubt(cluster) == (
        "MarksChanged",
        "marks were changed, and what was decided before counts (set them back, or delete the Job):"
        f" tick-zkxb2h6ibh ({mark})",
    )
    assert cluster.made.total() == 3


@pytest.mark.parametrize(("mark", "value"), CHANGES.values(), ids=CHANGES)
def test_the_next_attempt_has_the_marks_that_it_should(mark: str, value: str | None) -> None:
    cluster, process = begin(retry={"count": 2, "delaySeconds": 1})
    cluster.job_result = "Failed"
    cluster.jobs["tick-zkxb2h6ibh"]["plan"]["result"] = "Failed"
    cluster.mark(mark, value)
    process.pass_time(5)
    first, second = map(parse_job, list(cluster.jobs.values())[:2])
    assert (second.run_id, second.slot, second.attempt) == (first.run_id, at(10), 2)
    assert (second.retries_used, second.timeout_seconds) == (1, 300)
    assert second.named_for == "tick"
    assert set(second.changed) <= {names.START_TIMEOUT}
    process.pass_time(15)
    assert "10 Started Failed" in read(cluster)


def test_a_job_without_any_annotation_is_read() -> None:
    cluster, process = begin()
    cluster.jobs["tick-zkxb2h6ibh"]["metadata"]["annotations"] = None
    cluster.touch_job("tick-zkxb2h6ibh")
    process.pass_time(24)
    assert read(cluster) == ENDED_WELL


def test_what_was_said_of_a_mark_goes_when_it_is_put_right() -> None:
    cluster, process = begin()
    cluster.mark(names.ATTEMPT, "one")
    process.pass_time(1)
    assert find_doubt(cluster)
    cluster.mark(names.ATTEMPT, "1")
    process.pass_time(5)
    assert find_doubt(cluster) is None


@pytest.mark.parametrize("condition", ["", "Complete", "Failed", "FailureTarget"])
def test_the_end_of_the_calendar_hurts_nothing_else(condition: str) -> None:
    far = "9999-12-31T23:59:59Z"
    item = build_job_item(10, condition)
    item["status"]["startTime"] = far
    for one in item["status"].get("conditions", ()):
        one["lastTransitionTime"] = far
    spec = build_spec(retry={"count": 1, "delaySeconds": 9}, concurrency={"policy": "Allow"})
    decision = look(build_scheduled_job(spec), 20, (parse_job(item),))
    assert list_starts(decision) == [20]
    stored = build_scheduled_job(spec, status=decision.status)
    assert list_starts(look(stored, 30, (parse_job(item),))) == [20, 30]


def test_a_time_to_live_that_we_never_set_is_told() -> None:
    item = build_job_item(10)
    item["spec"] = item.get("spec", {}) | {"ttlSecondsAfterFinished": 0}
    assert parse_job(item).changed == ("ttlSecondsAfterFinished",)
