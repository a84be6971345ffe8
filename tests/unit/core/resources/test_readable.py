"""Whatever status the CRD accepts, its schedule is decided about, and the status is written anew."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from testkit.odd_statuses import INSTANTS, draw, read_schema
from testkit.scheduled_job_runs import (
    RUN_UID,
    ask,
    build_parent,
    build_request,
)
from testkit.scheduled_jobs import (
    LIMITS,
    UID,
    at,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
    list_starts,
    look,
    read_condition,
)
from testkit.simulation.cluster import merge

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import decide
from sundial_core.decision.schedule_memory import ScheduleMemory
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources import names
from sundial_core.resources.objects import ScheduledJob, parse_task_function
from sundial_core.resources.readable import MAX_ENTRIES, is_instant
from sundial_core.runs.jobs import ObservedJob
from sundial_core.status.patches import build_patch
from sundial_core.status.urgency import Urgency

SCHEMA, RUN_SCHEMA = read_schema("scheduledjobs"), read_schema("scheduledjobruns")
POLICIES = ("Allow", "Forbid", "Replace", "Queue")
JOBS = (build_observed(10), build_observed(20, "Complete"), build_observed(0, "Failed"))
GOOD = look(build_scheduled_job(), 1).status


def see(job: ScheduledJob, memory: ScheduleMemory, jobs: tuple[ObservedJob, ...], now: float) -> None:
    """Look at a schedule as the operator does."""
    plan = build_plan(job)
    memory.adopt_plan((1, "", 0), plan)
    custody = memory.observe(job, jobs)
    decision = decide(Snapshot(job, plan, custody.ours, memory.recall()), at(now), LIMITS)
    memory.remember(job, decision, at(now))


@pytest.mark.parametrize("seed", range(300))
def test_any_status_is_read_and_written_anew(seed: int) -> None:
    dice = random.Random(seed)
    stored = draw(SCHEMA, dice)
    spec = build_spec(concurrency={"policy": dice.choice(POLICIES)}, suspend=True)
    jobs = tuple(dice.sample(JOBS, dice.choice([0, 1, 2])))
    job = build_scheduled_job(spec, status=stored)
    memory = ScheduleMemory(job.uid)
    see(job, memory, jobs, 35)
    patch = memory.build_patch(job)
    if patch is not None:
        job = build_scheduled_job(spec, status=merge(stored, patch["status"]))
    assert not job.unreadable
    see(job, memory, jobs, 36)


@pytest.mark.parametrize("seed", range(100))
def test_any_status_of_a_run_that_was_asked_for_is_read_and_written_anew(seed: int) -> None:
    dice = random.Random(seed)
    stored, job = draw(RUN_SCHEMA, dice), build_parent()
    request = build_request(status=stored)
    snapshot = Snapshot(job, build_plan(job), (), ScheduleMemory(job.uid).recall(), run_requests=(request,))
    answers = decide(snapshot, at(13), LIMITS).run_requests
    assert answers is not None
    if request.unreadable:
        patch = build_patch(request, answers.statuses[request.uid])
        assert build_request(status=merge(stored, patch["status"])).unreadable == {}


BEGUN = {"verdict": "Started", "scheduledJobUid": UID, "jobName": "tick-x", "runId": RUN_UID}


@pytest.mark.parametrize("status", [{}, {"scheduledJobUid": UID}, BEGUN], ids=["new", "seen", "started"])
@pytest.mark.parametrize("instant", sorted(set(INSTANTS)))
def test_any_slot_that_is_asked_for_is_answered(instant: str, status: dict[str, Any]) -> None:
    request = build_request({"scheduledFor": instant}, status=status)
    for now in (13, 700):
        answers = ask(request, now=now).run_requests
        assert answers is not None
        assert answers.statuses or answers.starts or status == BEGUN


@pytest.mark.parametrize("now", [35, 700_000])
@pytest.mark.parametrize("instant", sorted(set(INSTANTS)))
@pytest.mark.parametrize("name", ["startsAt", "endsAt", "anchor", "at"])
def test_any_instant_of_a_schedule_is_judged(name: str, instant: str, now: float) -> None:
    schedule = {} if name == "at" else {"interval": {"seconds": 10}}
    job = build_scheduled_job(build_spec(schedule=schedule | {name: instant}))
    status = decide(
        Snapshot(job, build_plan(job), (), ScheduleMemory(job.uid).recall()), at(now), LIMITS
    ).status
    assert status is None or status["conditions"]


DAY = 86_400
RUN = {"runId": "a", "slot": "2026-01-01T00:00:10Z", "startedAt": "2026-01-01T00:00:10Z"}
ASKED = {"runId": "a", "trigger": "manual", "startedAt": "2026-01-01T00:00:10Z"}
CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "Scheduled",
    "message": "",
    "lastTransitionTime": "2026-01-01T00:00:10Z",
}
QUEUED = {"slot": "2026-01-01T00:00:10Z", "since": "2026-01-01T00:00:10Z", "reason": "AlreadyActive"}
MISSED = {"slot": "2026-01-01T00:00:10Z", "verdict": "Missed"}
RANGE = {"from": "2026-01-01T00:00:10Z", "to": "2026-01-01T00:00:20Z"}
RUN_NAME = names.build_job_name("x", "a", 1)
ACTIVE = RUN | {"job": RUN_NAME}
NO_INSTANT = "2016-12-31T23:59:60Z"


@pytest.mark.parametrize(("name", "entry"), [("active", ACTIVE), ("queued", QUEUED), ("recentSlots", MISSED)])
def test_of_a_list_longer_than_any_that_was_written_the_rest_is_left_out(
    name: str, entry: dict[str, Any]
) -> None:
    most = MAX_ENTRIES[name]
    assert build_scheduled_job(status={name: [entry] * most}).unreadable == {}
    job = build_scheduled_job(status={name: [entry] * (most + 1)})
    assert (len(job.status[name]), len(job.unreadable[name])) == (most, most + 1)


def test_no_slot_has_waited_since_before_its_schedule_was_created() -> None:
    early = QUEUED | {"slot": format_instant(at(-1))}
    job = build_scheduled_job(status={"queued": [early, QUEUED]})
    assert job.status["queued"] == [QUEUED]
    assert job.unreadable["queued"] == [early, QUEUED]


def without(entry: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != name}


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        *[("conditions", CONDITION, without(CONDITION, name)) for name in ("status", "lastTransitionTime")],
        ("conditions", CONDITION, CONDITION | {"lastTransitionTime": NO_INSTANT}),
        *[("active", ACTIVE, without(ACTIVE, name)) for name in ("runId", "slot", "job")],
        ("active", ACTIVE, ACTIVE | {"trigger": "other"}),
        ("active", ACTIVE, ACTIVE | {"slot": NO_INSTANT}),
        ("active", ASKED | {"job": RUN_NAME}, ASKED | {"job": RUN_NAME, "startedAt": NO_INSTANT}),
        ("active", ACTIVE, ACTIVE | {"attempt": 2}),
        ("active", ACTIVE, ACTIVE | {"job": "x"}),
        *[("queued", QUEUED, without(QUEUED, name)) for name in QUEUED],
        ("queued", QUEUED, QUEUED | {"reason": "other"}),
        ("queued", QUEUED, QUEUED | {"since": NO_INSTANT}),
        ("recentSlots", RUN, without(RUN, "slot")),
        ("recentSlots", ASKED, without(ASKED, "startedAt")),
        ("recentSlots", RUN | {"result": "Failed"}, RUN | {"result": "other"}),
        ("recentSlots", MISSED, without(MISSED, "slot")),
        ("recentSlots", MISSED, MISSED | {"verdict": "Started"}),
        ("recentSlots", MISSED, MISSED | {"result": "Failed"}),
        ("recentSlots", MISSED, MISSED | {"slot": NO_INSTANT}),
        *[("recentSlots", RANGE | MISSED, RANGE | {"verdict": "Missed", name: NO_INSTANT}) for name in RANGE],
    ],
)
def test_what_cannot_be_read_is_left_out(name: str, good: dict[str, Any], bad: dict[str, Any]) -> None:
    job = build_scheduled_job(status={name: [good, bad, good]})
    assert (job.status, job.unreadable) == ({name: [good, good]}, {name: [good, bad, good]})


STARTED = {"verdict": "Started", "jobName": "x", "startedAt": "2026-01-01T00:00:10Z"}
RANGES = {"count": 2, "ranges": [RANGE]}


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [
        ("lastRunTime", NO_INSTANT, None),
        ("lastResult", "other", None),
        ("paused", {"until": NO_INSTANT}, None),
        ("seen", {"until": NO_INSTANT, "fields": {}}, None),
        ("activeOmitted", RANGES | {"ranges": [RANGE, {"from": RANGE["from"]}]}, RANGES),
        ("cursor", NO_INSTANT, "9000-01-01T00:00:00Z"),
        ("effectiveFrom", NO_INSTANT, "9000-01-01T00:00:00Z"),
    ],
)
def test_what_is_left_of_a_field(name: str, value: Any, left: Any) -> None:
    job = build_scheduled_job(status={name: value, "activeCount": 3})
    assert job.status == {"activeCount": 3} | ({} if left is None else {name: left})
    assert job.unreadable == {name: value}


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ("1970-01-01T00:00:00Z", True),
        ("1969-12-31T23:59:59Z", False),
        ("9000-01-01T00:00:00Z", True),
        ("9000-01-01T00:00:01Z", False),
        ("2026-01-01T00:00:00", False),
        (NO_INSTANT, False),
    ],
)
def test_instants_that_can_be_counted_from(text: str, is_read: object) -> None:
    assert is_instant(text) is is_read


@pytest.mark.parametrize("name", ["cursor", "effectiveFrom"])
def test_a_cursor_that_cannot_be_read_fires_nothing_of_the_past(name: str) -> None:
    assert GOOD is not None
    job = build_scheduled_job(status=GOOD | {name: NO_INSTANT})
    decision = look(job, 35)
    assert list_starts(decision) == []
    assert read_condition(decision.status, "ClockTrusted") == ("False", "CursorAhead")
    later = replace(job, status=decision.status or {}, unreadable={})
    assert list_starts(look(later, 40)) == [40]


def test_what_cannot_be_read_is_mended_soon() -> None:
    assert GOOD is not None
    job = build_scheduled_job(status=GOOD | {"lastFailureTime": NO_INSTANT})
    decision = look(job, 5)
    assert decision.urgency is Urgency.SOON
    assert decision.status is not None
    assert build_patch(job, decision.status)["status"] == {"lastFailureTime": None}
    assert not decide(
        Snapshot(job, build_plan(job), (), ScheduleMemory(job.uid).recall()), at(10), LIMITS
    ).is_told_later


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (STARTED | {"startedAt": NO_INSTANT}, without(STARTED, "startedAt")),
        (STARTED | {"reason": "other"}, STARTED | {"reason": "other"}),
        ({"reason": "other"}, {}),
        ({"reason": "Queued", "completedAt": NO_INSTANT}, {"reason": "Queued"}),
    ],
)
def test_what_is_left_of_the_status_of_a_run(status: dict[str, Any], expected: dict[str, Any]) -> None:
    assert build_request(status=status).status == expected


def test_a_run_that_started_without_a_word_of_its_job_is_looked_for_by_its_name() -> None:
    request = build_request(status={"verdict": "Started", "scheduledJobUid": UID})
    decision = ask(request)
    assert decision.run_requests is not None
    assert decision.run_requests.starts == ()
    (run,) = decision.missing
    assert (run.job_name, run.started_at) == (
        names.build_job_name("tick", request.uid, 1),
        request.created_at,
    )


def test_what_is_left_of_the_status_of_a_function() -> None:
    metadata = {"uid": "u", "resourceVersion": "1", "namespace": "team", "name": "f", "generation": 1}
    metadata["creationTimestamp"] = "2026-01-01T00:00:00Z"
    status = {"conditions": [CONDITION, without(CONDITION, "status")]}
    function = parse_task_function({"metadata": metadata, "spec": {}, "status": status})
    assert (function.status, function.unreadable) == ({"conditions": [CONDITION]}, status)


def span(first: float, last: float, **fields: Any) -> dict[str, Any]:
    times = {"from": format_instant(at(first)), "to": format_instant(at(last)), "count": 2}
    return times | {"verdict": "Missed", "reason": "TooLate"} | fields


@pytest.mark.parametrize(
    ("entries", "kept"),
    [
        pytest.param([span(30, 40), span(10, 20)], [0, 1], id="as they are written"),
        pytest.param([span(30, 40), span(-9 * DAY, 20)], [0], id="from before the object was"),
        pytest.param([span(30, 200 * 365 * DAY), span(10, 20)], [1], id="to the end of the calendar"),
        pytest.param([span(30, 8 * DAY), span(10, 20)], [0, 1], id="as far as a create holds the cursor"),
        pytest.param([span(10, 90), span(20, 30), span(40, 50)], [1, 2], id="over others"),
        pytest.param([span(10, 20), span(20, 40)], [0], id="with a slot in common"),
        pytest.param([span(30, 20)], [], id="backwards"),
        pytest.param([span(10, 20, slot="2026-01-01T00:00:10Z"), span(10, 20)], [0, 1], id="one slot"),
    ],
)
def test_ranges_that_no_release_writes_are_left_out(entries: list[dict[str, Any]], kept: list[int]) -> None:
    job = build_scheduled_job(status={"cursor": format_instant(at(60)), "recentSlots": entries})
    assert job.status["recentSlots"] == [entries[number] for number in kept]
