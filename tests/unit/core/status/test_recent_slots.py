"""The newest slots of a status: merged, cut to twenty, and never losing an active run."""

from __future__ import annotations

import random
from typing import Any

import pytest
from testkit.scheduled_jobs import at, build_observed, build_plan, build_scheduled_job, read_verdicts

from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.runs.run import Run
from sundial_core.runs.state import build_lost_run, build_run
from sundial_core.status import recent_slots
from sundial_core.status.corrections import Span
from sundial_core.status.recent_slots import KEPT, RecentSlots
from sundial_core.status.verdicts import VerdictRecord


def missed(first: float, last: float | None = None, count: int = 1) -> VerdictRecord:
    return VerdictRecord(at(first), at(last or first), count, Verdict.MISSED, Reason.TOO_LATE)


def skipped(slot: float, message: str = "") -> VerdictRecord:
    return VerdictRecord(at(slot), at(slot), 1, Verdict.SKIPPED, Reason.ALREADY_ACTIVE, message)


def rejected(slot: float) -> VerdictRecord:
    return VerdictRecord(at(slot), at(slot), 1, Verdict.SKIPPED, Reason.REJECTED, "denied")


def run(slot: float, condition: str = "", **how: Any) -> Run:
    return build_run(build_observed(slot, condition, **how), (), at(slot + 10))


def record(*facts: VerdictRecord | Run, stored: RecentSlots | None = None) -> RecentSlots:
    recent = stored or RecentSlots(())
    for fact in facts:
        if isinstance(fact, VerdictRecord):
            recent.record_verdicts([fact])
        else:
            recent.record_start(fact)
            if fact.phase.is_result:
                recent.record_result(fact)
    return recent


def read(recent: RecentSlots, *active: str) -> list[str]:
    return read_verdicts({"recentSlots": recent.build(set(active))})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param([missed(10)], ["10 Missed TooLate"], id="one"),
        pytest.param([missed(10), missed(20)], ["10..20 x2 Missed TooLate"], id="two alike"),
        pytest.param([missed(10, 30, 3), missed(40, 50, 2)], ["10..50 x5 Missed TooLate"], id="two ranges"),
        pytest.param([missed(10, 30, 3), missed(40)], ["10..40 x4 Missed TooLate"], id="a range and one"),
        pytest.param(
            [missed(10), skipped(20)], ["10 Missed TooLate", "20 Skipped AlreadyActive"], id="not alike"
        ),
        pytest.param([run(10), run(20)], ["10 Started", "20 Started"], id="runs never merge"),
        pytest.param(
            [missed(10), run(20), missed(30)],
            ["10 Missed TooLate", "20 Started", "30 Missed TooLate"],
            id="a run between",
        ),
        pytest.param(
            [run(30), missed(10), missed(20)],
            ["10..20 x2 Missed TooLate", "30 Started"],
            id="recorded after a later run",
        ),
        pytest.param(
            [run(10, "Failed", reason="Boom"), missed(20)],
            ["10 Started Failed Boom", "20 Missed TooLate"],
            id="ended",
        ),
    ],
)
def test_adjacent_entries_that_say_the_same_merge(facts: list[Any], expected: list[str]) -> None:
    assert read(record(*facts)) == expected


def test_merging_goes_on_from_what_was_stored() -> None:
    stored = RecentSlots(record(missed(10, 20, 2)).build(set()))
    assert read(record(run(40), missed(30), stored=stored)) == ["10..30 x3 Missed TooLate", "40 Started"]


def test_the_newest_message_of_merged_entries_stays() -> None:
    (entry,) = record(skipped(10, "1 active"), skipped(20, "2 active")).build(set())
    assert entry["message"] == "2 active"


def test_a_run_is_recorded_once() -> None:
    recent = record(run(10))
    assert recent.record_start(run(10)) is False
    assert read(recent) == ["10 Started"]


def test_a_result_is_recorded_once() -> None:
    recent = record(run(10, "Complete"))
    assert recent.record_result(run(10, "Failed", reason="x")) is False
    assert read(recent) == ["10 Started Succeeded"]


def test_a_result_of_a_run_that_is_not_shown_is_none() -> None:
    assert RecentSlots(()).record_result(run(10, "Complete")) is False


def test_a_result_says_when_and_why() -> None:
    (entry,) = record(run(10, "Failed", reason="BackoffLimitExceeded", ended=17)).build(set())
    assert (entry["startedAt"], entry["completedAt"]) == ("2026-01-01T00:00:10Z", "2026-01-01T00:00:17Z")
    assert (entry["reason"], entry["trigger"]) == ("BackoffLimitExceeded", "schedule")


def test_messages_are_cut() -> None:
    (entry,) = record(skipped(10, "x" * 999)).build(set())
    assert len(entry["message"]) == 300


def test_only_the_newest_are_kept_and_those_of_active_runs() -> None:
    runs = [run(slot) for slot in range(10, 10 * KEPT + 40, 10)]
    kept = read(record(*runs), runs[0].run_id)
    assert kept == ["10 Started", *[f"{slot} Started" for slot in range(40, 10 * KEPT + 40, 10)]]


def test_entries_are_sorted_newest_first() -> None:
    entries = record(run(30), missed(10, 20, 2), run(5)).build(set())
    assert [entry.get("slot") or entry["to"] for entry in entries] == [
        f"2026-01-01T00:00:{second:02}Z" for second in (30, 20, 5)
    ]


def test_what_was_stored_is_not_changed() -> None:
    stored = record(run(10)).build(set())
    record(run(10, "Complete"), stored=RecentSlots(stored))
    assert "result" not in stored[0]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([missed(10), run(20)], None, id="a start since"),
        pytest.param([run(10), missed(20)], 1, id="missed since"),
        pytest.param([run(10), missed(20, 40, 3), skipped(50)], 3, id="a skipped slot is no start"),
        pytest.param([run(10), skipped(20)], None, id="skipped is not missed"),
        pytest.param([run(10), rejected(20)], 1, id="skipped, and nobody wanted that"),
    ],
)
def test_what_was_missed_lately(facts: list[Any], expected: int | None) -> None:
    found = record(*facts).find_missed()
    assert (found.get("count", 1) if found else None) == expected


def test_a_run_whose_job_is_gone_is_recorded_as_cancelled() -> None:
    assert read(record(build_lost_run(run(10), at(30)))) == ["10 Started Cancelled JobDeleted"]


@pytest.mark.parametrize("seed", range(20))
def test_many_judgements_at_once_are_recorded_as_one_by_one(seed: int) -> None:
    dice = random.Random(seed)
    runs = [run(slot) for slot in range(10, 400, 10) if dice.random() < 0.2]
    verdicts = [dice.choice((missed, skipped))(slot) for slot in range(15, 400, 10) if dice.random() < 0.8]
    between = [at(slot + 5) for slot in range(15, 400, 10) if dice.random() < 0.1]
    one_by_one, at_once = record(*runs), record(*runs)
    one_by_one.part(between)
    at_once.part(between)
    record(*verdicts, stored=one_by_one)
    at_once.record_verdicts(dice.sample(verdicts, len(verdicts)))
    assert at_once.build(set()) == one_by_one.build(set())


def test_the_slots_of_an_entry_are_counted_once_however_many_are_taken_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[Span] = []
    monkeypatch.setattr(recent_slots, "is_row", lambda span, _: counted.append(span) or True)
    recent = record(missed(10, 100, 10))
    for slot in (20, 40, 60):
        recent.retract(run(slot), build_plan(build_scheduled_job()).schedule)
    assert counted == [(at(10), at(100), 10)]
    assert [verdict.split()[0] for verdict in read(recent)] == ["10", "30", "50", "70..100"]
