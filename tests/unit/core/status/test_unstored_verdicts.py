"""What is judged and not stored yet: it stays short, nothing is lost, and nothing is counted twice."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import (
    at,
    build_plan,
    build_scheduled_job,
    build_spec,
    describe_verdict,
    list_verdicts,
    look,
)

from sundial_clock.instants import format_instant
from sundial_clock.schedule import CompiledSchedule
from sundial_core.decision.remembered import Remembered
from sundial_core.resources.phases import Verdict
from sundial_core.resources.plans import Plan
from sundial_core.resources.reasons import Reason
from sundial_core.status.queued import QueueEntry
from sundial_core.status.stored import parse_stored_status
from sundial_core.status.unstored_verdicts import (
    EVER,
    cut_verdict,
    drop_stored,
    list_decided_slots,
    merge_verdicts,
)
from sundial_core.status.verdicts import VerdictRecord


def compile_schedule(seconds: int = 10) -> CompiledSchedule:
    plan = build_plan(build_scheduled_job(build_spec(schedule={"interval": {"seconds": seconds}})))
    assert isinstance(plan, Plan)
    return plan.schedule


def skip(first: float, last: float | None = None, count: int = 1, message: str = "") -> VerdictRecord:
    return VerdictRecord(at(first), at(last or first), count, Verdict.SKIPPED, Reason.ALREADY_ACTIVE, message)


def miss(first: float, last: float | None = None, count: int = 1) -> VerdictRecord:
    return VerdictRecord(at(first), at(last or first), count, Verdict.MISSED, Reason.TOO_LATE)


@pytest.mark.parametrize(
    ("known", "new", "expected"),
    [
        pytest.param([], [skip(10)], ["10 Skipped AlreadyActive"], id="one"),
        pytest.param([], [skip(10), skip(20)], ["10..20 x2 Skipped AlreadyActive"], id="two in a row"),
        pytest.param([skip(10)], [skip(20)], ["10..20 x2 Skipped AlreadyActive"], id="one more"),
        pytest.param([skip(20)], [skip(10)], ["10..20 x2 Skipped AlreadyActive"], id="one before"),
        pytest.param([skip(10), skip(30)], [skip(20)], ["10..30 x3 Skipped AlreadyActive"], id="between two"),
        pytest.param(
            [skip(10)],
            [skip(30)],
            ["10 Skipped AlreadyActive", "30 Skipped AlreadyActive"],
            id="a slot between",
        ),
        pytest.param(
            [],
            [skip(10), skip(20), skip(40)],
            ["10..20 x2 Skipped AlreadyActive", "40 Skipped AlreadyActive"],
            id="a slot between, at once",
        ),
        pytest.param(
            [skip(10)], [miss(20)], ["10 Skipped AlreadyActive", "20 Missed TooLate"], id="not alike"
        ),
        pytest.param([miss(10, 30, 3)], [miss(40, 90, 6)], ["10..90 x9 Missed TooLate"], id="two ranges"),
    ],
)
def test_judgements_on_slots_in_a_row_merge(
    known: list[VerdictRecord], new: list[VerdictRecord], expected: list[str]
) -> None:
    merged = merge_verdicts(known, new, compile_schedule(), ())
    assert list(map(describe_verdict, merged)) == expected


def test_the_newest_message_stays() -> None:
    (merged,) = merge_verdicts(
        [skip(10, message="1 active")], [skip(20, message="2 active")], compile_schedule(), ()
    )
    assert merged.message == "2 active"


@pytest.mark.parametrize(
    ("known", "new"),
    [
        pytest.param([], [skip(10), skip(20)], id="both new"),
        pytest.param([skip(10)], [skip(20)], id="one is known"),
        pytest.param([skip(20)], [skip(10)], id="the other is known"),
    ],
)
def test_a_slot_that_had_waited_stays_by_itself(known: list[VerdictRecord], new: list[VerdictRecord]) -> None:
    assert len(merge_verdicts(known, new, compile_schedule(), {at(20)})) == 2


def test_without_a_schedule_nothing_merges() -> None:
    assert merge_verdicts([skip(20)], [skip(10)], None, ()) == [skip(10), skip(20)]


def test_what_is_known_is_not_compared_again() -> None:
    known = [skip(10), skip(20), miss(40)]
    assert merge_verdicts(known, [miss(60)], compile_schedule(), ()) == [*known, miss(60)]


@pytest.mark.parametrize(
    ("after", "until", "expected"),
    [
        pytest.param(0, 99, miss(10, 50, 5), id="all of it"),
        pytest.param(50, 99, None, id="none, it is older"),
        pytest.param(0, 9, None, id="none, it is newer"),
        pytest.param(30, 99, miss(40, 50, 2), id="its end"),
        pytest.param(0, 30, miss(10, 30, 3), id="its begin"),
        pytest.param(19, 31, miss(20, 30, 2), id="its middle"),
        pytest.param(41, 49, None, id="between two slots"),
    ],
)
def test_a_part_of_a_judgement(after: float, until: float, expected: VerdictRecord | None) -> None:
    assert cut_verdict(miss(10, 50, 5), at(after), at(until), compile_schedule()) == expected


@pytest.mark.parametrize(
    "schedule",
    [pytest.param(None, id="no schedule"), pytest.param(compile_schedule(7), id="another schedule")],
)
def test_of_another_schedule_a_judgement_is_kept_as_a_whole(schedule: CompiledSchedule | None) -> None:
    one = miss(10, 50, 5)
    assert cut_verdict(one, at(30), EVER, schedule) == one
    assert cut_verdict(one, at(0), at(30), schedule) is None


@pytest.mark.parametrize(
    ("queued", "expected"),
    [
        pytest.param([], ["30 Skipped AlreadyActive"], id="the cursor has passed it"),
        pytest.param([10], ["10 Skipped AlreadyActive", "30 Skipped AlreadyActive"], id="it waits there"),
    ],
)
def test_what_is_stored_is_dropped(queued: list[float], expected: list[str]) -> None:
    waiting: list[dict[str, Any]] = [
        {"slot": format_instant(at(slot)), "since": format_instant(at(slot)), "reason": "AlreadyActive"}
        for slot in queued
    ]
    stored = parse_stored_status({"cursor": format_instant(at(20)), "queued": waiting})
    left = drop_stored([skip(10), skip(20, 30, 2)], stored, compile_schedule())
    assert list(map(describe_verdict, left)) == expected


def test_a_slot_that_waited_is_not_judged_again_whose_judgement_was_merged() -> None:
    waiting = tuple(QueueEntry(at(slot), at(slot), Reason.ALREADY_ACTIVE) for slot in (10, 20))
    memory = Remembered(decided_until=at(25), verdicts=(skip(10, 20, 2),), queued=waiting)
    assert list_verdicts(look(build_scheduled_job(build_spec(suspend=True)), 26, memory=memory)) == []


def test_which_slots_have_a_judgement() -> None:
    verdicts = [miss(40, 60, 3), skip(10)]
    slots = [at(seconds) for seconds in (0, 10, 20, 40, 50, 60, 70)]
    assert list_decided_slots(slots, verdicts) == {at(10), at(40), at(50), at(60)}
