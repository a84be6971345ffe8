"""What the row of a job shows of its ScheduledJob, and which slots a status tells of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from testkit.mirror_facts import INSTANCE, RUN_ID, build_schedule
from testkit.scheduled_jobs import (
    TEMPLATE,
    at,
    build_item,
    build_spec,
)

from sundial_api.mirror.projection import slots
from sundial_api.mirror.projection.edit_signatures import is_signed, sign_state
from sundial_api.mirror.projection.scheduled_jobs import build_etag, read_schedule
from sundial_api.mirror.projection.task_functions import parse_function
from sundial_clock.instants import format_instant
from sundial_core.resources import names
from sundial_core.resources.readable import MAX_ENTRIES


@pytest.mark.parametrize(
    ("paused", "until"),
    [
        pytest.param(None, None, id="not"),
        pytest.param("false", None, id="said not to be"),
        pytest.param("true", "infinity", id="without an end"),
        pytest.param("2026-02-01T09:00:00+02:00", "2026-02-01T07:00:00+00:00", id="until"),
        pytest.param("tomorrow", "infinity", id="unreadable"),
    ],
)
def test_pauses(paused: str | None, until: str | None) -> None:
    assert build_schedule(paused=paused).row.paused_until == until


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        pytest.param("moving the database", "moving the database", id="words"),
        pytest.param("", None, id="none"),
        pytest.param("password=hunter2 is wrong", "password=[redacted] is wrong", id="a secret"),
        pytest.param("x" * 10_000, "x" * 300, id="huge"),
        pytest.param("a\x00b", "a\ufffdb", id="what Postgres does not take"),
    ],
)
def test_the_reason_of_a_pause_is_text_of_others(reason: str, shown: str | None) -> None:
    row = build_schedule(paused="true", paused_reason=reason).row
    assert row.pause_reason == shown


def test_a_reason_without_a_pause_is_none() -> None:
    assert build_schedule(paused_reason="left behind").row.pause_reason is None


@pytest.mark.parametrize(
    ("marks", "shown"),
    [
        pytest.param({}, None, id="nobody's"),
        pytest.param({"argocd.argoproj.io/sync-wave": "1"}, {"tool": "Argo CD", "name": None}, id="unnamed"),
        pytest.param(
            {"meta.helm.sh/release-name": "x" * 5000},
            {"tool": "Helm", "name": "x" * 252 + "…"},
            id="huge",
        ),
        pytest.param(
            {"meta.helm.sh/release-name": "token=abc123\x00"},
            {"tool": "Helm", "name": "token=[redacted]"},
            id="a secret",
        ),
    ],
)
def test_who_looks_after_a_job(marks: dict[str, str], shown: Any) -> None:
    item = build_item()
    item["metadata"]["annotations"] |= marks
    assert read_schedule(item, 1).row.managed_by == shown


@pytest.mark.parametrize(
    ("status", "word"),
    [
        pytest.param({}, None, id="no run yet"),
        pytest.param({"lastResult": "Succeeded"}, "success", id="success"),
        pytest.param({"lastResult": "TimedOut"}, "failed", id="a timeout shows as failed"),
        pytest.param({"lastResult": "Cancelled"}, "failed", id="cancelled"),
        pytest.param({"lastResult": "Failed", "active": [{"runId": RUN_ID}]}, "running", id="running"),
    ],
)
def test_last_status(status: dict[str, Any], word: str | None) -> None:
    assert build_schedule(status).row.last_status == word


def test_counters_that_somebody_wrote_fit_into_their_columns() -> None:
    forged = {"started": 2**63 - 1, "missed": {"A": 2**63 - 1, "B": 1}, "skipped": {"A": -5}}
    row = build_schedule({"counters": {"verdicts": forged}}).row
    assert (row.started_slots, row.missed_slots, row.skipped_slots) == (2**53, 2**53, 0)


def test_a_row_has_the_whole_schedule() -> None:
    schedule = {"cron": "@daily", "dst": "Literal", "endsAt": "2027-01-01T00:00:00Z"}
    assert build_schedule(spec={"schedule": schedule, "template": TEMPLATE}).row.schedule == schedule


def test_the_defaults_of_a_row() -> None:
    row = build_schedule(spec={"schedule": {"cron": "@daily"}, "template": TEMPLATE}).row
    assert (row.name, row.resource_name, row.time_zone) == ("tick", "tick", "UTC")
    assert (row.max_instances, row.own_timeout_seconds, row.retry_count, row.retry_delay_seconds) == (
        1,
        None,
        3,
        60,
    )
    assert (row.suspended, row.is_ready, row.next_run_time, row.concurrency_policy) == (
        False,
        None,
        None,
        "Forbid",
    )


def test_the_newest_edit_is_not_the_operators() -> None:
    item = build_item(created_by=INSTANCE)
    edits = [
        {"manager": "helm", "time": format_instant(at(1))},
        {"manager": "kubectl-edit", "time": format_instant(at(7))},
        {"manager": "sundial-operator", "time": format_instant(at(9)), "subresource": "status"},
    ]
    item["metadata"]["managedFields"] = edits
    dated = read_schedule(item, 1).date(at(60))
    assert (dated.row.created_by, dated.row.updated_at) == (INSTANCE, format_instant(at(7)))
    assert dated.manager == "kubectl-edit"


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        pytest.param(format_instant(at(60)), (60, "odd"), id="now"),
        pytest.param(format_instant(at(120)), (120, "odd"), id="a clock that is a minute ahead"),
        pytest.param(format_instant(at(121)), (7, "kubectl"), id="the future"),
        pytest.param("9999-12-31T00:00:00Z", (7, "kubectl"), id="never"),
        pytest.param(format_instant(at(7)), (7, ""), id="the same second"),
        pytest.param(format_instant(at(-3600)), (7, "kubectl"), id="before it was created"),
        pytest.param("0001-01-01T00:00:00Z", (7, "kubectl"), id="before all"),
        pytest.param("soon", (7, "kubectl"), id="no time"),
        pytest.param(None, (7, "kubectl"), id="none"),
        pytest.param(["2026-01-01T00:00:09Z"], (7, "kubectl"), id="a list"),
    ],
)
def test_only_a_time_that_can_be_decides_when_an_object_was_edited(
    time: Any, shown: tuple[float, str]
) -> None:
    item = build_item(changed=7)
    item["metadata"]["managedFields"].append({"manager": "odd", "operation": "Apply", "time": time})
    dated = read_schedule(item, 1).date(at(60))
    assert (dated.row.updated_at, dated.manager) == (format_instant(at(shown[0])), shown[1])


@pytest.mark.parametrize(("seconds", "shown"), [(-1, 0), (-60, 0), (-61, None)])
def test_a_new_object_was_edited_when_it_was_created(seconds: float, shown: float | None) -> None:
    item = build_item(changed=seconds)
    dated = read_schedule(item, 1).date(at(60))
    assert dated.row.updated_at == item["metadata"]["creationTimestamp"]
    assert dated.manager == ("kubectl" if shown is not None else "")


def change_spec(item: dict[str, Any]) -> None:
    item["metadata"]["generation"] += 1


def pause(item: dict[str, Any]) -> None:
    item["metadata"]["annotations"][names.PAUSED] = "true"


def write_status(item: dict[str, Any]) -> None:
    item |= {"status": {"lastResult": "Failed"}}
    item["metadata"] |= {"resourceVersion": "99", "labels": {"team": "x"}}


def unsign(item: dict[str, Any]) -> None:
    del item["metadata"]["annotations"][names.UPDATED_STATE]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        pytest.param(lambda _: None, INSTANCE, id="nothing"),
        pytest.param(write_status, INSTANCE, id="what is no edit"),
        pytest.param(change_spec, None, id="the spec"),
        pytest.param(pause, None, id="a pause"),
        pytest.param(unsign, None, id="the signature"),
    ],
)
def test_who_updated_is_known_until_somebody_else_changes_something(
    change: Callable[[dict[str, Any]], None], shown: str | None
) -> None:
    item = sign_state(None, build_item(updated_by=INSTANCE))
    item["metadata"]["generation"] = 1
    change(item)
    assert read_schedule(item, 1).row.updated_by == shown


@pytest.mark.parametrize(
    ("old", "new", "generation"),
    [
        pytest.param({"a": 1}, {"a": 1}, 4, id="the same"),
        pytest.param({"a": 1}, {"a": 2}, 5, id="another value"),
        pytest.param({"a": 1}, {"a": True}, 5, id="another type"),
        pytest.param({"a": 1}, {"a": 1.0}, 5, id="no whole number"),
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, 4, id="another order"),
    ],
)
def test_a_signature_is_of_the_generation_that_the_edit_makes(
    old: dict[str, Any], new: dict[str, Any], generation: int
) -> None:
    before = build_item() | {"spec": old}
    before["metadata"]["generation"] = 4
    signed = sign_state(before, before | {"spec": new})["metadata"]
    assert is_signed(signed | {"generation": generation})


def test_the_etag_changes_with_edits_and_pauses_only() -> None:
    before = build_etag(build_item()["metadata"])
    run = build_item(status={"lastResult": "Failed"})["metadata"] | {"resourceVersion": "99"}
    assert build_etag(run) == before
    assert build_etag(build_item(generation=2)["metadata"]) != before
    assert build_etag(build_item(paused="true")["metadata"]) != before


@pytest.mark.parametrize(
    ("handler", "shown"),
    [
        pytest.param({"celery": {"task": "a.b", "queue": "q"}}, ("celery_task", "a.b", "q"), id="celery"),
        pytest.param({"function": {"path": "a.b"}}, ("async_function", "a.b", None), id="function"),
        pytest.param({"container": {}}, ("container", "", None), id="container"),
    ],
)
def test_handlers(handler: dict[str, Any], shown: tuple[str, str, str | None]) -> None:
    item = build_item({"handler": handler, "name": "clean_up", "system": True})
    row = parse_function(item, 1).row
    assert (row.handler_type, row.handler_path, row.queue) == shown
    assert (row.name, row.resource_name, row.display_name, row.is_system) == (
        "clean_up",
        "tick",
        "clean_up",
        True,
    )


def entries(*seconds: float, **entry: Any) -> list[dict[str, Any]]:
    said = {"verdict": "Skipped", "reason": "AlreadyActive"} | entry
    return [{"slot": format_instant(at(second)), **said} for second in sorted(seconds, reverse=True)]


def test_slots_without_a_run_become_rows() -> None:
    span = {"from": format_instant(at(1)), "to": format_instant(at(9)), "count": 9}
    missed = span | {"verdict": "Missed", "reason": "TooLate", "message": "late"}
    found = slots.parse_slots(build_schedule({"recentSlots": [*entries(12), missed]}))
    assert [(row.verdict, row.reason, row.count, row.first_slot) for row in found] == [
        ("Skipped", "AlreadyActive", 1, format_instant(at(12))),
        ("Missed", "TooLate", 9, format_instant(at(1))),
    ]


def test_a_status_tells_of_runs_what_it_did_not_tell_before() -> None:
    old = entries(10, verdict="Started", runId=RUN_ID)
    new = [*entries(20, verdict="Started", runId=INSTANCE), *old, *entries(5), {"runId": "no"}]
    facts = list(slots.list_status_facts(build_schedule({"recentSlots": new}), old))
    assert [fact.identity.run_id for fact in facts] == [INSTANCE]


@pytest.mark.parametrize(
    ("told", "covered", "expected"),
    [
        pytest.param(range(5), None, False, id="it tells of all since the creation"),
        pytest.param(range(20), None, True, id="it is full, and nothing was mirrored before"),
        pytest.param(range(100, 120), 99, True, id="it begins after what was mirrored"),
        pytest.param(range(100, 120), 100, False, id="it goes on from what was mirrored"),
        pytest.param([1, *range(100, 120)], 99, True, id="an active run of old does not count"),
    ],
)
def test_gaps(told: Any, covered: float | None, expected: bool) -> None:  # noqa: FBT001
    schedule = build_schedule({"recentSlots": entries(*told)})
    assert slots.has_gap(schedule, format_instant(at(covered)) if covered else None) is expected


def test_a_gap_lies_between_what_is_known() -> None:
    row = slots.build_gap("job", at(10), format_instant(at(20)), 7)
    assert (row.first_slot, row.last_slot) == ("2026-01-01T00:00:10.000001Z", "2026-01-01T00:00:19.999999Z")
    assert (row.count, row.verdict) == (7, "NotMirrored")


def test_a_spec_beyond_the_apis_limits_is_shown_as_it_is() -> None:
    spec = build_spec(timeoutSeconds=604_800, concurrency={"policy": "Queue", "maxInstances": 100})
    row = build_schedule(spec=spec).row
    assert (row.own_timeout_seconds, row.max_instances, row.max_queued) == (604_800, 100, 1)


def test_of_a_long_list_no_more_is_read_than_the_operator_reads() -> None:
    slot = format_instant(at(10))
    entry = {"slot": slot, "verdict": "Skipped", "reason": "AlreadyActive"}
    waiting = {"slot": slot, "since": slot, "reason": "AlreadyActive"}
    status = {"cursor": slot, "recentSlots": [entry] * 5000, "queued": [waiting] * 5000}
    row = build_schedule(status).row
    assert (len(row.recent_slots), len(row.out_of_order)) == (
        MAX_ENTRIES["recentSlots"],
        MAX_ENTRIES["queued"],
    )
