"""Which Jobs are taken for runs of a schedule, by the store, by adoption, and by whoever reads one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from testkit.scheduled_job_runs import (
    MANUAL,
    RUN_UID,
    STARTED,
    ask,
    build_request,
    build_run_marks,
)
from testkit.scheduled_jobs import (
    LIMITS,
    UID,
    at,
    build_job_item,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
    look,
)
from testkit.simulation.cluster import Cluster
from testkit.simulation.process import Process

from sundial_core.decision.decide import decide
from sundial_core.decision.installation import InstallationState
from sundial_core.decision.job_creation import (
    Answered,
    Created,
    Denied,
    PendingCreate,
    Unanswered,
    is_same_attempt,
)
from sundial_core.decision.remembered import Remembered
from sundial_core.decision.schedule_memory import Finding, ScheduleMemory
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources import names
from sundial_core.runs.custody import is_for, is_ours
from sundial_core.runs.jobs import ObservedJob, parse_job
from sundial_core.runs.manifests import Creator
from sundial_core.runs.state import build_run
from sundial_core.status.omitted import list_manual_run_ids

OTHER = "5b1f6d2e-0000-4000-8000-000000000000"
PARENT = build_scheduled_job()
NOT_FOUND = Denied(404, "NotFound", "not found")


def build_item(path: str = "", value: Any = None, **how: Any) -> dict[str, Any]:
    """Build the JSON of the Job of the slot at 10, with something of it changed."""
    item: dict[str, Any] = build_job_item(how.pop("slot", 10), **how)
    parent = item["metadata"]
    *parents, last = path.split() if path else ["name"]
    for name in parents:
        parent = parent[name]
    if path:
        parent[last] = value
    return item


STRANGE = {
    "another namespace": build_item("namespace", "elsewhere"),
    "another name": build_item("name", "copy"),
    "the name of another schedule": build_item("name", "tock-zkxb2h6ibh"),
    "the name of another attempt": build_item(f"annotations {names.ATTEMPT}", "2"),
    "the name of another run": build_item(f"labels {names.RUN}", names.build_run_id(UID, at(20))),
    "the run of another slot": build_item(f"annotations {names.SCHEDULED_FOR}", "2026-01-01T00:00:20Z"),
    "a slot's run without the slot": build_item(f"annotations {names.SCHEDULED_FOR}", ""),
    "the run of nobody's slot": build_item(slot=10, run_id=OTHER),
    "another controller": build_item("ownerReferences", [{"controller": True, "uid": OTHER}]),
    "a controller whose UID is none": build_item("ownerReferences", [{"controller": True, "uid": "x"}]),
    "no controller": build_item("ownerReferences", [{"uid": UID}]),
    "no owner": build_item("ownerReferences", None),
    "no labels": build_item("labels", None),
    "no run": build_item(f"labels {names.RUN}", ""),
    "no annotations": build_item("annotations", None),
    "attempt 0": build_item(attempt=0),
    "attempt 101": build_item(attempt=101),
    "attempt one": build_item(f"annotations {names.ATTEMPT}", "one"),
    "a trigger that is none": build_item(f"labels {names.TRIGGER}", "rubbish"),
}


@pytest.mark.parametrize("item", STRANGE.values(), ids=STRANGE)
def test_a_job_is_not_ours_when_anything_is_another_s(item: dict[str, Any]) -> None:
    assert is_ours(build_observed(10), PARENT, ())
    assert not is_ours(parse_job(item), PARENT, ())
    attempt = look(PARENT, 10).starts[0]
    assert is_same_attempt(build_job_item(10), attempt)
    assert not is_same_attempt(item, attempt)


@pytest.mark.parametrize("name", ["a", "a" * 52, "a" * 253], ids=len)
def test_a_name_may_be_of_any_length(name: str) -> None:
    item = build_item("name", names.build_job_name(name, names.build_run_id(UID, at(10)), 1))
    assert parse_job(item).named_for == name


def test_a_job_of_a_schedule_of_the_same_name_before_is_not_ours() -> None:
    before = replace(PARENT, uid=OTHER)
    assert is_ours(MANUAL, PARENT, {RUN_UID})
    assert not is_ours(MANUAL, before, {RUN_UID})


def entry(**fields: Any) -> dict[str, Any]:
    return {"runId": RUN_UID, "trigger": "manual", "job": MANUAL.name} | fields


def list_ended(count: int) -> list[dict[str, Any]]:
    return [entry(runId=f"other-{number}", result="Failed") for number in range(count)]


@pytest.mark.parametrize(
    ("status", "requests", "counts"),
    [
        pytest.param({}, [], False, id="nobody asked"),
        pytest.param({}, [build_request()], True, id="a ScheduledJobRun"),
        pytest.param({}, [build_request(status=STARTED)], True, id="one that has started"),
        pytest.param({}, [build_request({"scheduledJobName": "tock"})], False, id="one for another"),
        pytest.param(
            {}, [build_request(status={"scheduledJobUid": OTHER})], False, id="one for another of its name"
        ),
        pytest.param({}, [build_request(uid=OTHER)], False, id="another one"),
        pytest.param({"active": [entry()]}, [], True, id="active in the status"),
        pytest.param({"recentSlots": [entry(result="Failed")]}, [], True, id="ended in the status"),
        pytest.param({"active": [entry(runId=OTHER)]}, [], False, id="another one in the status"),
        pytest.param({"active": [entry(trigger="schedule")]}, [], False, id="a slot's run in the status"),
        pytest.param({"active": [], "activeOmitted": {"count": 1}}, [], True, id="a list that was cut short"),
        pytest.param({"recentSlots": list_ended(300)}, [], True, id="no room for another result"),
        pytest.param({"recentSlots": list_ended(299)}, [], False, id="room for one"),
    ],
)
def test_a_run_that_was_asked_for_needs_a_proof(
    status: dict[str, Any],
    requests: list[Any],
    counts: bool,  # noqa: FBT001
) -> None:
    assert is_ours(MANUAL, PARENT, list_manual_run_ids([MANUAL], PARENT, status, requests)) is counts


def test_a_request_in_another_namespace_asks_for_nothing() -> None:
    assert is_for(build_request(), PARENT)
    assert not is_for(build_request(), replace(PARENT, ns="elsewhere"))


def begin_manual() -> tuple[Cluster, Process, str]:
    """Let a person ask for a run of a schedule without slots; its Job takes twenty seconds."""
    cluster = Cluster(build_spec(schedule={"at": "2026-01-01T01:00:00Z"}), job_seconds=20)
    process = Process(cluster)
    process.pass_time(1)
    cluster.requests.create({})
    process.pass_time(5)
    return cluster, process, next(iter(cluster.requests.items))


def read(cluster: Cluster) -> tuple[int, list[str]]:
    """Read how many runs are active, and how those that somebody asked for ended."""
    status = cluster.item["status"]
    return status["activeCount"], [entry.get("result", "-") for entry in status.get("recentSlots", [])]


@pytest.mark.parametrize("is_taken_over", [False, True], ids=["same leader", "another leader"])
def test_deleting_a_request_that_has_started_changes_nothing(is_taken_over: bool) -> None:  # noqa: FBT001
    cluster, process, uid = begin_manual()
    assert read(cluster) == (1, ["-"])
    cluster.requests.delete(uid)
    if is_taken_over:
        process.restart()
    process.pass_time(5)
    assert read(cluster) == (1, ["-"])
    process.pass_time(30)
    assert read(cluster) == (0, ["Succeeded"])


@pytest.mark.parametrize("mode", ["ok", "land", "land late"])
def test_deleting_it_before_anything_is_stored_ends_its_run(mode: str) -> None:
    cluster = Cluster(build_spec(schedule={"at": "2026-01-01T01:00:00Z"}), job_seconds=90, create_mode=mode)
    process = Process(cluster)
    process.pass_time(1)
    process.status_mode = "lose"
    cluster.requests.create({})
    process.settle()
    cluster.requests.delete(next(iter(cluster.requests.items)))
    process.settle()
    process.pass_time(45)
    process.status_mode = "store"
    process.pass_time(5)
    assert read(cluster) == (0, ["Cancelled"])


def test_of_a_deleted_request_of_which_nothing_was_stored_a_new_leader_takes_no_job() -> None:
    cluster = Cluster(build_spec(schedule={"at": "2026-01-01T01:00:00Z"}), job_seconds=20)
    process = Process(cluster)
    process.pass_time(1)
    process.status_mode = "lose"
    cluster.requests.create({})
    process.settle()
    cluster.requests.delete(next(iter(cluster.requests.items)))
    process.restart()
    process.status_mode = "store"
    process.pass_time(30)
    assert read(cluster) == (0, [])
    (name,) = cluster.jobs
    (found,) = [one for one in cluster.item["status"]["conditions"] if one["type"] == "JobsRecognized"]
    assert (found["reason"], name in found["message"]) == ("JobNotOurs", True)
    process.pass_time(700)
    assert list(cluster.jobs) == [name]


def test_a_run_whose_job_was_adopted_stays_one_when_its_request_is_deleted() -> None:
    memory, creator = build_memory(), Creator("a.b", "one", 1)
    (create,) = ask_once(memory)
    step = memory.begin(create, creator, InstallationState(), at(13))
    step = memory.take(create, step, Denied(409, "AlreadyExists", ""), creator, at(13))
    item = build_job_item(None, **build_run_marks())
    assert isinstance(memory.take(create, step, Answered(item), creator, at(13)), Created)
    assert memory.observe(PARENT, [MANUAL]).ours == (MANUAL,)


def test_a_job_that_is_heard_of_before_its_create_is_answered_is_ours() -> None:
    memory = build_memory()
    ask_once(memory)
    assert memory.observe(PARENT, [MANUAL]).ours == (MANUAL,)


def test_a_request_that_was_never_sent_proves_nothing_once_it_is_deleted() -> None:
    memory = build_memory()
    ask_once(memory)
    memory.observe(PARENT, ())
    assert memory.observe(PARENT, [MANUAL]).strangers == (MANUAL,)


def ask_once(memory: ScheduleMemory) -> list[PendingCreate]:
    """Let somebody ask for a run, and decide to start it."""
    memory.adopt_plan((1, "", 0), build_plan(PARENT))
    decision = ask(build_request(), job=PARENT, now=5)
    memory.remember(PARENT, decision, at(5))
    return list(memory.creates.values())


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_run_that_only_its_request_remembers_is_read_by_the_name_of_its_job(attempt: int) -> None:
    """Which attempt that is, the request does not say."""
    memory, item = build_memory(), build_job_item(None, **build_run_marks(attempt=attempt))
    request = build_request(status=STARTED | {"jobName": item["metadata"]["name"]})
    (run,) = ask(request, job=PARENT).missing
    assert memory.take_read(run, Answered(item), at(13)) is Finding.THERE


def build_memory() -> ScheduleMemory:
    memory = ScheduleMemory(UID)
    memory.observe(PARENT, ())
    return memory


def hide(item: dict[str, Any]) -> dict[str, Any]:
    """Take off the label by which watches find a Job."""
    del item["metadata"]["labels"][names.SCHEDULED_JOB_UID]
    return item


def gone(job: ObservedJob) -> list[str]:
    """Tell which runs are taken for lost when a Job goes."""
    memory = build_memory()
    memory.lose(job, build_run(job, (), at(12)), at(12))
    return list(memory.lost)


@pytest.mark.parametrize("item", STRANGE.values(), ids=STRANGE)
def test_a_strange_job_that_goes_ends_no_run(item: dict[str, Any]) -> None:
    assert gone(build_observed(10))
    assert not gone(parse_job(item))


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        pytest.param(Answered(build_job_item(10)), Finding.THERE, id="it is there"),
        pytest.param(NOT_FOUND, Finding.GONE, id="it is not there"),
        pytest.param(Answered(hide(build_job_item(10))), Finding.GONE, id="no watch tells of it"),
        pytest.param(Denied(429, "TooManyRequests", ""), Finding.UNKNOWN, id="not now"),
        pytest.param(Unanswered(), Finding.UNKNOWN, id="no answer"),
        pytest.param(Answered({"metadata": {}}), Finding.GONE, id="nothing of it can be read"),
        *[pytest.param(Answered(item), Finding.GONE, id=name) for name, item in STRANGE.items()],
    ],
)
def test_a_job_is_gone_when_its_name_is_another_s(answer: Any, finding: Finding) -> None:
    memory, job = build_memory(), build_observed(10)
    assert memory.take_read(build_run(job, (), at(12)), answer, at(12)) is finding
    assert bool(memory.lost) == (finding is Finding.GONE)


def test_a_strange_job_ends_no_create() -> None:
    memory = build_memory()
    memory.adopt_plan((1, "", 0), build_plan(PARENT))
    memory.remember(PARENT, look(PARENT, 10), at(10))
    memory.observe(PARENT, [parse_job(STRANGE["another name"])])
    assert len(memory.creates) == 1
    memory.observe(PARENT, [build_observed(10)])
    assert not memory.creates


def test_a_strange_job_is_told_and_counts_for_nothing() -> None:
    strange = parse_job(STRANGE["another name"])
    snapshot = Snapshot(PARENT, build_plan(PARENT), (), Remembered(), strangers=(strange,))
    status = decide(snapshot, at(5), LIMITS).status
    assert status is not None
    assert status["activeCount"] == 0
    assert "copy" in status["conditions"][-1]["message"]
