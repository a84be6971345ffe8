"""A slot that has a Job was started, whatever was said of it before."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import (
    at,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
    look,
    read_seconds,
    read_verdicts,
)

from sundial_clock.instants import format_instant
from sundial_clock.schedule import CompiledSchedule
from sundial_core.decision.remembered import Remembered
from sundial_core.resources.phases import Verdict
from sundial_core.resources.plans import Plan
from sundial_core.resources.reasons import Reason
from sundial_core.status.corrections import except_started, without_slot
from sundial_core.status.verdicts import VerdictRecord
from sundial_operator.metrics import Metrics

NONE = {"catchUp": {"policy": "None"}, "concurrency": {"policy": "Allow"}}
LATE = 95


def compile_schedule(seconds: int = 10) -> CompiledSchedule:
    plan = build_plan(build_scheduled_job(build_spec(schedule={"interval": {"seconds": seconds}})))
    assert isinstance(plan, Plan)
    return plan.schedule


def miss() -> dict[str, Any]:
    """Give the status of a schedule that missed the slots 10 to 60; 70 to 90 have started."""
    jobs = tuple(build_observed(slot, "Complete") for slot in (70, 80, 90))
    status = look(build_scheduled_job(build_spec(**NONE), status=reconcile_first()), LATE, jobs).status
    assert status is not None
    assert read_verdicts(status)[0] == "10..60 x6 Missed TooLate"
    return status


def reconcile_first() -> dict[str, Any]:
    status = look(build_scheduled_job(build_spec(**NONE)), 1).status
    assert status is not None
    return status


@pytest.mark.parametrize(
    ("slot", "expected"),
    [
        pytest.param(10, ["10 Started", "20..60 x5 Missed TooLate"], id="the first of a range"),
        pytest.param(
            30,
            ["10..20 x2 Missed TooLate", "30 Started", "40..60 x3 Missed TooLate"],
            id="in the middle",
        ),
        pytest.param(20, ["10 Missed TooLate", "20 Started", "30..60 x4 Missed TooLate"], id="one is left"),
        pytest.param(60, ["10..50 x5 Missed TooLate", "60 Started"], id="the last"),
    ],
)
def test_a_job_that_turns_up_corrects_a_verdict(slot: float, expected: list[str]) -> None:
    job = build_scheduled_job(build_spec(**NONE), status=miss())
    status = look(job, LATE, (build_observed(slot, created=94),), Remembered(decided_until=at(95))).status
    assert read_verdicts(status)[: len(expected)] == expected
    assert status is not None
    assert status["counters"]["verdicts"] == {"started": 4, "missed": {"TooLate": 5}}
    assert [read_seconds(entry["slot"]) for entry in status["active"]] == [slot]


def test_what_was_corrected_is_not_corrected_again() -> None:
    observed = build_observed(30, created=94)
    job = build_scheduled_job(build_spec(**NONE), status=miss())
    first = look(job, LATE, (observed,), Remembered(decided_until=at(95))).status
    job = build_scheduled_job(build_spec(**NONE), status=first)
    again = look(job, LATE, (observed,), Remembered(decided_until=at(95)))
    assert again.status == first


def test_a_run_that_turns_up_is_not_ended_and_its_end_counts() -> None:
    job = build_scheduled_job(build_spec(**NONE), status=miss())
    ended = build_observed(30, "Complete", created=80)
    decision = look(job, LATE, (ended,), Remembered(decided_until=at(95)))
    assert (decision.endings, decision.deletes.jobs) == ((), ())
    assert "30 Started Succeeded" in read_verdicts(decision.status)


def test_a_run_that_turns_up_is_kept_until_the_status_has_it() -> None:
    spec = build_spec(**NONE, history={"successful": 0})
    job = build_scheduled_job(spec, status=miss())
    ended = build_observed(30, "Complete", created=80)
    assert look(job, 5000, (ended,), Remembered(decided_until=at(5000))).deletes.jobs == ()


def test_a_run_that_turns_up_takes_a_place() -> None:
    spec = build_spec(catchUp={"policy": "None"})
    status = look(build_scheduled_job(spec, status=reconcile_first()), 55).status
    job = build_scheduled_job(spec, status=status)
    decision = look(job, 60, (build_observed(10, created=58),), Remembered(decided_until=at(55)))
    assert read_verdicts(decision.status)[-1] == "60 Skipped AlreadyActive"


def test_a_correction_is_counted_in_a_metric() -> None:
    metrics = Metrics()
    job = build_scheduled_job(build_spec(**NONE), status=miss())
    status = look(job, LATE, (build_observed(30),), Remembered(decided_until=at(95))).status
    metrics.count_stored(miss(), status or {})
    assert b"sundial_corrections_total 1.0" in metrics.render()


def missed(first: float, last: float, count: int) -> VerdictRecord:
    return VerdictRecord(at(first), at(last), count, Verdict.MISSED, Reason.TOO_LATE)


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        pytest.param([], [missed(10, 50, 5)], id="none"),
        pytest.param([60], [missed(10, 50, 5)], id="another"),
        pytest.param([30], [missed(10, 20, 2), missed(40, 50, 2)], id="one"),
        pytest.param([10, 50], [missed(20, 40, 3)], id="both ends"),
        pytest.param([10, 20, 30, 40, 50], [], id="all"),
    ],
)
def test_judgements_that_are_not_stored_leave_out_what_started(
    started: list[float], expected: list[VerdictRecord]
) -> None:
    slots = sorted(map(at, started))
    assert list(except_started([missed(10, 50, 5)], slots, compile_schedule())) == expected


@pytest.mark.parametrize(
    "schedule",
    [pytest.param(None, id="no schedule"), pytest.param(compile_schedule(7), id="another schedule")],
)
def test_of_slots_of_another_schedule_only_the_number_goes_down(schedule: CompiledSchedule | None) -> None:
    assert without_slot(at(30), (at(10), at(50), 5), schedule) == [(at(10), at(50), 4)]


def test_a_job_that_is_older_than_what_the_status_tells_is_history() -> None:
    job = build_scheduled_job(build_spec(**NONE), status=miss() | {"recentSlots": []})
    status = look(job, LATE, (build_observed(30, "Complete"),), Remembered(decided_until=at(95))).status
    assert read_verdicts(status) == []
    assert format_instant(at(90)) == (status or {})["cursor"]
