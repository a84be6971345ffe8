"""What is done about one schedule: slots start, verdicts stand, and nothing is done twice."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    UID,
    at,
    build_item,
    build_observed,
    build_scheduled_job,
    build_spec,
    list_starts,
    list_verdicts,
    look,
    read_verdicts,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import Decision
from sundial_core.decision.remembered import Remembered
from sundial_core.resources import names
from sundial_core.resources.objects import parse_scheduled_job
from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.runs.state import build_lost_run, build_run
from sundial_core.status.urgency import Urgency
from sundial_core.status.verdicts import VerdictRecord

ALLOW = {"concurrency": {"policy": "Allow"}}
TEN = {"interval": {"seconds": 10}}
NONE = {"catchUp": {"policy": "None"}}


def stored(now: float, *jobs: Any, **fields: Any) -> dict[str, Any]:
    """Give the status that is stored after a look at a schedule with these Jobs."""
    status = look(build_scheduled_job(build_spec(**fields)), now, jobs).status
    assert status is not None
    return status


@pytest.mark.parametrize(
    ("schedule", "now", "expected"),
    [
        pytest.param(TEN, 0, [], id="nothing at the creation"),
        pytest.param(TEN, 9.9, [], id="nothing before the first slot"),
        pytest.param(TEN, 10, [10], id="at the slot"),
        pytest.param(TEN, 10.3, [10], id="a moment after the slot"),
        pytest.param(TEN | {"anchor": "2025-12-31T23:59:55Z"}, 6, [5], id="old anchor"),
        pytest.param(
            {"interval": {"seconds": 9}, "anchor": "2026-01-01T00:00:07Z"}, 8, [7], id="anchor is a slot"
        ),
        pytest.param({"cron": "* * * * *"}, 60, [60], id="cron"),
        pytest.param({"cron": "*/20 * * * * *"}, 20, [20], id="cron with seconds"),
        pytest.param({"cron": "0 0 1 1 *"}, 1, [], id="cron at the very creation does not count"),
        pytest.param({"cronFields": {"minute": "*", "second": 30}}, 31, [30], id="cron fields"),
        pytest.param({"at": "2026-01-01T00:00:30Z"}, 30, [30], id="at"),
        pytest.param({"at": "2026-01-01T00:00:00Z"}, 1, [], id="at the creation does not count"),
        pytest.param({"at": "2025-12-31T23:59:59Z"}, 1, [], id="at before the creation"),
        pytest.param({"cron": "5 2 * * *", "timeZone": "Africa/Cairo"}, 301, [300], id="cron in a zone"),
        pytest.param(TEN | {"startsAt": "2026-01-01T00:00:11Z"}, 12, [], id="before startsAt"),
        pytest.param(TEN | {"startsAt": "2026-01-01T00:00:10Z"}, 12, [10], id="at startsAt"),
        pytest.param(TEN | {"endsAt": "2026-01-01T00:00:10Z"}, 12, [10], id="at endsAt"),
        pytest.param(TEN | {"endsAt": "2026-01-01T00:00:09Z"}, 12, [], id="after endsAt"),
    ],
)
def test_slots_start_when_they_are_due(schedule: dict[str, Any], now: float, expected: list[int]) -> None:
    assert list_starts(look(build_scheduled_job(build_spec(schedule=schedule)), now)) == expected


def test_a_start_says_all_that_the_job_needs() -> None:
    spec = build_spec(args={"n": 1}, timeoutSeconds=7)
    status = stored(12, build_observed(10, "Complete", ended=11))
    (attempt,) = look(build_scheduled_job(spec, generation=3, status=status), 20).starts
    assert (attempt.run_id, attempt.attempt) == (names.build_run_id(UID, at(20)), 1)
    assert (attempt.previous_slot, attempt.args, attempt.timeout_seconds) == (at(10), {"n": 1}, 7)
    assert (attempt.owner.ns, attempt.owner.name, attempt.owner.uid, attempt.owner.generation) == (
        *("team", "tick", UID),
        3,
    )


def test_the_first_slot_has_none_before_it() -> None:
    (attempt,) = look(build_scheduled_job(), 10).starts
    assert attempt.previous_slot is None


def test_a_restart_decides_the_same_again() -> None:
    job = build_scheduled_job(status=stored(1))
    assert look(job, 11) == look(job, 11)
    assert [a.job_name for a in look(job, 11).starts] == [a.job_name for a in look(job, 14).starts]


@pytest.mark.parametrize("condition", ["", "Complete", "FailureTarget", "Failed"])
def test_a_slot_with_a_job_is_started_whatever_the_policy_says(condition: str) -> None:
    job = build_scheduled_job(build_spec(**NONE), status=stored(1))
    decision = look(job, 500, (build_observed(10, condition),))
    assert read_verdicts(decision.status)[0].split()[:2] == ["10", "Started"]
    assert "10" not in [line.split()[0] for line in list_verdicts(decision)]


def test_a_job_of_a_later_slot_says_nothing_about_an_earlier_one() -> None:
    job = build_scheduled_job(build_spec(**ALLOW), status=stored(1))
    assert list_starts(look(job, 21, (build_observed(20),))) == [10]


@pytest.mark.parametrize("trigger", ["manual", "backfill"])
def test_a_run_of_another_trigger_makes_no_slot_started(trigger: str) -> None:
    job = build_scheduled_job(build_spec(**ALLOW), status=stored(1))
    assert list_starts(look(job, 11, (build_observed(10, trigger=trigger, run_id="other"),))) == [10]


@pytest.mark.parametrize(
    ("policy", "starts", "verdicts"),
    [
        pytest.param({"policy": "Allow"}, [20], [], id="Allow starts"),
        pytest.param({"policy": "Forbid"}, [], ["20 Skipped AlreadyActive"], id="Forbid skips"),
        pytest.param({"policy": "Forbid", "maxInstances": 2}, [20], [], id="Forbid with a place left"),
    ],
)
def test_an_unanswered_create_counts_as_active(
    policy: dict[str, Any], starts: list[int], verdicts: list[str]
) -> None:
    job = build_scheduled_job(build_spec(concurrency=policy), status=stored(1))
    decision = look(job, 20, memory=Remembered(decided_until=at(10), creating=frozenset({at(10)})))
    assert (list_starts(decision), list_verdicts(decision)) == (starts, verdicts)


def test_an_unanswered_create_holds_the_cursor_and_what_is_behind_it() -> None:
    job = build_scheduled_job(status=stored(1))
    memory = Remembered(decided_until=at(10), creating=frozenset({at(10)}))
    held = look(job, 20, memory=memory)
    assert held.status is not None
    assert (held.status["cursor"], read_verdicts(held.status)) == (format_instant(at(0)), [])
    memory = Remembered(decided_until=at(20), verdicts=held.verdicts)
    passed = look(job, 21, (build_observed(10),), memory)
    assert read_verdicts(passed.status) == ["10 Started", "20 Skipped AlreadyActive"]


def test_a_create_whose_job_is_seen_holds_nothing() -> None:
    memory = Remembered(decided_until=at(10), creating=frozenset({at(10)}))
    decision = look(build_scheduled_job(status=stored(1)), 12, (build_observed(10),), memory)
    assert read_verdicts(decision.status) == ["10 Started"]


def test_a_later_job_does_not_move_a_held_cursor() -> None:
    job = build_scheduled_job(build_spec(**ALLOW), status=stored(1))
    memory = Remembered(decided_until=at(20), creating=frozenset({at(10)}))
    decision = look(job, 25, (build_observed(20),), memory)
    assert decision.status is not None
    assert decision.status["cursor"] == format_instant(at(0))


def test_a_judgement_stands_when_the_place_is_free_again() -> None:
    job = build_scheduled_job(status=stored(11, build_observed(10)))
    first = look(job, 20, (build_observed(10),))
    memory = Remembered(decided_until=first.decided_until, verdicts=first.verdicts)
    again = look(job, 21, (build_observed(10, "Complete", ended=20),), memory)
    assert (list_starts(again), list_verdicts(again)) == ([], [])
    assert read_verdicts(again.status) == ["10 Started Succeeded", "20 Skipped AlreadyActive"]


def test_a_clock_that_steps_back_judges_nothing_again() -> None:
    job = build_scheduled_job(status=stored(11, build_observed(10)))
    memory = Remembered(decided_until=at(20))
    back = look(job, 15, (build_observed(10),), memory)
    assert (list_starts(back), list_verdicts(back), back.decided_until) == ([], [], at(15))


@pytest.mark.parametrize(
    "jobs",
    [(), (build_observed(10),), (build_observed(10, "Complete"),), (build_observed(10, "Failed"),)],
    ids=["fresh", "active", "succeeded", "failed"],
)
def test_nothing_is_written_when_nothing_has_changed(jobs: tuple[Any, ...]) -> None:
    first = look(build_scheduled_job(), 12 if jobs else 2, jobs)
    again = look(build_scheduled_job(status=first.status), 13 if jobs else 3, jobs)
    assert (again.status, again.urgency, again.starts, again.verdicts) == (
        first.status,
        Urgency.NONE,
        (),
        (),
    )


@pytest.mark.parametrize(
    ("before", "after", "result"),
    [
        pytest.param("Complete", "Failed", "Succeeded", id="success stays"),
        pytest.param("FailureTarget", "Complete", "Failed", id="failure stays"),
    ],
)
def test_a_recorded_result_never_changes(before: str, after: str, result: str) -> None:
    status = stored(16, build_observed(10, before))
    changed = look(build_scheduled_job(status=status), 17, (build_observed(10, after),))
    gone = look(build_scheduled_job(status=status), 18)
    assert [read_verdicts(d.status)[0].split()[2] for d in (changed, gone)] == [result, result]
    assert changed.status is not None
    assert changed.status["lastResult"] == result


def test_a_judgement_that_is_stored_is_not_counted_again() -> None:
    skipped = VerdictRecord(at(20), at(20), 1, Verdict.SKIPPED, Reason.ALREADY_ACTIVE)
    jobs = (build_observed(10),)
    status = stored(21, *jobs)
    again = look(build_scheduled_job(status=status), 22, jobs, Remembered(at(21), verdicts=(skipped,)))
    assert (again.status, again.urgency) == (status, Urgency.NONE)


def test_a_run_that_left_the_newest_slots_is_not_counted_again() -> None:
    job = build_observed(10, "Complete")
    status = stored(16, job)
    del status["recentSlots"]
    again = look(build_scheduled_job(status=status), 17, (job,))
    assert (again.status, again.urgency) == (status, Urgency.NONE)


def test_an_active_run_without_a_job_is_read_before_anything_is_concluded() -> None:
    decision = look(build_scheduled_job(status=stored(11, build_observed(10))), 12)
    assert [run.run_id for run in decision.missing] == [names.build_run_id(UID, at(10))]
    assert read_verdicts(decision.status) == ["10 Started"]
    assert list_verdicts(look(build_scheduled_job(status=stored(11, build_observed(10))), 20)) == [
        "20 Skipped AlreadyActive"
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        pytest.param("", "10 Started Cancelled JobDeleted", id="without a result it was cancelled"),
        pytest.param("Complete", "10 Started Succeeded", id="a result that was seen stands"),
    ],
)
def test_a_deleted_job_ends_its_run(condition: str, expected: str) -> None:
    lost = build_lost_run(build_run(build_observed(10, condition), (), at(12)), at(12))
    job = build_scheduled_job(status=stored(11, build_observed(10)))
    decision = look(job, 13, memory=Remembered(decided_until=at(12), lost={lost.run_id: lost}))
    assert read_verdicts(decision.status) == [expected]
    assert (decision.missing, list_starts(decision)) == ((), [])


def test_a_job_deleted_before_it_was_stored_is_not_started_again() -> None:
    lost = build_lost_run(build_run(build_observed(10), (), at(12)), at(12))
    decision = look(build_scheduled_job(status=stored(1)), 13, memory=Remembered(lost={lost.run_id: lost}))
    assert list_starts(decision) == []
    assert read_verdicts(decision.status) == ["10 Started Cancelled JobDeleted"]


def test_a_million_missed_slots_are_one_verdict() -> None:
    fields = {"schedule": {"cron": "* * * * * *"}, "catchUp": {"policy": "None", "graceSeconds": 5}}
    decision = look(build_scheduled_job(build_spec(**fields), status=stored(0, **fields)), 1_000_004)
    assert list_verdicts(decision)[0] == "1..999999 x999999 Missed TooLate"
    assert decision.status is not None
    assert decision.status["counters"]["verdicts"]["missed"] == {"TooLate": 999_999}


def test_a_schedule_that_is_being_deleted_is_left_alone() -> None:
    item = build_item()
    item["metadata"]["deletionTimestamp"] = format_instant(at(5))
    assert look(parse_scheduled_job(item), 10) == Decision()


@pytest.mark.parametrize(
    ("yielding", "now", "starts", "verdicts"),
    [
        pytest.param({at(10)}, 20, [20], ["10 Missed CreateFailed"], id="refused, and a newer slot is due"),
        pytest.param({at(10)}, 15, [], [], id="refused, nothing newer yet"),
        pytest.param(set(), 20, [], ["20 Skipped AlreadyActive"], id="under way"),
    ],
)
def test_a_newer_slot_takes_the_place_of_a_refused_one(
    yielding: set[datetime], now: float, starts: list[int], verdicts: list[str]
) -> None:
    memory = Remembered(at(10), creating=frozenset({at(10)}), yielding=frozenset(yielding))
    decision = look(build_scheduled_job(status=stored(1)), now, memory=memory)
    assert (list_starts(decision), list_verdicts(decision)) == (starts, verdicts)
    assert decision.status is not None
    assert decision.status["cursor"] == format_instant(at(10 if starts else 0))


def test_a_slot_that_is_being_created_is_not_judged_again() -> None:
    decision = look(
        build_scheduled_job(status=stored(1)), 11, memory=Remembered(creating=frozenset({at(10)}))
    )
    assert (list_starts(decision), list_verdicts(decision)) == ([], [])


def test_a_refused_create_whose_job_exists_is_not_given_up() -> None:
    creating = frozenset({at(10)})
    memory = Remembered(at(10), creating=creating, yielding=creating)
    decision = look(build_scheduled_job(status=stored(1)), 20, (build_observed(10),), memory)
    assert list_verdicts(decision) == ["20 Skipped AlreadyActive"]
