"""Which slots of the past may run, how many there may be, and whether they all would."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from testkit.rows import NOON

from sundial_api.actions.backfills import name_run
from sundial_api.actions.slot_states import (
    MAX_RANGE,
    SlotHistory,
    SlotState,
    check_range,
    count_room,
    explain_refusal,
    judge,
    list_range,
)
from sundial_api.http.errors import Invalid
from sundial_api.jobs.start_rules import JobLoad
from sundial_clock.schedule import CompiledSchedule, compile_schedule
from sundial_clock.spec import Interval, Schedule
from sundial_core.resources.specs import Concurrency, ConcurrencyPolicy

RUN = UUID("11111111-2222-4333-8444-555555555555")
MINUTE = timedelta(minutes=1)


def at(minute: float) -> datetime:
    return NOON + minute * MINUTE


def history(**changes: Any) -> SlotHistory:
    """Build a history that knows of no run, and is complete up to a minute past noon and ten."""
    known = {"runs": {}, "unseen": (), "known_until": at(11), "waiting": frozenset(), "floor": None}
    return SlotHistory(**known | changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, SlotState.NEW, id="nothing-of-it"),
        pytest.param({"runs": {at(10): RUN}}, SlotState.RAN, id="ran"),
        pytest.param({"runs": {at(9): RUN}}, SlotState.NEW, id="another-ran"),
        pytest.param({"known_until": at(10)}, SlotState.NEW, id="decided-just-now"),
        pytest.param({"known_until": at(9)}, SlotState.UNDECIDED, id="not-decided"),
        pytest.param({"waiting": frozenset({at(10)})}, SlotState.UNDECIDED, id="waits-for-a-place"),
        pytest.param({"floor": at(10)}, SlotState.UNKNOWN, id="history-is-deleted"),
        pytest.param({"floor": at(9)}, SlotState.NEW, id="history-before-is-deleted"),
        pytest.param({"unseen": ((at(10), at(12)),)}, SlotState.UNKNOWN, id="first-unseen"),
        pytest.param({"unseen": ((at(8), at(10)),)}, SlotState.UNKNOWN, id="last-unseen"),
        pytest.param({"unseen": ((at(1), at(9)), (at(11), at(12)))}, SlotState.NEW, id="between-unseen"),
        pytest.param(
            {"runs": {at(10): RUN}, "floor": at(11), "known_until": at(1)}, SlotState.RAN, id="ran-after-all"
        ),
    ],
)
def test_where_a_slot_stands(changes: dict[str, Any], expected: SlotState) -> None:
    assert judge(at(10), history(**changes)) is expected


def every_minute() -> CompiledSchedule:
    schedule = Schedule(interval=Interval(minutes=1), anchor=at(0))
    return compile_schedule(schedule, name="team/tick", created_at=NOON)


def test_both_ends_of_a_range_count() -> None:
    assert list_range(every_minute(), at(1), at(3)) == [at(1), at(2), at(3)]
    assert list_range(every_minute(), at(0.5), at(0.9)) == []
    assert len(list_range(every_minute(), at(1), at(100))) == 100


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        pytest.param(at(0), at(0) + MAX_RANGE + MINUTE, "cut the range", id="too-long"),
        pytest.param(at(0), at(5000), "has 5001 slots, and 100 are run at once: end it at", id="too-many"),
        pytest.param(at(1), at(101), "end it at 2026-11-01T13:40:00Z, and begin", id="one-too-many"),
    ],
)
def test_a_range_that_cannot_be_says_what_to_write(since: datetime, until: datetime, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        list_range(every_minute(), since, until)
    assert refused.value.errors[0].loc == ("body", "to")
    assert words in refused.value.errors[0].sentence.english


@pytest.mark.parametrize(
    ("since", "to", "place", "words"),
    [
        pytest.param(at(3), at(1), "to", "is before from", id="backwards"),
        pytest.param(at(6), at(7), "from", "has not passed yet: it is 2026-11-01T12:05:00Z;", id="to come"),
    ],
)
def test_a_range_that_has_no_past_says_why(since: datetime, to: datetime, place: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_range(since, to, at(5))
    assert refused.value.errors[0].loc == ("body", place)
    assert words in refused.value.errors[0].sentence.english


def test_a_range_may_begin_now_and_end_later() -> None:
    check_range(at(5), at(9), at(5))
    check_range(at(5), at(5), at(5))


@pytest.mark.parametrize(
    ("policy", "active", "waiting", "room"),
    [
        pytest.param("Forbid", 0, 0, 2, id="forbid"),
        pytest.param("Forbid", 1, 0, 1, id="forbid-one-runs"),
        pytest.param("Forbid", 2, 0, 0, id="forbid-full"),
        pytest.param("Allow", 7, 0, 9, id="allow"),
        pytest.param("Queue", 0, 0, 5, id="queue"),
        pytest.param("Queue", 2, 1, 2, id="queue-one-waits"),
        pytest.param("Queue", 2, 3, 0, id="queue-full"),
        pytest.param("Replace", 1, 0, 1, id="replace-ends-no-run"),
    ],
)
def test_how_many_would_run(policy: str, active: int, waiting: int, room: int) -> None:
    rule = Concurrency(policy=ConcurrencyPolicy(policy), max_instances=2, max_queued=3)
    load = JobLoad(rule, active, waiting)
    assert count_room(load, 9) == room
    assert explain_refusal(load, room) is None
    explained = explain_refusal(load, room + 1)
    assert explained is not None or policy == "Allow"
    assert explained is None or f"room for {room}," in explained.english


def test_names_of_runs_sort_as_their_slots() -> None:
    row: Any = {"id": RUN, "resource_name": "x" * 52}
    slots = [at(minutes) for minutes in (0, 0.5, 1, 100, 10**6)]
    names = [name_run(row, slot) for slot in slots]
    assert sorted(names) == names
    assert {name_run(row, NOON), name_run(row, NOON, "caller", "key")} != {names[0]}
    assert max(map(len, names)) <= 253
