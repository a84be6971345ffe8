"""What is decided under a clock that is off, and of instants that were written under one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    LIMITS,
    at,
    build_observed,
    build_plan,
    build_scheduled_job,
    decide_and_tell,
    list_starts,
    list_verdicts,
    look,
    read_condition,
    read_seconds,
    read_verdicts,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import Decision, decide
from sundial_core.decision.installation import InstallationState, Trust, parse_hold
from sundial_core.decision.remembered import Remembered
from sundial_core.decision.snapshot import Snapshot
from sundial_core.status.urgency import Urgency

KIND = "ClockTrusted"


def see(
    now: float, skew: float = 0, status: Any = None, memory: Remembered | None = None, **how: Any
) -> Decision:
    """Decide `now` seconds after the creation, by a clock that is ahead of the API server's by `skew`."""
    job = build_scheduled_job(status=status, **how)
    installation = InstallationState(skew=timedelta(seconds=skew))
    snapshot = Snapshot(job, build_plan(job), (), memory or Remembered(), installation=installation)
    return decide_and_tell(snapshot, now)


def store(decision: Decision) -> Any:
    assert decision.status is not None
    return decision.status


FIRST = store(see(1))


@pytest.mark.parametrize(
    ("skew", "trust"),
    [
        (0, Trust.IN_STEP),
        (5, Trust.IN_STEP),
        (-5, Trust.IN_STEP),
        (5.5, Trust.SKEWED),
        (-60, Trust.SKEWED),
        (60, Trust.SKEWED),
        (61, Trust.UNTRUSTED),
        (-61, Trust.UNTRUSTED),
    ],
)
def test_how_far_a_clock_is_trusted(skew: float, trust: Trust) -> None:
    assert InstallationState(skew=timedelta(seconds=skew)).trust is trust


def test_a_clock_in_step_is_not_worth_a_word() -> None:
    assert [c for c in FIRST["conditions"] if c["type"] == KIND] == []


@pytest.mark.parametrize(("skew", "said"), [(20, "20 s ahead of"), (-20, "20 s behind")])
def test_a_skewed_clock_is_told_with_the_next_write(skew: float, said: str) -> None:
    alone = see(5, skew, FIRST)
    assert alone.urgency is Urgency.NONE
    after = see(10, skew, FIRST)
    assert (list_starts(after), read_condition(after.status, KIND)) == ([10], ("False", "ClockSkewed"))
    (condition,) = (c for c in store(after)["conditions"] if c["type"] == KIND)
    assert condition["message"] == f"the operator's clock is {said} the API server's"


def test_a_clock_that_is_in_step_again_is_told_with_the_next_write() -> None:
    skewed = store(see(10, 20, FIRST))
    again = see(15, 0, skewed)
    assert read_condition(again.status, KIND) == ("True", "ClockInStep")
    assert again.urgency is Urgency.NONE


@pytest.mark.parametrize("skew", [61, -61, 86400], ids=["ahead", "behind", "a day ahead"])
@pytest.mark.parametrize("state", [{}, {"suspend": True}, {"schedule": {"cron": "* * * * * *"}}])
def test_nothing_is_decided_by_a_clock_that_is_not_trusted(skew: float, state: dict[str, Any]) -> None:
    fields: dict[str, Any] = build_scheduled_job().spec | state
    frozen = see(100 + skew, skew, FIRST, spec=fields, changed=90, generation=2)
    assert (frozen.starts, frozen.verdicts, frozen.decided_until, frozen.deletes.jobs) == ((), (), None, ())
    assert frozen.status is not None
    names = ("cursor", "effectiveFrom", "observedGeneration", "recentSlots")
    assert {name: frozen.status.get(name) for name in names} == {name: FIRST.get(name) for name in names}


def test_a_frozen_schedule_says_so_once_a_slot_is_due() -> None:
    before = see(9 + 3600, 3600, FIRST)
    assert (before.urgency, before.requeue_at) == (Urgency.NONE, at(3610))
    due = see(10 + 3600, 3600, FIRST)
    assert (due.urgency, read_condition(due.status, KIND)) == (Urgency.LAZY, ("False", "ClockUntrusted"))
    again = see(20 + 3600, 3600, due.status)
    assert (again.urgency, again.requeue_at) == (Urgency.NONE, None)


def test_what_was_decided_before_is_not_forgotten_by_a_freeze() -> None:
    held = store(see(5, 0, FIRST, changed=5, spec=build_scheduled_job().spec | {"suspend": True}))
    frozen = see(6 + 3600, 3600, FIRST, Remembered(decided=held))
    assert (frozen.status, frozen.urgency) == (held, Urgency.LAZY)


def test_a_thawed_schedule_goes_on_where_it_was() -> None:
    frozen = store(see(50 + 3600, 3600, FIRST))
    thawed = see(55, 0, frozen)
    assert list_verdicts(thawed)[0] == "10..20 x2 Missed TooLate"
    assert list_starts(thawed) == [30]


def ahead(seconds: float, **fields: Any) -> dict[str, Any]:
    """Give a status whose cursor is that many seconds after the creation."""
    return FIRST | {"cursor": format_instant(at(seconds))} | fields


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        pytest.param(160, 160, id="a minute ahead"),
        pytest.param(162, 100, id="more than a minute ahead"),
        pytest.param(10**8, 100, id="years ahead"),
    ],
)
def test_a_cursor_of_the_future_is_reset(cursor: float, expected: float) -> None:
    reset = see(100.5, 0, ahead(cursor))
    assert read_seconds(store(reset)["cursor"]) == expected
    has_condition = expected != cursor
    assert (reset.reset_at == at(100)) == has_condition
    if has_condition:
        assert read_condition(reset.status, KIND) == ("False", "CursorAhead")


def test_an_effective_from_of_the_future_is_reset() -> None:
    reset = see(100.5, 0, FIRST | {"effectiveFrom": format_instant(at(9999))})
    assert read_seconds(store(reset)["effectiveFrom"]) == 100
    assert read_condition(reset.status, KIND) == ("False", "CursorAhead")


def test_the_reset_is_to_the_api_servers_date() -> None:
    assert read_seconds(store(see(100.5, 30, ahead(9999)))["cursor"]) == 70


def test_slots_go_on_after_a_reset_before_it_is_stored() -> None:
    first = see(101, 0, ahead(9999))
    assert list_starts(first) == []
    memory = Remembered(decided_until=at(101), decided=store(first), reset_at=first.reset_at)
    later = see(111, 0, ahead(9999), memory)
    assert (list_starts(later), later.reset_at) == ([110], at(101))


def test_a_reset_is_shown_for_an_hour() -> None:
    reset = store(see(101, 0, ahead(9999)))
    assert read_condition(see(110, 0, reset).status, KIND) == ("False", "CursorAhead")
    assert read_condition(see(101 + 3601, 0, reset).status, KIND) == ("True", "ClockInStep")


def test_what_was_started_ahead_is_not_started_again() -> None:
    started = {"slot": format_instant(at(500)), "verdict": "Started", "runId": "a", "trigger": "schedule"}
    missed = {"slot": format_instant(at(510)), "verdict": "Missed", "reason": "TooLate"}
    reset = store(see(101, 0, ahead(600, recentSlots=[missed, started])))
    assert read_verdicts(reset) == ["500 Started"]
    after = see(510, 0, reset | {"cursor": format_instant(at(490))})
    assert (list_starts(after), list_verdicts(after)) == ([510], [])


def test_a_job_of_a_slot_to_come_says_nothing_of_the_slots_before_it() -> None:
    job = build_scheduled_job(status=FIRST)
    jobs = (build_observed(40, "Complete"),)
    decision = look(job, 12, jobs)
    assert (list_starts(decision), read_seconds(store(decision)["cursor"])) == ([10], 0)
    assert read_seconds(store(look(job, 41, jobs, Remembered(decided_until=at(39))))["cursor"]) == 40


def test_what_a_process_judged_ahead_is_judged_by_the_clock_that_is_right() -> None:
    memory = Remembered(decided_until=at(9999))
    snapshot = see(101, 0, FIRST | {"cursor": format_instant(at(100))}, memory)
    assert snapshot.decided_until == at(101)


def test_an_object_created_in_the_future_counts_from_now() -> None:
    status = see(-500, 0, None)
    assert read_seconds(store(status)["effectiveFrom"]) == -500
    again = see(-490, 0, status.status)
    assert (again.urgency, read_seconds(store(again)["effectiveFrom"])) == (Urgency.NONE, -500)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, False), ("", False), ("false", False), (" False\n", False), ("true", True), ("yes", True)],
)
def test_what_holds(value: str | None, expected: bool) -> None:  # noqa: FBT001 - a row of a table
    assert parse_hold(value) is expected


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        pytest.param((), ["10..30 x3 Missed Held"], id="all that is due"),
        pytest.param((build_observed(20),), ["10 Missed Held", "30 Missed Held"], id="not what has a Job"),
    ],
)
def test_slots_are_missed_while_starts_are_held(jobs: Any, expected: list[str]) -> None:
    job = build_scheduled_job(status=FIRST)
    snapshot = Snapshot(
        job, build_plan(job), jobs, Remembered(), installation=InstallationState(starts_held_by="x")
    )
    decision = decide(snapshot, at(35), LIMITS)
    assert (list_starts(decision), list_verdicts(decision)) == ([], expected)
    assert decision.requeue_at == at(40)
    released = replace(snapshot, installation=InstallationState(), memory=Remembered(decided_until=at(35)))
    assert list_starts(decide(released, at(40), LIMITS)) == ([40] if not jobs else [])


@pytest.mark.parametrize("starts_held_by", ["", "SUNDIAL_HOLD"])
def test_no_run_is_replaced_by_a_slot_that_may_not_start(starts_held_by: str) -> None:
    rule = build_scheduled_job().spec | {"concurrency": {"policy": "Replace"}}
    times = {"slot": format_instant(at(20)), "since": format_instant(at(20))}
    queued = FIRST | {"cursor": format_instant(at(20)), "queued": [times | {"reason": "Replacing"}]}
    job = build_scheduled_job(spec=rule, status=queued)
    snapshot = Snapshot(job, build_plan(job), (build_observed(10),), Remembered(decided_until=at(22)))
    decision = decide(
        replace(snapshot, installation=InstallationState(starts_held_by=starts_held_by)), at(23), LIMITS
    )
    assert (len(decision.endings), len(decision.queued)) == (0 if starts_held_by else 1, 1)


def test_retries_wait_while_starts_are_held() -> None:
    job = build_scheduled_job(
        spec=build_scheduled_job().spec | {"retry": {"count": 1, "delaySeconds": 1}}, status=FIRST
    )
    jobs = (build_observed(10, "Failed", ended=12),)
    held = Snapshot(
        job, build_plan(job), jobs, Remembered(), installation=InstallationState(starts_held_by="x")
    )
    assert decide(held, at(15), LIMITS).retries == ()
    assert len(decide(replace(held, installation=InstallationState()), at(15), LIMITS).retries) == 1


def test_a_suspended_schedule_does_not_miss_slots_by_a_hold() -> None:
    job = build_scheduled_job(spec=build_scheduled_job().spec | {"suspend": True})
    snapshot = Snapshot(
        job, build_plan(job), (), Remembered(), installation=InstallationState(starts_held_by="x")
    )
    assert list_verdicts(decide(snapshot, at(35), LIMITS)) == []


def test_a_range_into_the_future_is_dropped_with_the_cursor_that_let_it_pass() -> None:
    long = {"from": format_instant(at(20)), "to": format_instant(at(9000)), "count": 9}
    entry = long | {"verdict": "Missed", "reason": "TooLate"}
    reset = store(see(100.5, 0, ahead(9999, recentSlots=[entry])))
    assert read_verdicts(reset) == []
