"""The status of a schedule: conditions that say why, numbers that agree, and how soon it is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    at,
    build_observed,
    build_scheduled_job,
    build_spec,
    look,
    read_condition,
    read_seconds,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.remembered import Remembered
from sundial_core.resources.statuses import ScheduledJobStatus
from sundial_core.status.urgency import Urgency, decide_urgency

AT_30 = {"schedule": {"at": "2026-01-01T00:00:30Z"}}
WINDOW = {"schedule": {"interval": {"seconds": 10}, "endsAt": "2026-01-01T00:00:35Z"}}


def see(now: float, *jobs: Any, memory: Remembered | None = None, **state: Any) -> dict[str, Any]:
    """Give the status after a look; `state` is fields of the spec, and marks of the object."""
    names = ("changed", "paused", "generation", "status")
    marks = {name: state.pop(name) for name in names if name in state}
    status = look(build_scheduled_job(build_spec(**state), **marks), now, jobs, memory).status
    assert status is not None
    return status


def slot(seconds: float) -> str:
    return format_instant(at(seconds))


def creating(*slots: float) -> Remembered:
    return Remembered(decided_until=at(max(slots)), creating=frozenset(map(at, slots)))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(see(1), ("True", "Scheduled"), id="slots to come"),
        pytest.param(see(1, suspend=True), ("True", "Scheduled"), id="slots to come, suspended"),
        pytest.param(see(29, **AT_30), ("True", "Scheduled"), id="at, ahead"),
        pytest.param(see(30, **AT_30), ("True", "Completed"), id="at, due now"),
        pytest.param(see(31, memory=creating(30), **AT_30), ("True", "Completed"), id="at, being created"),
        pytest.param(see(31, build_observed(30), **AT_30), ("True", "Completed"), id="at, started"),
        pytest.param(see(31, build_observed(30, "Failed"), **AT_30), ("True", "Completed"), id="at, failed"),
        pytest.param(see(9999, **AT_30), ("True", "Completed"), id="at, missed by an outage"),
        pytest.param(
            see(40, changed=35, generation=2, **AT_30), ("False", "InThePast"), id="at, edited late"
        ),
        pytest.param(see(40, suspend=True, **AT_30), ("False", "InThePast"), id="at, suspended"),
        pytest.param(see(40, paused="true", **AT_30), ("False", "InThePast"), id="at, paused"),
        pytest.param(
            see(5, schedule={"at": "2026-01-01T00:00:00Z"}), ("False", "InThePast"), id="at the very creation"
        ),
        pytest.param(
            see(5, schedule={"at": "2025-12-31T23:00:00Z"}),
            ("False", "InThePast"),
            id="at before the creation",
        ),
        pytest.param(
            see(5, schedule={"at": "2026-01-02T00:00:00Z", "endsAt": "2026-01-01T12:00:00Z"}),
            ("False", "NeverFires"),
            id="at after the end of its window",
        ),
        pytest.param(see(29, **WINDOW), ("True", "Scheduled"), id="a slot left in the window"),
        pytest.param(see(30, **WINDOW), ("True", "Completed"), id="the last slot in the window"),
        pytest.param(see(99, **WINDOW), ("True", "Completed"), id="the window is over"),
        pytest.param(
            see(99, changed=50, generation=2, **WINDOW), ("False", "NeverFires"), id="edited after its end"
        ),
        pytest.param(
            see(31, memory=creating(30), changed=30, generation=2, **WINDOW),
            ("True", "Completed"),
            id="the last slot is being created",
        ),
        pytest.param(see(1, schedule={"cron": "0 0 30 2 *"}), ("False", "NeverFires"), id="30 February"),
        pytest.param(
            see(1, schedule={"cron": "0 0 0 1 1 * 2025"}), ("False", "NeverFires"), id="a year gone by"
        ),
        pytest.param(
            see(1, schedule={"cron": "0 0 0 1 1 * 2037"}), ("False", "NeverFires"), id="11 years ahead"
        ),
        pytest.param(
            see(1, schedule={"cron": "0 0 0 1 1 * 2035"}), ("True", "Scheduled"), id="9 years ahead"
        ),
        pytest.param(see(1, schedule={"cron": "0 0 * * 8"}), ("False", "InvalidSchedule"), id="bad cron"),
        pytest.param(see(1, template=None), ("False", "InvalidSpec"), id="nothing to run"),
    ],
)
def test_ready(status: dict[str, Any], expected: tuple[str, str]) -> None:
    assert read_condition(status, "Ready") == expected


def test_ready_does_not_waver_while_the_last_run_starts() -> None:
    first = see(1, **AT_30)
    due = see(30, status=first, **AT_30)
    created = see(31, build_observed(30), status=due, **AT_30)
    ended = see(40, build_observed(30, "Complete"), status=created, **AT_30)
    assert [read_condition(s, "Ready")[1] for s in (first, due, created, ended)] == [
        "Scheduled",
        *["Completed"] * 3,
    ]


@pytest.mark.parametrize(
    ("resumed", "words"),
    [
        pytest.param({"suspend": True}, "spec.suspend is true", id="suspended"),
        pytest.param(
            {"changed": 60, "generation": 2, "suspend": False}, "2026-01-01T00:01:00Z", id="resumed later"
        ),
    ],
)
def test_an_instant_that_passed_says_why(resumed: dict[str, Any], words: str) -> None:
    status = see(99, status=see(1, suspend=True, **AT_30), **resumed, **AT_30)
    (ready,) = (c for c in status["conditions"] if c["type"] == "Ready")
    assert ready["reason"] == "InThePast"
    assert words in ready["message"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(see(5), ("Unknown", "NoRunYet"), id="none"),
        pytest.param(see(12, build_observed(10)), ("Unknown", "NoRunYet"), id="active"),
        pytest.param(see(16, build_observed(10, "Complete")), ("True", "Succeeded"), id="succeeded"),
        pytest.param(see(16, build_observed(10, "Failed")), ("False", "Failed"), id="failed"),
        pytest.param(
            see(16, build_observed(10, "Failed", reason="DeadlineExceeded")),
            ("False", "TimedOut"),
            id="timed out",
        ),
    ],
)
def test_last_run_succeeded(status: dict[str, Any], expected: tuple[str, str]) -> None:
    assert read_condition(status, "LastRunSucceeded") == expected
    assert read_condition(status, "Ready") == ("True", "Scheduled")


@pytest.mark.parametrize(
    ("condition", "expected", "count"),
    [
        pytest.param("", ("True", "RunsActive"), 1, id="active"),
        pytest.param("FailureTarget", ("True", "RunsActive"), 1, id="its Pods are not gone"),
        pytest.param("Complete", ("False", "Idle"), 0, id="ended"),
    ],
)
def test_progressing(condition: str, expected: tuple[str, str], count: int) -> None:
    status = see(16, build_observed(10, condition))
    assert (read_condition(status, "Progressing"), status["activeCount"]) == (expected, count)
    assert len(status.get("active", [])) == count


@pytest.mark.parametrize(
    ("minutes", "words"),
    [pytest.param((10,), "a run is active", id="one"), pytest.param((10, 12), "runs are active", id="two")],
)
def test_progressing_counts_in_words(minutes: tuple[int, ...], words: str) -> None:
    status = see(16, *(build_observed(minute) for minute in minutes))
    found = next(one for one in status["conditions"] if one["type"] == "Progressing")
    assert found["message"] == words


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(see(5), ("False", "NoneMissed"), id="none"),
        pytest.param(see(9999, catchUp={"policy": "None"}), ("True", "SlotsMissed"), id="missed"),
        pytest.param(see(9999, build_observed(9990)), ("False", "NoneMissed"), id="a start since"),
    ],
)
def test_missed_runs(status: dict[str, Any], expected: tuple[str, str]) -> None:
    creating_now = read_condition(status, "MissedRuns")
    assert creating_now == expected


def test_a_transition_time_moves_only_with_the_status() -> None:
    first = see(1)
    later = see(25, build_observed(10, "Failed"), status=first, suspend=True, changed=24, generation=2)
    moved = {c["type"]: read_seconds(c["lastTransitionTime"]) for c in later["conditions"]}
    assert moved == {"Ready": 1, "Suspended": 25, "Progressing": 1, "LastRunSucceeded": 25, "MissedRuns": 25}
    assert {c["observedGeneration"] for c in later["conditions"]} == {2}


def test_what_comes_next() -> None:
    status = see(12)
    assert [read_seconds(text) for text in status["upcomingRuns"]] == [20, 30, 40, 50, 60]
    assert status["nextRunTime"] == status["upcomingRuns"][0]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param({"suspend": True}, None, id="suspended"),
        pytest.param({"paused": "true"}, None, id="paused"),
        pytest.param({"paused": format_instant(at(35))}, 40, id="paused until later"),
        pytest.param({"template": None}, None, id="a problem"),
        pytest.param({"schedule": {"at": "2026-01-01T00:00:05Z"}}, None, id="completed"),
    ],
)
def test_the_next_run_is_the_next_that_will_start(state: dict[str, Any], expected: float | None) -> None:
    found = see(12, **state).get("nextRunTime")
    assert (read_seconds(found) if found else None) == expected


def test_the_end_of_a_pause_is_shown() -> None:
    until = format_instant(at(35))
    assert see(12, paused=until)["paused"] == {"until": until}
    assert "paused" not in see(36, paused=until)


@pytest.mark.parametrize(
    ("state", "expected", "said"),
    [
        pytest.param({}, {}, "", id="unsigned"),
        pytest.param({"paused_by": "ali"}, {"by": "ali"}, " (ali)", id="by"),
        pytest.param({"paused_reason": "move"}, {"reason": "move"}, " (move)", id="reason"),
        pytest.param(
            {"paused_by": "ali", "paused_reason": "move"},
            {"by": "ali", "reason": "move"},
            " (ali: move)",
            id="both",
        ),
        pytest.param({"paused_by": "x" * 301}, {"by": "x" * 300}, f" ({'x' * 300})", id="trimmed"),
    ],
)
def test_an_open_ended_pause_is_shown_with_who_and_why(
    state: dict[str, Any], expected: dict[str, str], said: str
) -> None:
    status = look(build_scheduled_job(paused="true", **state), 12).status or {}
    assert status["paused"] == expected
    (suspended,) = (c for c in status["conditions"] if c["type"] == "Suspended")
    assert suspended["message"] == f"paused by the annotation sundial.dev/paused{said}"


def test_suspension_hides_a_pause() -> None:
    assert "paused" not in see(12, suspend=True, paused="true")


def test_a_whole_status_fits_the_custom_resource() -> None:
    status = see(9999, build_observed(9980), build_observed(20, "Failed", reason="Error"))
    read = ScheduledJobStatus.model_validate(status)
    assert set(status) <= {field.alias for field in ScheduledJobStatus.model_fields.values()}
    assert (read.observed_generation, read.active_count, read.schedule_text) == (1, 1, "Every 10 seconds")


def test_a_run_that_is_held_behind_another_create_is_not_lost_later() -> None:
    allow = {"concurrency": {"policy": "Allow"}}
    held = see(25, build_observed(20, "Complete", ended=23), memory=creating(10), **allow)
    passed = see(26, build_observed(20, "Complete", ended=23), build_observed(10), status=held, **allow)
    assert passed["counters"]["verdicts"] == {"started": 2}
    assert (passed["lastResult"], passed["activeCount"]) == ("Succeeded", 1)


def test_a_run_that_is_active_behind_another_create_is_counted_and_listed_but_has_no_entry_yet() -> None:
    allow = {"concurrency": {"policy": "Allow"}}
    for stored in ({}, see(25, build_observed(20), memory=creating(10), **allow)):
        held = see(25, build_observed(20), memory=creating(10), status=stored, **allow)
        assert (held["activeCount"], [entry["slot"] for entry in held["active"]]) == (1, [slot(20)])
        assert "recentSlots" not in held
    ended = see(27, build_observed(20, "Complete", ended=26), memory=creating(10), status=held, **allow)
    assert (ended["activeCount"], "counters" in ended) == (0, False)
    passed = see(28, build_observed(20, "Complete", ended=26), build_observed(10), status=ended, **allow)
    assert passed["counters"]["verdicts"] == {"started": 2}


def test_many_active_runs_behind_another_create_are_counted_as_started_once() -> None:
    allow = {"concurrency": {"policy": "Allow"}}
    jobs = [build_observed(seconds) for seconds in range(20, 2070, 10)]
    held = see(2065, *jobs, memory=creating(10), **allow)
    assert (held["activeCount"], len(held["active"]), held["activeOmitted"]) == (205, 200, {"count": 5})
    passed = see(2066, *jobs, build_observed(10), status=held, **allow)
    assert passed["counters"]["verdicts"] == {"started": 206}


def test_a_job_of_a_slot_that_was_decided_long_ago_is_counted_and_listed() -> None:
    stored = see(95, build_observed(90, "Complete", ended=93)) | {"recentSlots": []}
    status = see(95, build_observed(10), status=stored)
    assert (status["activeCount"], [entry["slot"] for entry in status["active"]]) == (1, [slot(10)])


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        pytest.param({}, Urgency.NONE, id="nothing"),
        pytest.param({"observedGeneration": 2}, Urgency.NOW, id="accepted"),
        pytest.param(
            {"conditions": [{"type": "Ready", "status": "False", "reason": "X"}]}, Urgency.NOW, id="ready"
        ),
        pytest.param(
            {"conditions": [{"type": "Suspended", "status": "True", "reason": "X"}]}, Urgency.NOW, id="held"
        ),
        pytest.param(
            {"conditions": [{"type": "MissedRuns", "status": "True", "reason": "X"}]},
            Urgency.SOON,
            id="missed",
        ),
        pytest.param({"paused": {"until": "x"}}, Urgency.NOW, id="paused"),
        pytest.param({"active": [{"phase": "Running"}]}, Urgency.LAZY, id="only a phase"),
        pytest.param(
            {"nextRunTime": "x", "upcomingRuns": ["x"]}, Urgency.LAZY, id="its slot has come, its Job has not"
        ),
        pytest.param(
            {"active": [{"phase": "Pending"}], "cursor": "x"}, Urgency.LAZY, id="a run has just started"
        ),
        pytest.param(
            {"active": [{"phase": "Pending"}], "lastResult": "Failed"}, Urgency.SOON, id="one of two ended"
        ),
        pytest.param({"cursor": "x"}, Urgency.SOON, id="the cursor"),
        pytest.param({"seen": {"fields": {"a": "b"}}}, Urgency.LAZY, id="what a user wrote"),
    ],
)
def test_how_soon_a_status_is_written(new: dict[str, Any], expected: Urgency) -> None:
    old = {"observedGeneration": 1, "conditions": [], "active": [], "seen": {"fields": {}}}
    assert decide_urgency(old, old | new) is expected


def test_a_status_of_an_older_version_is_not_written_for_what_was_seen() -> None:
    old: dict[str, Any] = {"observedGeneration": 1}
    assert decide_urgency(old, old | {"seen": {"fields": {}}}) is Urgency.NONE


def test_an_unrelated_edit_writes_no_status() -> None:
    first = see(1)
    edited = look(build_scheduled_job(status=first, changed=5), 6)
    assert (edited.urgency, edited.status) == (Urgency.NONE, first)


def test_a_create_that_is_refused_for_now_is_shown() -> None:
    memory = replace(creating(30), refusals={at(30): "exceeded quota: q"})
    status = see(31, memory=memory, schedule={"at": "2026-01-01T00:00:30Z"})
    found = next(one for one in status["conditions"] if one["type"] == "Progressing")
    assert (found["status"], found["reason"]) == ("True", "CreateFailed")
    assert found["message"] == (
        "the Job of 2026-01-01T00:00:30Z is refused for now, and tried again: exceeded quota: q"
    )


def test_a_create_that_waits_is_shown() -> None:
    status = see(31, memory=creating(30), schedule={"at": "2026-01-01T00:00:30Z"})
    found = next(one for one in status["conditions"] if one["type"] == "Progressing")
    assert (found["status"], found["reason"]) == ("False", "Idle")
    assert found["message"] == "no run is active; the Job of 2026-01-01T00:00:30Z is being created"
