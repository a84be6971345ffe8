"""What becomes of slots that are due, by their age."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testkit.scheduled_jobs import (
    CREATED,
    at,
    describe_verdict,
    read_seconds,
)

from sundial_clock.instants import format_instant
from sundial_clock.schedule import CompiledSchedule, compile_schedule
from sundial_clock.slot_sources import SlotSource
from sundial_clock.spec import Interval, Schedule
from sundial_core.decision.catch_up import (
    Due,
    Offered,
    choose_offered,
    given_up_verdicts,
    missed_verdicts,
)
from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.resources.specs import CatchUp
from sundial_core.status.scheduled_jobs import compute_cursor
from sundial_core.status.verdicts import VerdictRecord


def every(seconds: int) -> CompiledSchedule:
    schedule = Schedule(interval=Interval(seconds=seconds))
    return compile_schedule(schedule, name="team/tick", created_at=CREATED)


def due(until: float, known: Iterable[float] = (), after: float = 0, period: int = 10) -> Due:
    return Due(every(period), at(after), at(until), frozenset(map(at, known)))


def catch_up(policy: str, grace: int = 15, window: int = 3600, runs: int = 10) -> CatchUp:
    fields = {"policy": policy, "graceSeconds": grace, "windowSeconds": window, "maxRuns": runs}
    return CatchUp.model_validate(fields)


def describe(decided_slots: Offered) -> tuple[list[float], list[str]]:
    starts = [read_seconds(format_instant(slot)) for slot in decided_slots.slots]
    return starts, [describe_verdict(record) for record in decided_slots.verdicts]


@pytest.mark.parametrize(
    ("rule", "until", "starts", "verdicts"),
    [
        pytest.param(catch_up("None"), 10, [10], [], id="None, on time"),
        pytest.param(catch_up("None"), 24.9, [10, 20], [], id="None, younger than the grace"),
        pytest.param(catch_up("None"), 25, [20], ["10 Missed TooLate"], id="None, as old as the grace"),
        pytest.param(catch_up("None"), 59, [50], ["10..40 x4 Missed TooLate"], id="None, many late"),
        pytest.param(catch_up("None", grace=5), 56, [], ["10..50 x5 Missed TooLate"], id="None, all late"),
        pytest.param(catch_up("Latest"), 59, [50], ["10..40 x4 Missed TooLate"], id="Latest, one on time"),
        pytest.param(
            catch_up("Latest", grace=5), 56, [50], ["10..40 x4 Missed TooLate"], id="Latest, all late"
        ),
        pytest.param(catch_up("Latest", grace=5), 16, [10], [], id="Latest, only one"),
        pytest.param(
            catch_up("Latest", grace=5, window=6),
            56,
            [],
            ["10..50 x5 Missed TooLate"],
            id="Latest, window over",
        ),
        pytest.param(
            catch_up("Latest", grace=5, window=0),
            56,
            [],
            ["10..50 x5 Missed TooLate"],
            id="Latest, no window",
        ),
        pytest.param(catch_up("All", grace=5), 36, [10, 20, 30], [], id="All"),
        pytest.param(catch_up("All"), 36, [10, 20, 30], [], id="All, late and on time"),
        pytest.param(
            catch_up("All", grace=5, runs=2), 46, [30, 40], ["10..20 x2 Missed TooLate"], id="All, maxRuns"
        ),
        pytest.param(
            catch_up("All", grace=5, window=30),
            46,
            [20, 30, 40],
            ["10 Missed TooLate"],
            id="All, within window",
        ),
        pytest.param(
            catch_up("All", runs=1),
            46,
            [30, 40],
            ["10..20 x2 Missed TooLate"],
            id="All, maxRuns, one on time",
        ),
    ],
)
def test_catch_up_decides_about_late_slots(
    rule: CatchUp, until: float, starts: list[float], verdicts: list[str]
) -> None:
    assert describe(choose_offered(due(until), rule)) == (starts, verdicts)


@pytest.mark.parametrize(
    ("known", "policy", "starts", "verdicts"),
    [
        pytest.param(
            [30], "None", [], ["10..20 x2 Missed TooLate", "40..50 x2 Missed TooLate"], id="between"
        ),
        pytest.param([10], "None", [], ["20..50 x4 Missed TooLate"], id="first"),
        pytest.param([50], "None", [], ["10..40 x4 Missed TooLate"], id="last"),
        pytest.param([10, 20, 30, 40, 50], "All", [], [], id="all of them"),
        pytest.param([50], "Latest", [], ["10..40 x4 Missed TooLate"], id="the latest has started already"),
        pytest.param([20, 40], "All", [10, 30, 50], [], id="All fills the gaps"),
        pytest.param([7, 60], "None", [], ["10..50 x5 Missed TooLate"], id="what is no slot here"),
    ],
)
def test_known_slots_are_not_judged(
    known: list[float], policy: str, starts: list[float], verdicts: list[str]
) -> None:
    assert describe(choose_offered(due(56, known), catch_up(policy, grace=5))) == (starts, verdicts)


def test_a_known_slot_on_time_makes_late_ones_missed_under_latest() -> None:
    decided_slots = choose_offered(due(52, [50]), catch_up("Latest", grace=5))
    assert describe(decided_slots) == ([], ["10..40 x4 Missed TooLate"])


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param([], ["10..50 x5 Missed Suspended"], id="all"),
        pytest.param([30], ["10..20 x2 Missed Suspended", "40..50 x2 Missed Suspended"], id="but known ones"),
    ],
)
def test_all_that_is_due_can_be_missed(known: list[float], expected: list[str]) -> None:
    verdicts = missed_verdicts(due(50, known), Reason.SUSPENDED)
    assert [describe_verdict(record) for record in verdicts] == expected


@pytest.mark.parametrize(
    ("refused", "after", "expected"),
    [
        pytest.param([10], 10, ["10 Missed CreateFailed"], id="a newer slot is due"),
        pytest.param([10, 20], 10, ["10 Missed CreateFailed", "20 Missed CreateFailed"], id="several"),
        pytest.param([30], 10, [], id="itself is the newest"),
        pytest.param([10], 30, [], id="nothing is due"),
        pytest.param([], 10, [], id="nothing was refused"),
    ],
)
def test_refused_slots_give_way(refused: list[float], after: float, expected: list[str]) -> None:
    verdicts = given_up_verdicts(due(35, after=after), map(at, refused))
    assert [describe_verdict(record) for record in verdicts] == expected


def test_a_refused_slot_that_gives_way_says_what_refused_it() -> None:
    [record] = given_up_verdicts(due(35, after=10), frozenset({at(10)}), {at(10): "exceeded quota: q"})
    assert record.message == "refused until a newer slot was due: exceeded quota: q"


def missed(first: float, last: float) -> VerdictRecord:
    return VerdictRecord(at(first), at(last), 2, Verdict.MISSED, Reason.TOO_LATE)


@pytest.mark.parametrize(
    ("verdicts", "started", "creating", "expected"),
    [
        pytest.param([], [], [], 5, id="nothing new"),
        pytest.param([], [20], [], 20, id="a started slot"),
        pytest.param([missed(10, 30)], [], [], 30, id="the last of a range"),
        pytest.param([missed(10, 30)], [40], [], 40, id="the newest of both"),
        pytest.param([missed(10, 30)], [50], [40], 30, id="held by a create under way"),
        pytest.param([], [50], [40], 5, id="held from the start"),
        pytest.param([], [50], [40, 20], 5, id="held by the oldest create"),
        pytest.param([missed(1, 2)], [3], [], 5, id="never back"),
    ],
)
def test_cursor(verdicts: Any, started: list[float], creating: list[float], expected: float) -> None:
    assert compute_cursor(at(5), verdicts, map(at, started), map(at, creating)) == at(expected)


@given(
    known=st.sets(st.integers(1, 60)),
    rule=st.builds(
        catch_up,
        st.sampled_from(["None", "Latest", "All"]),
        st.integers(5, 40),
        st.integers(0, 60),
        st.integers(1, 5),
    ),
    period=st.integers(1, 7),
)
def test_each_due_slot_gets_one_verdict(known: set[int], rule: CatchUp, period: int) -> None:
    case = due(60, known, period=period)
    decided_slots = choose_offered(case, rule)
    open_slots = [slot for slot in range(period, 61, period) if slot not in known]
    judged_slots = [
        slot for slot in open_slots for j in decided_slots.verdicts if j.first <= at(slot) <= j.last
    ]
    assert sorted([*judged_slots, *describe(decided_slots)[0]]) == open_slots
    assert sum(record.count for record in decided_slots.verdicts) == len(judged_slots)


class Meter:
    """A source of slots that counts how many it had to name."""

    def __init__(self, source: SlotSource) -> None:
        self.source = source
        self.count = source.count
        self.named = 0

    def first(self, low: datetime, high: datetime) -> datetime | None:
        self.named += 1
        return self.source.first(low, high)

    def newest(self, low: datetime, high: datetime, limit: int) -> list[datetime]:
        found = self.source.newest(low, high, limit)
        self.named += len(found)
        return found


def test_a_million_slots_are_counted_not_named() -> None:
    schedule = every(1)
    meter = Meter(schedule.source)
    case = Due(replace(schedule, source=meter), at(0), at(1_000_000), frozenset())
    decided_slots = choose_offered(case, catch_up("Latest"))
    assert [j.count for j in decided_slots.verdicts if j.verdict is Verdict.MISSED] == [999_985]
    assert 0 < meter.named < 100
