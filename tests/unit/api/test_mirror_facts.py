"""What is read of Jobs, Pods, ScheduledJobRuns and Leases, and what is not."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.mirror_facts import (
    INSTANCE,
    build_pod_item,
    build_run_item,
    build_schedule,
    build_termination,
)
from testkit.scheduled_jobs import build_item, build_job_item

from sundial_api.mirror.projection.batches import (
    Burial,
    ObjectKind,
    parse_deleted,
    parse_object,
)
from sundial_api.mirror.projection.instances import Instance, LeaderRow
from sundial_api.mirror.projection.rejects import Reject
from sundial_api.mirror.projection.run_facts import (
    PodFact,
    RunRequestFact,
    parse_pod_fact,
    parse_run_request_fact,
)
from sundial_api.mirror.projection.sanitize import clean_json, trim
from sundial_api.mirror.projection.versions import Version
from sundial_api.mirror.storage.function_ids import INLINE, choose_id, propose_ids
from sundial_core.resources import names


def read_termination(said: Any, code: int = 0) -> PodFact:
    part = parse_pod_fact(
        build_pod_item(build_job_item(10), terminated=build_termination(code, said)), 1
    ).part
    assert isinstance(part, PodFact)
    return part


def test_an_error_and_its_traceback() -> None:
    part = read_termination({"sundial": 1, "error": "no disk", "traceback": "Traceback"}, 3)
    assert (part.error, part.traceback, part.exit_code, part.node) == ("no disk", "Traceback", 3, "node-1")
    assert (part.reason, part.message) == ("Error", "container main exited with code 3")
    assert (part.started_at, part.completed_at) == ("2026-01-01T00:00:11Z", "2026-01-01T00:00:14Z")


def test_what_another_program_wrote_leaves_the_sentence_about_its_exit() -> None:
    part = read_termination("connecting with password=hunter2", 3)
    assert (part.error, part.message) == (None, "container main exited with code 3")
    assert "hunter2" not in str(part)


def test_a_slot_asked_for_is_the_same_instant_however_it_is_written() -> None:
    fact = parse_run_request_fact(build_run_item(scheduledFor="2026-01-01T02:00:10+02:00"), 1)
    assert (fact.identity.slot, fact.identity.trigger) == ("2026-01-01T00:00:10Z", "backfill")


def test_a_request_without_its_parent_waits_for_it() -> None:
    fact = parse_run_request_fact(build_run_item({"scheduledJobUid": ""}), 1)
    assert fact.identity.job_id == ""
    assert isinstance(fact.part, RunRequestFact)
    assert (fact.part.parent_name, fact.part.user_id) == ("tick", INSTANCE)


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        pytest.param(
            ObjectKind.JOB, build_job_item(10, marks={names.ATTEMPT: "second"}), id="a Job's attempt"
        ),
        pytest.param(ObjectKind.JOB, build_job_item(10, run_id="not-a-uuid"), id="a Job's run"),
        pytest.param(ObjectKind.POD, {"metadata": {"uid": "p", "name": "x"}}, id="a Pod without labels"),
        pytest.param(
            ObjectKind.SCHEDULED_JOB, build_item({"schedule": {"moon": "full"}}), id="an unknown schedule"
        ),
        pytest.param(ObjectKind.SCHEDULED_JOB, build_item({"schedule": None}), id="no schedule"),
        pytest.param(ObjectKind.SCHEDULED_JOB_RUN, {"metadata": None}, id="no metadata"),
        pytest.param(ObjectKind.LEASE, {"metadata": {"labels": {names.MEMBER: "true"}}}, id="a bare Lease"),
    ],
)
def test_what_cannot_be_read_is_kept_as_an_excerpt(kind: ObjectKind, item: Any) -> None:
    value = parse_object(kind, item, 1)
    assert isinstance(value, Reject)
    assert (value.kind, bool(value.error), list(value.document)) == (kind.value, True, ["excerpt"])
    assert parse_deleted(kind, item, 1) == Burial(kind, value.key, Version(1, value.resource_version))


def build_lease(holder: str, **marks: str) -> dict[str, Any]:
    labels = {names.MEMBER: "true"} if marks else {}
    instant = "2026-01-01T00:00:10.000000Z"
    return {
        "metadata": {"resourceVersion": "7", "name": "x", "labels": labels, "annotations": marks},
        "spec": {"holderIdentity": holder, "renewTime": instant, "acquireTime": instant},
    }


def test_a_replica_is_read_from_its_lease() -> None:
    marks = {
        names.INSTANCE: INSTANCE,
        names.PID: "41",
        names.HOSTNAME: "host-1",
        names.VERSION: "1.2.3",
        names.STARTED_AT: "2026-01-01T00:00:00Z",
    }
    value = parse_object(ObjectKind.LEASE, build_lease(f"host-1_{INSTANCE}", **marks), 1)
    assert isinstance(value, Instance)
    assert (value.id, value.pid, value.hostname, value.version) == (INSTANCE, 41, "host-1", "1.2.3")
    assert value.last_heartbeat == "2026-01-01T00:00:10Z"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        pytest.param("7", 7, id="a term"),
        pytest.param("9" * 18, 10**18 - 1, id="a long one"),
        pytest.param("9" * 19, None, id="one that no column holds"),
        pytest.param("-1", None, id="negative"),
        pytest.param("²", None, id="a digit that is none"),
        pytest.param("", None, id="empty"),
    ],
)
def test_how_the_installation_stands_is_read_from_the_leaders_own_lease(said: str, found: int | None) -> None:
    marks = {names.INSTANCE: INSTANCE, names.PID: "41", names.STARTED_AT: "2026-01-01T00:00:00Z"}
    told = {names.TERM: said, names.FENCE: "f" * 30, names.STARTS_HELD_BY: "h" * 600}
    value = parse_object(ObjectKind.LEASE, build_lease("", **marks, **told), 1)
    assert isinstance(value, Instance)
    assert (value.term, value.fence, value.held_by) == (found, "f" * 19 + "…", "h" * 499 + "…")
    assert value.held_until is None


@pytest.mark.parametrize(
    ("holder", "found"),
    [
        pytest.param(f"host_1_{INSTANCE}", INSTANCE, id="held"),
        pytest.param("", None, id="released"),
        pytest.param("somebody-else", None, id="by another program"),
    ],
)
def test_who_leads_is_read_from_the_leaders_lease(holder: str, found: str | None) -> None:
    value = parse_object(ObjectKind.LEASE, build_lease(holder), 1)
    assert isinstance(value, LeaderRow)
    assert value.holder_id == found


def test_the_id_of_a_function_never_changes() -> None:
    assert choose_id("team", "reports", {}) == 651182052
    assert all(INLINE < next(propose_ids("team", f"f{n}")) < 2**31 for n in range(1000))


def test_a_function_whose_id_is_taken_gets_the_next_one() -> None:
    first, second = [n for n, _ in zip(propose_ids("team", "reports"), range(2), strict=False)]
    assert choose_id("team", "reports", {first: ("other", "one")}) == second
    assert choose_id("team", "reports", {first: ("team", "reports")}) == first


def test_text_fits_its_column() -> None:
    assert trim("x" * 300, 253) == "x" * 252 + "…"
    assert (trim("a\x00b", 10), trim("", 10), trim(None, 10)) == ("a\ufffdb", None, None)
    assert clean_json({"a": ["\x00", {"b\x00": "\\u0000"}]}) == {"a": ["\ufffd", {"b\ufffd": "\\u0000"}]}


ODD_INSTANTS = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "infinity", "yesterday", "\x00"]


@pytest.mark.parametrize("instant", ODD_INSTANTS)
def test_an_instant_that_nobody_could_read_back_reaches_no_column(instant: str) -> None:
    pod = build_pod_item(build_job_item(10), terminated={"exitCode": 0, "finishedAt": instant})
    part = parse_pod_fact(pod, 1).part
    assert isinstance(part, PodFact)
    assert (part.started_at, part.completed_at) == (None, None)
    pod["metadata"]["annotations"] |= {names.SCHEDULED_FOR: instant}
    assert isinstance(parse_object(ObjectKind.POD, pod, 1), Reject)
    run = parse_run_request_fact(build_run_item({"startedAt": instant, "completedAt": instant}), 1).part
    assert isinstance(run, RunRequestFact)
    assert (run.started_at, run.completed_at) == (None, None)
    status = {"nextRunTime": instant, "lastRunTime": instant, "cursor": instant}
    row = build_schedule(status).row
    assert (row.next_run_time, row.last_run_time, row.cursor) == (None, None, None)
