"""When is a change of a field dated? Never before it was made, and exactly where managedFields tells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from testkit.api_server import merge
from testkit.field_managers import FieldManagers
from testkit.scheduled_jobs import (
    at,
    build_item,
    build_scheduled_job,
    build_spec,
    read_seconds,
)
from testkit.user_edits import RECORDING, SCENARIOS, JsonObject

from sundial_clock.instants import format_instant
from sundial_core.decision.edits import (
    MAX_FIELDS,
    Edits,
    compute_edits,
    read_fields,
    was_written_since_creation,
)
from sundial_core.resources import names
from sundial_core.resources.managed_fields import PAUSED, SCHEDULE, SUSPEND
from sundial_core.resources.objects import ScheduledJob, parse_scheduled_job
from sundial_core.resources.schedules import ScheduleSpec

ENDS = f"{SCHEDULE}.endsAt"
RECORDED = json.loads(RECORDING.read_text())
LATER = 1000


@dataclass
class History:
    """What was done to an object, a minute after another: how it was after each step, and how it looked."""

    states: list[JsonObject] = field(default_factory=list)
    views: list[ScheduledJob] = field(default_factory=list)
    managers: FieldManagers = field(default_factory=FieldManagers)

    def update(self, manager: str, change: JsonObject) -> None:
        """Merge a change into the object, as a patch does."""
        old = self.states[-1] if self.states else {"metadata": {}, "spec": {}}
        self.write(manager, merge(old, change))

    def write(self, manager: str, new: JsonObject, applied: JsonObject | None = None) -> None:
        """Store a state of the object, by an update or an apply."""
        old, now = self.states[-1] if self.states else {}, at(60 * len(self.states))
        if applied is None:
            self.managers.update(manager, old, new, now)
        else:
            self.managers.apply(manager, applied, old, new, now)
        self.states.append(new)
        item = build_item()
        metadata = item["metadata"] | new["metadata"] | {"managedFields": self.managers.build()}
        self.views.append(parse_scheduled_job(item | {"metadata": metadata, "spec": new["spec"]}))

    def compare(self, first: int, second: int) -> Edits:
        """Find what has changed between two steps, in which nobody looked."""
        seen = compute_edits(self.views[first], None, at(60 * first)).seen
        return compute_edits(self.views[second], seen, at(LATER))

    def find_change(self, path: str, last: int) -> int:
        """Find the step in which a field got the value, or its absence, that it has after the last one."""
        values = [read_fields(snapshot).get(path) for snapshot in self.views[: last + 1]]
        return max(step for step in range(1, last + 1) if values[step] != values[step - 1])


def annotate(value: str | None) -> JsonObject:
    return {"metadata": {"annotations": {names.PAUSED: value}}}


def label(value: str) -> JsonObject:
    return {"metadata": {"labels": {"edit": value}}}


def end(seconds: float | None) -> JsonObject:
    return {"spec": {"schedule": {"endsAt": format_instant(at(seconds)) if seconds else None}}}


def make(*steps: tuple[str, JsonObject]) -> History:
    history = History()
    history.update("create", {"spec": build_spec(schedule={"cron": "0 9 * * *"}), "metadata": {}})
    for manager, change in steps:
        history.update(manager, change)
    return history


PAUSE = ("annotate", annotate("true"))
SUSPENDED = ("edit", {"spec": {"suspend": True}})


@pytest.mark.parametrize(
    ("steps", "path", "expected"),
    [
        pytest.param([PAUSE], PAUSED, 60, id="added"),
        pytest.param([PAUSE, ("annotate", annotate("false"))], PAUSED, 120, id="modified"),
        pytest.param([PAUSE, ("label", label("a"))], PAUSED, 60, id="added, then a label by another"),
        pytest.param([PAUSE, ("annotate", label("a"))], PAUSED, 120, id="added, then a label by the same"),
        pytest.param([SUSPENDED, PAUSE], SUSPEND, 60, id="by the entry that holds that very field"),
        pytest.param([("edit", end(5))], ENDS, 60, id="a field of the schedule"),
        pytest.param(
            [("edit", {"spec": {"schedule": {"cronFields": {"hour": 9}}}})],
            f"{SCHEDULE}.cronFields.hour",
            60,
            id="a field of a field",
        ),
        pytest.param(
            [("status", {"status": {"a": 1}}), PAUSE], PAUSED, 120, id="after a write of the status"
        ),
    ],
)
def test_what_is_added_or_modified_is_dated_by_the_entry_that_holds_it(
    steps: Any, path: str, expected: float
) -> None:
    dates = make(*steps).compare(0, len(steps)).dates or {}
    assert {name: read_seconds(format_instant(date)) for name, date in dates.items()}[path] == expected


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        pytest.param([PAUSE], [("annotate", annotate(None))], PAUSED, id="a pause"),
        pytest.param(
            [PAUSE],
            [("label", label("a")), ("annotate", annotate(None))],
            PAUSED,
            id="a pause, after a label",
        ),
        pytest.param(
            [PAUSE], [("annotate", annotate(None)), ("annotate", label("a"))], PAUSED, id="then a label"
        ),
        pytest.param([SUSPENDED], [("edit", {"spec": {"suspend": None}})], SUSPEND, id="a suspension"),
        pytest.param([("edit", end(5))], [("edit", end(None))], ENDS, id="an end"),
        pytest.param([("edit", end(5))], [("edit", end(None)), ("edit", label("a"))], ENDS, id="an end, too"),
    ],
)
def test_a_removal_is_dated_when_it_is_seen(before: Any, after: Any, path: str) -> None:
    edits = make(*before, *after).compare(len(before), len(before) + len(after))
    assert edits.dates == {path: at(LATER)}


def test_a_value_that_is_back_is_no_change() -> None:
    history = make(PAUSE, ("annotate", annotate("false")), PAUSE, ("label", label("a")))
    assert history.compare(1, 4) == Edits(at(LATER), {}, history.compare(0, 1).seen)


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"time": format_instant(at(0))}, id="as old as the old value"),
        pytest.param({"time": format_instant(at(-5))}, id="older"),
        pytest.param({"time": format_instant(at(LATER + 1))}, id="in the future"),
        pytest.param({"time": None}, id="without a time"),
        pytest.param({"fieldsV1": {"f:spec": {}}}, id="that does not hold it"),
        pytest.param({"subresource": "status"}, id="of the status"),
    ],
)
def test_an_entry_that_does_not_tell_when(entry: JsonObject) -> None:
    seen = compute_edits(build_scheduled_job(), None, at(1)).seen
    item = build_item(build_spec(suspend=True), changed=5)
    item["metadata"]["managedFields"][0] |= entry
    assert compute_edits(parse_scheduled_job(item), seen, at(LATER)).dates == {SUSPEND: at(LATER)}


def test_what_no_date_tells_counts_from_now() -> None:
    """A status of an older version lacks what was seen; of a change elsewhere nothing is dated here."""
    unseen = compute_edits(build_scheduled_job(), None, at(1))
    assert unseen.may_have_changed(SUSPEND)
    assert unseen.compute_newest(SUSPEND) == at(1)
    assert compute_edits(build_scheduled_job(), {"until": unseen.seen["until"]}, at(1)) == unseen
    edits = compute_edits(build_scheduled_job(build_spec(suspend=True), changed=5), unseen.seen, at(9))
    assert edits.compute_newest(SUSPEND) == at(5)
    assert edits.compute_newest(PAUSED) == at(9)


def test_an_entry_that_holds_what_is_gone_does_not_tell_when_it_went() -> None:
    seen = compute_edits(build_scheduled_job(paused="true"), None, at(1)).seen
    item = build_item(paused="true", changed=5)
    del item["metadata"]["annotations"][names.PAUSED]
    assert compute_edits(parse_scheduled_job(item), seen, at(9)).dates == {PAUSED: at(9)}


def test_without_managed_fields_before_no_time_is_newer() -> None:
    seen = compute_edits(build_scheduled_job(changed=None), None, at(1)).seen
    assert "until" not in seen
    assert compute_edits(build_scheduled_job(build_spec(suspend=True), changed=5), seen, at(9)).dates == {
        SUSPEND: at(9)
    }


def replay(name: str) -> History:
    """Replay what was recorded."""
    history = History()
    for step, recorded in zip(SCENARIOS[name], RECORDED[name], strict=True):
        history.write(step.manager, recorded["after"], step.manifest if step.is_apply else None)
    return history


def list_dates(history: History) -> Iterator[tuple[str, int, datetime]]:
    """List the fields that differ between any two steps, with the second one and the date of the change."""
    for first, second in combinations(range(len(history.views)), 2):
        for path, date in (history.compare(first, second).dates or {}).items():
            yield path, second, date


def check(history: History) -> None:
    """No change is dated before it was made, and a removal when it is seen."""
    for path, step, date in list_dates(history):
        assert date >= at(60 * history.find_change(path, step)), (path, step)
        assert path in read_fields(history.views[step]) or date == at(LATER)


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_change_of_the_recording_is_dated_too_early(name: str) -> None:
    history = replay(name)
    assert list(list_dates(history))
    check(history)


def apply(history: History, manager: str, ends: int | None, suspend: bool | None) -> None:  # noqa: FBT001
    """Let one of those who apply set what it wants, and give up the rest if nobody else holds it."""
    wanted: JsonObject = {"schedule": {"cron": "0 9 * * *"} | (end(ends)["spec"]["schedule"] if ends else {})}
    wanted |= {} if suspend is None else {"suspend": suspend}
    kept = [entry.fields for key, entry in history.managers.entries.items() if key != (manager, "Apply")]
    held = history.managers.entries.get((manager, "Apply"))
    new = deepcopy(history.states[-1])
    for leaf in (("spec", "schedule", "endsAt"), ("spec", "suspend")):
        if held and leaf in held.fields and not any(leaf in fields for fields in kept):
            (new["spec"]["schedule"] if leaf[-1] == "endsAt" else new["spec"]).pop(leaf[-1], None)
    history.write(manager, merge(new, {"spec": wanted}), {"metadata": {}, "spec": wanted})


def test_what_is_applied_is_dated_when_it_is_seen() -> None:
    """Who applies may find there what another has written, who has let go of it."""
    history = make()
    apply(history, "flux", None, suspend=True)
    apply(history, "flux", 5, suspend=True)
    apply(history, "hotfix", 5, suspend=False)
    apply(history, "flux", 5, suspend=False)
    apply(history, "hotfix", None, suspend=None)
    assert history.compare(1, 5).dates == {SUSPEND: at(LATER), ENDS: at(LATER)}


edit = st.one_of(
    st.tuples(
        st.just("update"), st.sampled_from(["a", "b"]), st.sampled_from([annotate("true"), annotate("false")])
    ),
    st.tuples(st.just("update"), st.sampled_from(["a", "b"]), st.just(annotate(None))),
    st.tuples(st.just("update"), st.sampled_from(["a", "b"]), st.sampled_from([end(5), end(6), end(None)])),
    st.tuples(st.just("update"), st.sampled_from(["a", "b"]), st.sampled_from([label("x"), label("y")])),
    st.tuples(
        st.just("apply"),
        st.sampled_from(["one", "two", "three"]),
        st.tuples(st.sampled_from([None, 5, 6]), st.sampled_from([None, True, False])),
    ),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(edits=st.lists(edit, min_size=2, max_size=8))
def test_no_change_is_dated_too_early_whoever_writes(edits: list[tuple[str, str, Any]]) -> None:
    history = make()
    for kind, manager, what in edits:
        if kind == "update":
            history.update(manager, what)
        else:
            apply(history, manager, *what)
    check(history)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param({}, False, id="created"),
        pytest.param({"changed": 1}, True, id="written again"),
        pytest.param({"generation": 2}, True, id="a field removed"),
        pytest.param({"changed": None}, False, id="no managedFields"),
    ],
)
def test_what_was_written_since_the_creation(state: dict[str, Any], expected: object) -> None:
    assert was_written_since_creation(build_scheduled_job(**state)) is expected


def test_what_is_kept_is_small_whatever_the_spec() -> None:
    values = {name.alias or "": "x" * 256 for name in ScheduleSpec.model_fields.values()}
    fields = {"cronFields": dict.fromkeys(map(str, range(8)), "x" * 64)}
    job = build_scheduled_job(build_spec(schedule=values | fields, suspend=True), paused="x" * 100_000)
    assert len(json.dumps(compute_edits(job, None, at(1)).seen)) < 1_200


def test_of_a_schedule_with_more_fields_than_there_are_only_a_change_is_told() -> None:
    many = build_scheduled_job(build_spec(schedule=dict.fromkeys(map(str, range(MAX_FIELDS + 1)), 1)))
    more = replace(many, spec=build_spec(schedule=dict.fromkeys(map(str, range(1000)), 1)), generation=2)
    assert list(read_fields(more)) == [SCHEDULE]
    edits = compute_edits(more, compute_edits(many, None, at(1)).seen, at(9))
    assert (edits.dates, edits.compute_newest(SCHEDULE)) == ({SCHEDULE: at(9)}, at(9))


def test_a_change_that_no_field_explains_counts_from_now() -> None:
    job = build_scheduled_job()
    edits = compute_edits(job, compute_edits(job, None, at(1)).seen, at(9))
    assert (edits.dates, edits.compute_newest(SCHEDULE)) == ({}, at(9))


@pytest.mark.parametrize("time", ["9999-12-31T00:00:00Z", "2100-01-01T00:00:00Z", "soon"])
def test_a_time_that_cannot_be_hides_no_later_change(time: str) -> None:
    seen = None
    for seconds, every in ((0, 10), (15, 7)):
        item = build_item(build_spec(schedule={"interval": {"seconds": every}}), changed=seconds)
        item["metadata"]["managedFields"].append({"manager": "odd", "operation": "Update", "time": time})
        edits = compute_edits(parse_scheduled_job(item), seen, at(seconds + 5))
        seen = edits.seen
    assert edits.dates == {f"{SCHEDULE}.interval.seconds": at(15)}


@pytest.mark.parametrize(("ahead", "is_believed"), [(60, True), (61, False)])
def test_a_clock_may_be_a_minute_ahead(ahead: float, *, is_believed: bool) -> None:
    edits = compute_edits(build_scheduled_job(changed=ahead), None, at(0))
    assert ("until" in edits.seen) == is_believed
