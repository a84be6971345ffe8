"""What becomes of each ScheduledJobRun: whether it starts, what it waits for, why it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from testkit.scheduled_job_runs import (
    MANUAL,
    RUN_UID,
    RUNNING,
    SEEN,
    STARTED,
    ask,
    build_parent,
    build_request,
    complete,
    ended,
    follow,
    name_job,
    tell,
    tell_active,
)
from testkit.scheduled_jobs import (
    LIMITS,
    UID,
    at,
    build_plan,
    list_starts,
    list_verdicts,
    nest,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import decide
from sundial_core.decision.installation import InstallationState
from sundial_core.decision.remembered import Remembered
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources.nesting import MAX_LEVELS
from sundial_core.resources.phases import Verdict
from sundial_core.resources.plans import hash_schedule
from sundial_core.resources.reasons import Reason
from sundial_core.status.verdicts import VerdictRecord

SLOT = format_instant(at(600))
LARGE = {"text": "x" * 70_000}


@pytest.mark.parametrize(
    ("spec", "parent", "expected"),
    [
        pytest.param({}, {}, "starts", id="at once"),
        pytest.param({}, {"suspend": True}, "starts", id="suspended"),
        pytest.param({}, {"paused": "true"}, "starts", id="paused"),
        pytest.param({}, {"schedule": {"at": "2020-01-01T00:00:00Z"}}, "starts", id="no slot left"),
        pytest.param({"scheduledFor": SLOT}, {}, "starts", id="a slot that has passed"),
        pytest.param({"scheduledFor": "2026-01-01T02:10:00+02:00"}, {}, "starts", id="in another zone"),
        pytest.param(
            {"scheduledFor": format_instant(at(601))}, {}, "Skipped Failed InvalidSlot", id="no slot"
        ),
        pytest.param(
            {"scheduledFor": format_instant(at(1200))}, {}, "Skipped Failed InvalidSlot", id="a slot to come"
        ),
        pytest.param({"scheduledFor": "2026-01-01T00:10:00"}, {}, "Skipped Failed InvalidSlot", id="no zone"),
        pytest.param({"scheduledFor": "0001-01-01T00:00:00Z"}, {}, "Skipped Failed InvalidSlot", id="year 1"),
        pytest.param({"scheduledFor": "noon"}, {}, "Skipped Failed InvalidSpec", id="no instant"),
        pytest.param({"args": LARGE}, {}, "Skipped Failed ArgsTooLarge", id="large args"),
        pytest.param({}, {"args": LARGE}, "Skipped Failed ArgsTooLarge", id="large args of the parent"),
        pytest.param(
            {}, {"schedule": {"cron": "99 * * * *"}}, "Skipped Failed InvalidSchedule", id="bad parent"
        ),
        pytest.param({}, {"schedule": {"interval": {"days": 9}}}, "starts", id="before the first slot"),
    ],
)
def test_what_is_asked_for(spec: dict[str, Any], parent: dict[str, Any], expected: str) -> None:
    assert tell(ask(build_request(spec), now=700, job=build_parent(**parent))) == expected


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param(
            {"scheduledFor": format_instant(at(601))},
            "(Every 10 minutes); the nearest are 2026-01-01T00:10:00Z and 2026-01-01T00:20:00Z",
            id="no slot",
        ),
        pytest.param({"scheduledFor": format_instant(at(1200))}, "leave it out to run now", id="to come"),
        pytest.param({"args": LARGE}, "pass large data by a ConfigMap", id="large args"),
        pytest.param({"args": {"a": nest(MAX_LEVELS)}}, "nested more than 64 levels", id="deep args"),
        pytest.param({"scheduledFor": "2026-01-01T00:10:00"}, "end it with Z", id="no zone"),
    ],
)
def test_a_refusal_says_what_to_write_instead(spec: dict[str, Any], words: str) -> None:
    decision = ask(build_request(spec), now=700)
    assert words in decision.run_requests.statuses[RUN_UID]["message"]


@pytest.mark.parametrize(
    ("policy", "spec", "jobs", "expected"),
    [
        pytest.param({}, {}, (RUNNING,), "Skipped Failed AlreadyActive", id="Forbid, no place left"),
        pytest.param({}, {}, (ended(run_id="other"),), "starts", id="Forbid, the other has ended"),
        pytest.param({"maxInstances": 2}, {}, (RUNNING,), "starts", id="Forbid, a place left"),
        pytest.param({}, {"ignoreConcurrency": True}, (RUNNING,), "starts", id="ignoreConcurrency"),
        pytest.param({"policy": "Allow"}, {}, (RUNNING,), "starts", id="Allow"),
    ],
)
def test_concurrency(policy: dict[str, Any], spec: dict[str, Any], jobs: Any, expected: str) -> None:
    parent = build_parent(concurrency=policy)
    assert tell(ask(build_request(spec), jobs=jobs, job=parent)) == expected


QUEUED = {"scheduledJobUid": UID, "reason": "Queued"}
QUEUE, REPLACE = ({"concurrency": {"policy": policy}} for policy in ("Queue", "Replace"))


@pytest.mark.parametrize(
    ("parent", "status", "jobs", "expected"),
    [
        pytest.param(QUEUE, {}, (), "starts", id="Queue, a place is free"),
        pytest.param(QUEUE, {}, (RUNNING,), "waits Queued", id="Queue, none is free"),
        pytest.param(QUEUE, QUEUED, (RUNNING,), "waits Queued", id="Queue, still none"),
        pytest.param(QUEUE, QUEUED, (), "starts", id="Queue, its turn has come"),
        pytest.param(
            QUEUE | {"suspend": True}, QUEUED, (RUNNING,), "waits Queued", id="suspended while it waits"
        ),
        pytest.param(QUEUE | {"suspend": True}, QUEUED, (), "starts", id="suspended, its turn has come"),
        pytest.param(QUEUE | {"suspend": True}, {}, (RUNNING,), "waits Queued", id="suspended before"),
        pytest.param(
            QUEUE | {"schedule": {"cron": "5 4 * * *"}}, QUEUED, (), "starts", id="edited while it waits"
        ),
        pytest.param({}, QUEUED, (RUNNING,), "waits Queued", id="Forbid since it waits"),
        pytest.param(REPLACE, {}, (), "starts", id="Replace, a place is free"),
        pytest.param(REPLACE, {}, (RUNNING,), "waits Replacing", id="Replace, none is free"),
        pytest.param(REPLACE, QUEUED | {"reason": "Replacing"}, (), "starts", id="Replace, the old is gone"),
    ],
)
def test_waiting(parent: dict[str, Any], status: dict[str, Any], jobs: Any, expected: str) -> None:
    assert tell(ask(build_request(status=status), jobs=jobs, job=build_parent(**parent))) == expected


BROKEN = QUEUE | {"schedule": {"cron": "99 * * * *"}}
WITHOUT_FUNCTION = QUEUE | {"template": None, "taskFunctionRef": {"name": "gone"}}


@pytest.mark.parametrize(
    ("parent", "words"),
    [
        pytest.param(BROKEN, "spec.schedule.cron", id="a spec that is wrong now"),
        pytest.param(WITHOUT_FUNCTION, "TaskFunction gone", id="a TaskFunction that is gone"),
        pytest.param(QUEUE | {"args": LARGE}, "spec.args", id="args that are too large now"),
    ],
)
def test_one_that_waits_keeps_its_place_until_its_schedule_is_mended(
    parent: dict[str, Any], words: str
) -> None:
    request = build_request({"scheduledFor": SLOT}, status=QUEUED)
    decision = ask(request, now=9000, job=build_parent(**parent))
    assert tell(decision) == "waits Queued"
    waiting = follow(request, decision)
    assert words in waiting.status["message"]
    assert tell(ask(waiting, now=9001, job=build_parent(**QUEUE))) == "starts"


def test_a_backfill_that_waits_is_not_judged_by_another_schedule() -> None:
    parent = build_parent(**QUEUE, schedule={"cron": "5 4 * * *"})
    assert tell(ask(build_request({"scheduledFor": SLOT}, status=QUEUED), now=700, job=parent)) == "starts"


def test_a_hold_loses_no_place_in_line() -> None:
    job, request = build_parent(**QUEUE), build_request(status=QUEUED)
    held = InstallationState(starts_held_by="SUNDIAL_HOLD")
    snapshot = Snapshot(job, build_plan(job), (), Remembered(), installation=held, run_requests=(request,))
    assert tell(decide(snapshot, at(13), LIMITS)) == "waits Queued"


def test_one_that_waits_counts_to_the_queue() -> None:
    older, younger = build_request(created=11), build_request(created=12, uid="younger", name="a")
    decision = ask(older, younger, jobs=(RUNNING,), job=build_parent(**QUEUE))
    assert (tell(decision), tell(decision, "younger")) == ("waits Queued", "Skipped Failed QueueFull")
    waiting = follow(older, decision)
    later = ask(waiting, now=600, jobs=(RUNNING,), job=build_parent(**QUEUE))
    assert list_verdicts(later) == ["600 Skipped QueueFull"]


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        pytest.param(599, ("starts", []), id="older than the slot"),
        pytest.param(601, ("waits Queued", [600]), id="younger than the slot"),
    ],
)
def test_what_waits_is_served_by_time(created: float, expected: tuple[str, list[int]]) -> None:
    queue = {"concurrency": {"policy": "Queue", "maxQueued": 2}}
    waiting = {"slot": format_instant(at(600)), "since": format_instant(at(600)), "reason": "AlreadyActive"}
    stored = {"cursor": format_instant(at(600)), "effectiveFrom": format_instant(at(0)), "queued": [waiting]}
    stored["scheduleHash"] = hash_schedule(build_parent().spec)
    request = build_request(created=created, status=QUEUED)
    decision = ask(request, now=602, job=build_parent(status=stored, **queue))
    assert (tell(decision), list_starts(decision)) == expected


def test_under_replace_it_ends_the_oldest_run_and_gives_way_to_a_slot() -> None:
    decision = ask(build_request(), jobs=(RUNNING,), job=build_parent(tell_active(RUNNING), **REPLACE))
    assert [(ending.job.run_id, ending.reason) for ending in decision.endings] == [("other", "Replaced")]
    waiting = follow(build_request(), decision)
    later = ask(waiting, now=600, jobs=(RUNNING,), job=build_parent(tell_active(RUNNING), **REPLACE))
    assert (tell(later), [one.slot for one in later.queued]) == ("Skipped Failed Replaced", [at(600)])


def test_under_replace_one_that_ignores_the_rule_ends_nothing() -> None:
    request = build_request({"ignoreConcurrency": True})
    decision = ask(request, jobs=(RUNNING,), job=build_parent(tell_active(RUNNING), **REPLACE))
    assert (tell(decision), decision.endings) == ("starts", ())


def test_of_two_the_older_takes_the_place() -> None:
    younger = build_request(created=12, uid="younger", name="a")
    decision = ask(younger, build_request(created=11, name="b"))
    assert (tell(decision), tell(decision, "younger")) == ("starts", "Skipped Failed AlreadyActive")


def test_of_the_same_second_they_are_served_by_name() -> None:
    first, second = build_request(uid="first", name="a"), build_request(uid="second", name="b")
    decision = ask(second, first)
    assert (tell(decision, "first"), tell(decision, "second")) == ("starts", "Skipped Failed AlreadyActive")


def test_a_slot_that_is_due_goes_before_and_takes_the_place() -> None:
    decision = ask(build_request(created=600), now=600)
    assert (list_starts(decision), tell(decision)) == ([600], "Skipped Failed AlreadyActive")


@pytest.mark.parametrize(
    ("jobs", "memory", "expected"),
    [
        pytest.param((MANUAL,), Remembered(), [], id="its Job"),
        pytest.param((), Remembered(retrying=frozenset([RUN_UID])), [], id="its create"),
        pytest.param((), Remembered(), [], id="its start"),
        pytest.param((ended(),), Remembered(), [600], id="not when it has ended"),
    ],
)
def test_a_run_that_was_asked_for_holds_a_place(jobs: Any, memory: Remembered, expected: list[int]) -> None:
    status = {} if memory.retrying else STARTED
    assert list_starts(ask(build_request(status=status), now=600, jobs=jobs, memory=memory)) == expected


def test_a_start_says_all_that_the_job_needs() -> None:
    (attempt,) = ask(build_request({"args": {"n": 2}})).run_requests.starts
    assert (attempt.run_id, attempt.trigger, attempt.slot) == (RUN_UID, "manual", None)
    assert (attempt.args, attempt.attempt, attempt.timeout_seconds) == ({"n": 2}, 1, 300)
    assert (attempt.owner.uid, attempt.job_name, attempt.previous_slot) == (UID, name_job(), None)


def test_a_backfill_knows_its_slot_and_the_one_before() -> None:
    (attempt,) = ask(build_request({"scheduledFor": format_instant(at(1200))}), now=1300).run_requests.starts
    assert (attempt.trigger, attempt.slot, attempt.previous_slot) == ("backfill", at(1200), at(600))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, {"n": 1}, id="the parent's"),
        pytest.param({"args": {"n": 2}}, {"n": 2}, id="its own"),
        pytest.param({"args": {}}, {}, id="none of its own"),
    ],
)
def test_args(spec: dict[str, Any], expected: dict[str, Any]) -> None:
    (attempt,) = ask(build_request(spec), job=build_parent(args={"n": 1})).run_requests.starts
    assert attempt.args == expected


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param({}, "set ignoreConcurrency: true", id="by kubectl"),
        pytest.param({"source": "api"}, "set ignoreConcurrency: true", id="by a program"),
        pytest.param({"source": "manual"}, "start it again when a run has ended", id="by a click"),
    ],
)
def test_one_without_a_place_is_told_what_can_be_done(source: dict[str, str], words: str) -> None:
    decision = ask(build_request(source), jobs=(RUNNING,))
    assert words in decision.run_requests.statuses[RUN_UID]["message"]


@pytest.mark.parametrize(
    ("status", "jobs", "expected"),
    [
        pytest.param({}, (MANUAL,), "Started", id="its Job exists"),
        pytest.param({}, (ended(),), "Started Succeeded", id="its Job has ended"),
        pytest.param(STARTED, (MANUAL,), "Started", id="stored as started"),
        pytest.param(STARTED, (ended(),), "Started Succeeded", id="stored as started, ended"),
        pytest.param(
            STARTED,
            (ended("Failed", reason="BackoffLimitExceeded"),),
            "Started Failed BackoffLimitExceeded",
            id="failed",
        ),
        pytest.param(
            STARTED,
            (ended("FailureTarget", reason="DeadlineExceeded"),),
            "Started TimedOut DeadlineExceeded",
            id="timed out",
        ),
        pytest.param(STARTED, (), "-", id="its Job is to be read"),
        pytest.param(complete(STARTED), (), "-", id="complete"),
        pytest.param(complete(STARTED), (MANUAL,), "-", id="complete, a result never changes"),
        pytest.param(complete({"verdict": "Skipped"}), (), "-", id="skipped"),
        pytest.param(complete({"verdict": "Skipped"}), (MANUAL,), "Started", id="skipped, corrected"),
        pytest.param(SEEN, (), "starts", id="seen and not started"),
    ],
)
def test_one_that_started_never_starts_again(status: dict[str, Any], jobs: Any, expected: str) -> None:
    assert tell(ask(build_request(status=status), now=30, jobs=jobs)) == expected


def test_a_job_that_no_store_has_is_to_be_read() -> None:
    decision = ask(build_request(status=STARTED))
    assert [(run.run_id, run.job_name) for run in decision.missing] == [(RUN_UID, name_job())]


@pytest.mark.parametrize("status", [STARTED, SEEN, {}], ids=["started", "seen", "not stored at all"])
def test_the_end_is_taken_from_the_schedule_when_the_jobs_are_gone(status: dict[str, Any]) -> None:
    entry = {"runId": RUN_UID, "verdict": "Started", "trigger": "manual", "startedAt": format_instant(at(12))}
    entry |= {"result": "TimedOut", "reason": "DeadlineExceeded", "completedAt": format_instant(at(19))}
    slots = [{"slot": format_instant(at(600 * n)), "runId": f"{n}", "trigger": "schedule"} for n in range(21)]
    stored = {"recentSlots": [*reversed(slots[1:]), entry], "cursor": format_instant(at(12_000))}
    decision = ask(build_request(status=status), now=12_001, job=build_parent(status=stored))
    assert (tell(decision), decision.missing) == ("Started TimedOut DeadlineExceeded", ())
    assert decision.status is not None
    assert entry in decision.status["recentSlots"]
    assert decision.run_requests.statuses[RUN_UID]["completedAt"] == format_instant(at(19))


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        pytest.param({"labels": {"velero.io/restore-name": "x"}}, "Skipped Failed Restored", id="label"),
        pytest.param(
            {"annotations": {"velero.io/restore-name": "x"}}, "Skipped Failed Restored", id="annotation"
        ),
        pytest.param({"labels": {"velero.io/restore-name": "x"}, "status": SEEN}, "starts", id="with status"),
        pytest.param({"labels": {"velero.io/backup-name": "x"}}, "starts", id="another mark"),
        pytest.param({"is_deleting": True}, "-", id="being deleted"),
        pytest.param({"is_deleting": True, "status": STARTED}, "-", id="being deleted, started"),
    ],
)
def test_what_is_not_started_at_all(how: dict[str, Any], expected: str) -> None:
    assert tell(ask(build_request(**how))) == expected


@pytest.mark.parametrize(
    ("installation", "expected"),
    [
        pytest.param(InstallationState(starts_held_by="SUNDIAL_HOLD"), "waits Held", id="starts are held"),
        pytest.param(InstallationState(skew=timedelta(minutes=2)), "nothing", id="the clock is off"),
        pytest.param(InstallationState(skew=timedelta(seconds=30)), "starts", id="the clock is a little off"),
    ],
)
def test_what_holds_for_the_installation(installation: InstallationState, expected: str) -> None:
    job = build_parent()
    snapshot = Snapshot(
        job, build_plan(job), (), Remembered(), installation=installation, run_requests=(build_request(),)
    )
    decision = decide(snapshot, at(13), LIMITS)
    assert (tell(decision) if decision.run_requests else "nothing") == expected


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        pytest.param(Remembered(retrying=frozenset([RUN_UID])), "-", id="under way"),
        pytest.param(
            Remembered(retrying=frozenset([RUN_UID]), postponed={RUN_UID: "exceeded quota"}),
            "waits CreateFailed",
            id="refused for now",
        ),
        pytest.param(
            Remembered(
                rejected={RUN_UID: VerdictRecord(at(13), at(13), 1, Verdict.SKIPPED, Reason.REJECTED, "no")}
            ),
            "Skipped Failed Rejected",
            id="refused for good",
        ),
    ],
)
def test_while_its_job_is_created(memory: Remembered, expected: str) -> None:
    assert tell(ask(build_request(), memory=memory)) == expected
