"""When a schedule is held back, and from which instant its slots count: never a run that nobody expects."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import (
    at,
    build_scheduled_job,
    build_spec,
    list_starts,
    list_verdicts,
    look,
    read_condition,
    read_seconds,
)
from testkit.simulation.cluster import Cluster

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import Decision
from sundial_core.decision.remembered import Remembered
from sundial_core.resources.objects import parse_scheduled_job

AT_40 = {"schedule": {"cron": "40 * * * * *"}}
EVERY_7 = {"schedule": {"interval": {"seconds": 7}}}
WITH_END = {"schedule": {"interval": {"seconds": 10}, "endsAt": "2026-01-01T01:00:00Z"}}
BAD = {"template": None}


def until(seconds: float) -> str:
    return format_instant(at(seconds))


def see(decision: Decision | None = None, **state: Any) -> Any:
    """Build the object in a state: fields of the spec, `paused`, `changed`, with what was decided stored."""
    marks = {name: state.pop(name) for name in ("changed", "paused", "generation") if name in state}
    return build_scheduled_job(build_spec(**state), status=decision.status if decision else None, **marks)


def effect(decision: Decision) -> float:
    assert decision.status is not None
    return read_seconds(decision.status["effectiveFrom"])


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param({}, ("False", "NotSuspended"), id="nothing holds"),
        pytest.param({"suspend": True}, ("True", "Suspended"), id="suspend"),
        pytest.param({"paused": "true"}, ("True", "Paused"), id="paused"),
        pytest.param({"paused": "false"}, ("False", "NotSuspended"), id="paused false"),
        pytest.param({"paused": until(30)}, ("True", "PausedUntil"), id="paused until later"),
        pytest.param({"paused": until(5)}, ("False", "NotSuspended"), id="paused until now"),
        pytest.param({"paused": "tomorrow"}, ("True", "PauseUnreadable"), id="paused, unreadable"),
        pytest.param({"paused": ""}, ("True", "PauseUnreadable"), id="paused, empty"),
        pytest.param(
            {"paused": "2026-01-01"}, ("True", "PauseUnreadable"), id="paused until a day without a zone"
        ),
        pytest.param(
            {"paused": "0001-01-01T00:00:00+05:00"}, ("True", "PauseUnreadable"), id="before the calendar"
        ),
        pytest.param({"paused": "true", "suspend": True}, ("True", "Suspended"), id="both"),
    ],
)
def test_what_holds_is_said(state: dict[str, Any], expected: tuple[str, str]) -> None:
    decision = look(see(**state), 5)
    assert decision.status is not None
    assert read_condition(decision.status, "Suspended") == expected
    assert ("nextRunTime" in decision.status) == (expected[0] == "False" or expected[1] == "PausedUntil")


@pytest.mark.parametrize(
    "state", [{"suspend": True}, {"paused": "true"}, {"paused": "?"}, {"paused": until(60)}]
)
def test_nothing_starts_while_held(state: dict[str, Any]) -> None:
    decision = look(see(look(see(**state), 1), **state), 30)
    assert (list_starts(decision), list_verdicts(decision)) == ([], [])


@pytest.mark.parametrize(
    ("before", "after", "now", "expected"),
    [
        pytest.param({}, {"changed": 15}, 16, 0, id="a label changes nothing"),
        pytest.param({}, {"changed": 15, "args": {"a": 1}}, 16, 0, id="another field changes nothing"),
        pytest.param({}, {"changed": 15, **EVERY_7}, 16, 15, id="another value"),
        pytest.param({}, {"changed": 15, **AT_40}, 16, 16, id="a field for another"),
        pytest.param({}, {"changed": 15, **WITH_END}, 16, 15, id="an end"),
        pytest.param(WITH_END, {"changed": 15}, 16, 16, id="no end any more"),
        pytest.param({}, {"changed": None, **EVERY_7}, 16, 16, id="without managedFields now"),
        pytest.param({}, {"changed": 99, **EVERY_7}, 16, 16, id="a change in the future is now"),
        pytest.param({}, {"changed": 0, **EVERY_7}, 16, 16, id="a change as old as the old value is now"),
        pytest.param({"suspend": True}, {"changed": 15}, 16, 16, id="resumed by removal"),
        pytest.param({"suspend": True}, {"changed": 15, "suspend": False}, 16, 15, id="resumed"),
        pytest.param({"suspend": True}, {"changed": None}, 16, 16, id="resumed without managedFields"),
        pytest.param({"paused": "true"}, {"changed": 15}, 16, 16, id="no pause any more"),
        pytest.param(
            {"paused": "true"}, {"changed": 15, "paused": "false"}, 16, 15, id="not paused any more"
        ),
        pytest.param({"paused": "?"}, {"changed": 15}, 16, 16, id="no unreadable pause any more"),
        pytest.param({"paused": "?"}, {"changed": 15, "paused": "false"}, 16, 15, id="readable"),
        pytest.param(
            {"paused": "true"}, {"changed": 15, "suspend": True}, 16, 0, id="still held, by suspend"
        ),
        pytest.param(
            {"paused": "true"},
            {"changed": 15, "suspend": False, "paused": "false"},
            16,
            15,
            id="not paused any more, nor suspended",
        ),
        pytest.param({"paused": until(12)}, {"paused": until(12)}, 16, 12, id="the pause is over"),
        pytest.param(
            {"paused": until(12)}, {"paused": until(12), "changed": 15}, 16, 12, id="over, then a label"
        ),
        pytest.param(
            {"paused": until(12)}, {"paused": until(12), "changed": None}, 16, 12, id="over, no fields"
        ),
        pytest.param({"paused": until(12)}, {"changed": 15}, 16, 16, id="over, or extended, then removed"),
        pytest.param(
            {"paused": until(12)},
            {"changed": 15, "paused": "false"},
            16,
            15,
            id="over, or extended, then ended",
        ),
        pytest.param({"paused": until(99)}, {"changed": 15}, 16, 16, id="removed before its end"),
        pytest.param(
            {"paused": until(99)}, {"changed": 15, "paused": "false"}, 16, 15, id="ended before its end"
        ),
        pytest.param({"paused": until(99)}, {"changed": 8, "paused": until(10)}, 16, 10, id="shortened"),
        pytest.param(
            {"paused": until(99)}, {"changed": 9, "paused": until(3)}, 16, 9, id="ended by an old instant"
        ),
        pytest.param(
            {"paused": until(9)}, {"changed": 8, "paused": until(12)}, 16, 12, id="extended, then over"
        ),
        pytest.param(
            {"paused": until(9)}, {"changed": 14, "suspend": True}, 16, 9, id="over, then suspended"
        ),
        pytest.param(
            {"paused": until(9)},
            {"changed": 14, "paused": until(9), "suspend": True},
            16,
            9,
            id="over, then suspended, the pause still there",
        ),
        pytest.param(
            {"paused": until(15)}, {"changed": 14, "suspend": True}, 16, 0, id="suspended meanwhile"
        ),
        pytest.param(
            {"paused": "true"}, {"changed": 14, "paused": until(15)}, 16, 15, id="open-ended, then an end"
        ),
        pytest.param(BAD, {"changed": 15, "generation": 2}, 16, 16, id="mended by an edit"),
        pytest.param(BAD, {"changed": None, "generation": 2}, 16, 16, id="mended, without managedFields"),
        pytest.param({}, {"changed": 15, **BAD}, 16, 0, id="broken"),
        pytest.param(
            AT_40, {"schedule": {"cron": 7}, "changed": 15}, 16, 15, id="broken in the schedule itself"
        ),
    ],
)
def test_slots_count_from_the_instant_of_a_change(
    before: dict[str, Any], after: dict[str, Any], now: float, expected: float
) -> None:
    first = look(see(**before), 1)
    assert effect(look(see(first, **after), now)) == expected
    remembered = Remembered(decided=first.status or {})
    assert effect(look(see(**after), now, memory=remembered)) == expected


@pytest.mark.parametrize(
    "seen", [{}, {"seen": {}}, {"seen": {"until": until(0)}}], ids=["nothing", "an empty one", "a part"]
)
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param({}, {"changed": 15, **EVERY_7}, 16, id="edited"),
        pytest.param({"suspend": True}, {"changed": 15, "suspend": False}, 16, id="resumed"),
        pytest.param({"paused": until(99)}, {"changed": 15, "paused": "false"}, 16, id="ended"),
        pytest.param({"paused": until(12)}, {"changed": 15, "paused": until(12)}, 12, id="over"),
        pytest.param({}, {"changed": 15}, 0, id="a label"),
        pytest.param({"suspend": True}, {"changed": 15, "suspend": True}, 0, id="still suspended"),
    ],
)
def test_a_change_since_a_status_that_does_not_tell_what_was_seen_counts_from_now(
    before: dict[str, Any], after: dict[str, Any], expected: float, seen: dict[str, Any]
) -> None:
    first = look(see(**before), 1)
    assert first.status is not None
    del first.status["seen"]
    first.status.update(seen)
    assert effect(look(see(first, **after), 16)) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param({}, 0, id="just created"),
        pytest.param({"changed": None}, 0, id="created without managedFields"),
        pytest.param({"changed": 15, "generation": 4}, 30, id="edited before it was ever seen"),
        pytest.param({"changed": None, "generation": 4}, 30, id="edited, without managedFields"),
        pytest.param({"generation": 2}, 30, id="a field removed before it was ever seen"),
        pytest.param({"changed": 15}, 30, id="written before it was ever seen"),
        pytest.param({"changed": 5, "paused": until(20)}, 30, id="written, paused and over"),
        pytest.param({"paused": until(20)}, 20, id="created paused, and over"),
        pytest.param({"changed": -5}, 0, id="never before the creation"),
        pytest.param({"changed": 99}, 30, id="never after now"),
    ],
)
def test_slots_count_from_the_creation_of_an_object_that_was_not_written_since(
    state: dict[str, Any], expected: float
) -> None:
    assert effect(look(see(**state), 30)) == expected


@pytest.mark.parametrize("verb", ["label", "pause"])
def test_a_label_of_an_object_that_was_never_decided_says_nothing(verb: str) -> None:
    cluster = Cluster(build_spec())
    cluster.pass_to(at(15))
    if verb == "pause":
        cluster.write_user_change(paused="false")
    else:
        cluster.touch()
    assert effect(look(parse_scheduled_job(cluster.item), 30)) == (30 if verb == "pause" else 0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({}, AT_40, id="edited"),
        pytest.param({}, EVERY_7, id="another period"),
        pytest.param(WITH_END, {}, id="no end any more"),
        pytest.param({"suspend": True}, {"suspend": False}, id="resumed"),
        pytest.param({"suspend": True}, {}, id="resumed by removal"),
        pytest.param({"paused": "true"}, {"paused": "false"}, id="unpaused"),
        pytest.param({"paused": "true"}, {}, id="unpaused by removal"),
        pytest.param(BAD, {"generation": 2}, id="mended"),
    ],
)
@pytest.mark.parametrize("policy", ["None", "Latest", "All"])
def test_no_change_fires_the_past(before: dict[str, Any], after: dict[str, Any], policy: str) -> None:
    rule = {"catchUp": {"policy": policy}, "concurrency": {"policy": "Allow"}}
    first = look(see(**before, **rule), 1)
    changed = look(see(first, changed=3600, **after, **rule), 3601)
    assert (list_starts(changed), [j for j in list_verdicts(changed) if "3600" in j]) == ([], [])


def test_the_instant_of_a_change_stays_while_its_status_waits_to_be_stored() -> None:
    bad = look(see(**BAD), 1)
    mended = look(see(bad, generation=2, changed=None), 5)
    later = look(see(bad, generation=2, changed=None), 10, memory=Remembered(decided=mended.status or {}))
    assert (effect(mended), effect(later), list_starts(later)) == (5, 5, [10])


def test_a_function_that_comes_back_counts_from_when_it_is_seen() -> None:
    named = {"template": None, "taskFunctionRef": {"name": "gone"}}
    missing = look(see(**named), 1)
    assert read_condition(missing.status, "Ready") == ("False", "TaskFunctionNotFound")
    assert effect(look(see(missing, changed=5, generation=2), 16)) == 16


def test_a_suspension_that_was_never_stored_still_ends() -> None:
    first = look(see(), 1)
    held = look(see(first, suspend=True, changed=5), 6)
    resumed = look(see(first, changed=15, suspend=False), 16, memory=Remembered(decided=held.status or {}))
    assert (effect(resumed), list_starts(resumed), list_verdicts(resumed)) == (15, [], [])


@pytest.mark.parametrize(
    ("state", "verdicts"),
    [
        pytest.param({"suspend": True, "changed": 25}, ["10..20 x2 Missed Suspended"], id="suspended later"),
        pytest.param({"paused": "true", "changed": 25}, ["10..20 x2 Missed Suspended"], id="paused later"),
        pytest.param({"suspend": True, "changed": 5}, [], id="suspended before"),
        pytest.param({"suspend": True, "changed": 10}, ["10 Missed Suspended"], id="suspended at the slot"),
    ],
)
def test_slots_before_a_hold_are_missed_once(state: dict[str, Any], verdicts: list[str]) -> None:
    first = look(see(), 1)
    held = look(see(first, **state), 100)
    assert list_verdicts(held) == verdicts
    memory = Remembered(verdicts=held.verdicts, decided=held.status or {})
    assert list_verdicts(look(see(first, **state), 101, memory=memory)) == []
    assert list_verdicts(look(see(held, **state), 102)) == []


@pytest.mark.parametrize(
    "then", [{"suspend": True}, {"paused": until(99)}], ids=["suspended", "paused again"]
)
def test_slots_between_a_pause_and_the_next_hold_are_missed(then: dict[str, Any]) -> None:
    paused = look(see(paused=until(15)), 1)
    held = look(see(paused, changed=35, **then), 50)
    assert (effect(held), list_verdicts(held)) == (15, ["20..30 x2 Missed Suspended"])


def test_an_object_that_was_created_suspended_missed_nothing() -> None:
    assert list_verdicts(look(see(suspend=True, changed=None), 50)) == []
