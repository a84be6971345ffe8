"""What a newly stored status tells, in the log and as an Event."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import (
    UID,
    at,
    build_observed,
    build_scheduled_job,
    build_spec,
    look,
)

from sundial_core.resources import names
from sundial_core.status.event_series import Announcements
from sundial_core.status.transitions import MAX_NOTE_CHARS, Transition, list_transitions

EVERY_TEN = build_spec(concurrency={"policy": "Forbid"})


def build_story(spec: dict[str, Any], *steps: tuple[float, tuple[Any, ...]]) -> list[Transition]:
    """Find what the last of several looks changes; each step is the time and the Jobs."""
    stored: dict[str, Any] = {}
    found: list[Transition] = []
    for now, jobs in steps:
        status = look(build_scheduled_job(spec, status=stored), now, jobs).status or {}
        found = list_transitions(stored, status)
        stored = status
    return found


def tell(found: list[Transition]) -> list[str]:
    return [f"{one.event} {one.reason} {one.notice or 'no Event'}" for one in found]


RUNNING = build_observed(10, ready=True)
MARKED = build_observed(10, ready=True, marks={names.RETRIES_USED: "abc"})
OTHER_MARK = build_observed(10, ready=True, marks={names.START_TIMEOUT: "abc"})
DONE = build_observed(10, "Complete", ended=15)
TOO_LONG = build_observed(10, "Failed", reason="DeadlineExceeded", ready=True)


@pytest.mark.parametrize(
    ("spec", "steps", "expected"),
    [
        pytest.param(EVERY_TEN, [(1, ())], ["ready changed Ready no Event"], id="accepted at first"),
        pytest.param(EVERY_TEN, [(1, ()), (11, (RUNNING,))], [], id="a run starts"),
        pytest.param(
            EVERY_TEN,
            [(1, ()), (11, (RUNNING,)), (16, (DONE,))],
            ["run ended RunSucceeded no Event"],
            id="a run succeeds",
        ),
        pytest.param(
            EVERY_TEN,
            [(1, ()), (11, (RUNNING,)), (16, (build_observed(10, "Failed"),))],
            ["run ended RunFailed Warning"],
            id="a run fails for good",
        ),
        pytest.param(
            EVERY_TEN,
            [
                (1, ()),
                (11, (RUNNING,)),
                (16, (build_observed(10, "Failed", reason="DeadlineExceeded", ready=1),)),
            ],
            ["run ended RunTimedOut Warning"],
            id="a run takes too long",
        ),
        pytest.param(
            EVERY_TEN,
            [(1, ()), (11, (RUNNING,)), (21, (RUNNING,))],
            ["slot skipped SlotSkipped Normal"],
            id="a slot meets a run",
        ),
        pytest.param(
            build_spec(catchUp={"policy": "None"}),
            [(1, ()), (1000, ())],
            ["slot missed SlotMissed Warning"],
            id="slots are missed",
        ),
        pytest.param(
            build_spec(schedule={"cron": "rubbish"}),
            [(1, ())],
            ["ready changed NotReady Warning"],
            id="a schedule that does not parse",
        ),
        pytest.param(
            build_spec(suspend=True),
            [(1, ())],
            ["ready changed Ready no Event", "suspended changed Suspended Normal"],
            id="suspended from the first",
        ),
        pytest.param(
            EVERY_TEN,
            [(11, (RUNNING,)), (12, (MARKED,))],
            ["jobs recognized changed JobsNotRecognized Warning"],
            id="a mark was changed",
        ),
        pytest.param(
            EVERY_TEN,
            [(11, (RUNNING,)), (12, (MARKED,)), (13, (OTHER_MARK,))],
            ["jobs recognized changed JobsNotRecognized Warning"],
            id="another mark was changed",
        ),
        pytest.param(EVERY_TEN, [(12, (MARKED,)), (13, (RUNNING,))], [], id="a mark was put right"),
        pytest.param(EVERY_TEN, [(1, ()), (2, ())], [], id="nothing happens"),
    ],
)
def test_what_has_changed(spec: dict[str, Any], steps: list[Any], expected: list[str]) -> None:
    assert tell(build_story(spec, *steps)) == expected


def test_resuming_is_told() -> None:
    stored = look(build_scheduled_job(build_spec(suspend=True)), 1).status
    resumed = look(build_scheduled_job(build_spec(), status=stored, changed=5), 6).status
    assert tell(list_transitions(stored or {}, resumed or {})) == ["suspended changed Resumed Normal"]


def test_a_run_that_ended_has_the_same_fields_as_its_start() -> None:
    (ended,) = build_story(EVERY_TEN, (1, ()), (11, (RUNNING,)), (16, (DONE,)))
    assert ended.fields == {
        "slot": "2026-01-01T00:00:10Z",
        "run": RUNNING.run_id,
        "job": RUNNING.name,
        "result": "Succeeded",
        "duration_seconds": 5.0,
    }


def test_missed_slots_are_counted_and_named() -> None:
    (missed,) = build_story(build_spec(catchUp={"policy": "None"}), (1, ()), (1000, ()))
    assert missed.fields == {"slot": "2026-01-01T00:16:10Z", "reason": "TooLate", "count": 97}
    assert missed.note.startswith("97 slots, the newest 2026-01-01T00:16:10Z, missed as TooLate")


def test_slots_that_were_skipped_for_different_reasons_are_counted_apart() -> None:
    skipped = {"AlreadyActive": 1, "QueueFull": 2}
    found = list_transitions({}, {"counters": {"verdicts": {"skipped": skipped}}})
    assert [one.series_key for one in found] == ["SlotSkipped AlreadyActive", "SlotSkipped QueueFull"]


def test_a_note_is_short() -> None:
    entry = {"slot": "2026-01-01T00:00:10Z", "verdict": "Started", "runId": "r", "result": "Failed"}
    (found,) = list_transitions({}, {"recentSlots": [entry | {"reason": "Error", "message": "x" * 2000}]})
    assert len(found.note) == MAX_NOTE_CHARS


@pytest.mark.parametrize(
    ("again", "count"), [pytest.param(300, 2, id="soon"), pytest.param(600, None, id="after ten minutes")]
)
def test_what_is_said_again_makes_a_series(again: float, count: int | None) -> None:
    said = Announcements(at(0))
    said.begin(UID, "SlotSkipped", "tick.1", at(0))
    series = said.count(UID, "SlotSkipped", at(again))
    assert (series and series.count) == count
    assert said.count(UID, "SlotMissed", at(again)) is None
    said.forget(UID, "SlotSkipped")
    assert said.count(UID, "SlotSkipped", at(again)) is None


def test_of_one_object_little_is_said_and_of_others_still() -> None:
    said = Announcements(at(0))
    assert [said.may_say(UID, at(1)) for _ in range(12)] == [True] * 10 + [False] * 2
    assert said.may_say("another", at(1))
    assert [said.may_say(UID, at(61)) for _ in range(2)] == [True, False]


def test_of_all_objects_together_not_too_much_is_said() -> None:
    said = Announcements(at(0))
    assert sum(said.may_say(f"object {number}", at(0)) for number in range(150)) == 100
    assert sum(said.may_say(f"later {number}", at(1)) for number in range(150)) == 5
