"""What is read of the custom resources, of whatever shape the API server sends."""

from __future__ import annotations

from datetime import datetime

import pytest
from testkit.scheduled_job_runs import build_request_item
from testkit.scheduled_jobs import UID, at, build_item

from sundial_clock.instants import format_instant, parse_instant
from sundial_core.resources.objects import (
    Pause,
    parse_cancelled,
    parse_pause,
    parse_scheduled_job,
    parse_scheduled_job_run,
    parse_task_function,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(None, None, id="absent"),
        pytest.param("false", None, id="false"),
        pytest.param("true", Pause(), id="true"),
        pytest.param("9999-12-31T23:59:59Z", Pause(), id="for ever"),
        pytest.param("2026-01-01T00:00:30Z", Pause(until=at(30)), id="an instant"),
        pytest.param("2026-01-01T02:00:30+02:00", Pause(until=at(30)), id="an instant with an offset"),
        pytest.param("True", Pause(unreadable="True"), id="True"),
        pytest.param("", Pause(unreadable=""), id="empty"),
        pytest.param("2026-01-01T00:00:30", Pause(unreadable="2026-01-01T00:00:30"), id="no offset"),
        pytest.param(
            "9999-12-31T23:59:59-05:00",
            Pause(unreadable="9999-12-31T23:59:59-05:00"),
            id="beyond the calendar",
        ),
        pytest.param("x" * 101, Pause(unreadable="x" * 100), id="long"),
    ],
)
def test_pauses(text: str | None, expected: Pause | None) -> None:
    assert parse_pause(text) == expected


TWO = frozenset({at(10), at(20)})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", frozenset(), id="nothing"),
        pytest.param("2026-01-01T00:00:10Z,2026-01-01T00:00:20Z", TWO, id="two"),
        pytest.param(" 2026-01-01T01:00:10+01:00 ,\n2026-01-01t00:00:20.000Z,x", TWO, id="as people write"),
        pytest.param("2026-01-01T00:00:10", frozenset(), id="without a zone"),
        pytest.param("2026-02-30T00:00:10Z,noon", frozenset(), id="no instants"),
        pytest.param("," * 200_000 + "2026-01-01T00:00:10Z,2026-01-01T00:00:20Z", TWO, id="long"),
        pytest.param("2026-01-01T00:00:10Z" + "," * 200_000, frozenset(), id="only the end is read"),
    ],
)
def test_slots_that_are_cancelled(text: str, expected: frozenset[datetime]) -> None:
    assert parse_cancelled(text) == expected


def test_a_schedule_is_read_with_what_matters() -> None:
    item = build_item(paused="true", generation=7)
    job = parse_scheduled_job(item)
    assert (job.uid, job.ns, job.name, job.generation) == (UID, "team", "tick", 7)
    assert (job.resource_version, job.created_at, job.pause, job.is_deleting) == (10, at(0), Pause(), False)


def test_an_object_without_annotations_spec_or_status_is_read() -> None:
    item = build_item()
    item["metadata"]["annotations"] = None
    del item["spec"], item["status"]
    job = parse_scheduled_job(item)
    assert (job.pause, job.pause_text, job.spec, job.status) == (None, None, {}, {})


@pytest.mark.parametrize(
    "mark", ["uid", "resourceVersion", "namespace", "name", "generation", "creationTimestamp"]
)
def test_what_is_no_scheduled_job_is_not_read(mark: str) -> None:
    item = build_item()
    del item["metadata"][mark]
    with pytest.raises(KeyError):
        parse_scheduled_job(item)


def test_a_task_function_is_read() -> None:
    item = build_item(spec={"handler": {}})
    function = parse_task_function(item)
    assert (function.ns, function.name, function.spec, function.resource_version) == (
        *("team", "tick"),
        {"handler": {}},
        10,
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-01-01T00:00:10Z", "2026-01-01T00:00:10Z"),
        ("2026-01-01T05:30:10+05:30", "2026-01-01T00:00:10Z"),
        ("2026-01-01T00:00:10.25Z", "2026-01-01T00:00:10.250000Z"),
    ],
)
def test_instants_go_there_and_back(text: str, written: str) -> None:
    assert format_instant(parse_instant(text)) == written
    assert parse_instant(written) == parse_instant(text)


@pytest.mark.parametrize(
    "text", ["", "noon", "2026-01-01", "2026-01-01T00:00:10", "0001-01-01T00:00:00+01:00"]
)
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_instant(text)


def test_a_scheduled_job_run_is_read() -> None:
    item = build_request_item({"reason": "x"}, labels={"velero.io/restore-name": "x"})
    request = parse_scheduled_job_run(item)
    assert (request.ns, request.name, request.parent_name) == ("team", "now", "tick")
    assert (request.is_restored, request.is_managed, request.is_deleting) == (True, False, False)
    assert (request.resource_version, request.created_at, request.status) == (30, at(12), {})


@pytest.mark.parametrize("mark", ["uid", "resourceVersion", "namespace", "name", "creationTimestamp"])
def test_what_is_no_scheduled_job_run_is_not_read(mark: str) -> None:
    item = build_request_item()
    del item["metadata"][mark]
    with pytest.raises(KeyError):
        parse_scheduled_job_run(item)
