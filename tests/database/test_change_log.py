"""What was changed of jobs, by whom as far as is known, bounded whatever tenants do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.mirror_facts import INSTANCE, build_schedule_item
from testkit.mirror_rows import NOW, read, schedule
from testkit.rows import NOON, change_row, job_row, numbered
from testkit.scheduled_jobs import TEMPLATE, UID, at, build_spec
from testkit.seen_changes import EVE, OTHER, read_newest, see, take, told

from sundial_api.db.mirror_tables import ScheduledJobChange, ScheduledJobState
from sundial_api.db.tables import ScheduledJobRow
from sundial_api.mirror.projection.batches import Absence, ObjectKind, parse_object, sort_values
from sundial_api.mirror.projection.edit_signatures import compute_state
from sundial_api.mirror.projection.versions import Version
from sundial_api.mirror.storage import apply, change_log
from sundial_api.mirror.storage.change_log import ApiCaller, sign_deletion
from sundial_api.mirror.storage.history_retention import RetentionPolicy, delete_batch
from sundial_api.mirror.storage.own_writes import take_deletion
from sundial_api.mirror.storage.tombstones import write_tombstones
from sundial_clock.instants import format_instant
from sundial_core.resources.names import UPDATED_STATE
from sundial_core.resources.raw import JsonObject

API_MARKS = {"updated_by": OTHER}


@pytest.fixture
def connection(async_connection: AsyncConnection) -> AsyncConnection:
    """Give a connection whose transaction is rolled back."""
    return async_connection


async def describe(connection: AsyncConnection, number: int) -> None:
    """Have the description be changed once a second."""
    how = {"generation": 1 + number, "changed": number, "spec_description": f"v{number}"}
    await see(connection, 10 + number, number, **how)


async def list_kinds(connection: AsyncConnection) -> list[str]:
    query = "SELECT kind FROM scheduled_job_changes ORDER BY seen_at, version"
    return list(await connection.scalars(text(query)))


async def test_a_status_or_a_repeat_is_no_change(connection: AsyncConnection) -> None:
    await see(connection, 10)
    await see(connection, 11, status={"activeCount": 1})
    await see(connection, 11, status={"activeCount": 1})
    await see(connection, 12, **API_MARKS)
    assert await list_kinds(connection) == ["created"]


@pytest.mark.parametrize(
    ("how", "fields"),
    [
        pytest.param({"spec_suspend": True}, [told("spec.suspend", None, True)], id="suspended"),
        pytest.param({"paused": "true"}, [told("paused", None, "true")], id="paused"),
        pytest.param(
            {"paused": "true", "paused_reason": "release", "paused_by": "Maryam"},
            [
                told("paused", None, "true"),
                told("pausedBy", None, "Maryam"),
                told("pausedReason", None, "release"),
            ],
            id="paused-with-words",
        ),
        pytest.param(
            {"spec_schedule": {"cron": "0 9 * * *"}},
            [told("spec.schedule.cron", None, "0 9 * * *"), told("spec.schedule.interval.seconds", 10, None)],
            id="another-schedule",
        ),
        pytest.param({"spec_retry": {"count": 2}}, [told("spec.retry.count", 0, 2)], id="retries"),
        pytest.param(
            {"spec_args": {"password": "s3cret-1"}}, [told("spec.args", None, "(not shown)")], id="args"
        ),
        pytest.param(
            {"spec_template": TEMPLATE | {"metadata": {"labels": {"a": "b"}}}},
            [told("spec.template", "(not shown)", "(not shown)")],
            id="template",
        ),
        pytest.param(
            {"spec_description": "https://u:hunter2@host/"},
            [told("spec.description", None, "https://[redacted]@host/")],
            id="a-secret-in-words",
        ),
    ],
)
async def test_a_change_tells_what_was_before_and_after(
    connection: AsyncConnection, how: dict[str, Any], fields: list[JsonObject]
) -> None:
    await see(connection, 10)
    await see(connection, 20, generation=2, changed=5, **how)
    shown = await read_newest(connection)
    assert [f["field"] for f in shown] == [f["field"] for f in fields]
    assert shown == fields


async def test_a_change_of_private_values_is_told_and_none_is_kept(connection: AsyncConnection) -> None:
    await see(connection, 10, spec_args={"password": "first-s3cret"})
    await see(connection, 20, generation=2, changed=5, spec_args={"password": "second-s3cret"})
    assert await read_newest(connection) == [told("spec.args", "(not shown)", "(not shown)")]
    kept = [*await read(connection, "scheduled_job_changes", "CAST(fields AS text)")]
    kept += await read(connection, "scheduler_job_states", "CAST(state AS text)")
    assert "s3cret" not in "".join(kept)


async def test_what_was_changed_while_nothing_was_mirrored_is_one_entry(connection: AsyncConnection) -> None:
    await see(connection, 10)
    await see(
        connection, 90, generation=7, changed=50, spec_suspend=True, spec_description="x", paused="true"
    )
    assert await list_kinds(connection) == ["created", "changed"]
    assert len(await read_newest(connection)) == 3


async def test_who_wrote_is_told_by_a_newer_time_only(connection: AsyncConnection) -> None:
    await see(connection, 10, manager="helm")
    assert await read_newest(connection, "manager, changed_at") == ("helm", at(0))
    await see(connection, 20, 1, generation=2, changed=5, manager="kubectl-edit", spec_suspend=True)
    assert await read_newest(connection, "manager, changed_at") == ("kubectl-edit", at(5))
    await see(connection, 30, 2, generation=3, changed=5, manager="kubectl-edit")
    assert await read_newest(connection, "kind, manager, changed_at") == ("changed", None, None)
    future = (NOW - at(0)).total_seconds() + 3600
    await see(connection, 40, 3, generation=4, changed=future, spec_suspend=True)
    assert await read_newest(connection, "manager, changed_at") == (None, None)


async def test_a_state_that_the_api_left_tells_who_wrote(connection: AsyncConnection) -> None:
    await see(connection, 10)
    kind, item = schedule(30, generation=3, changed=0, spec_suspend=True, **API_MARKS)
    annotations = item["metadata"]["annotations"]
    annotations[UPDATED_STATE] = compute_state(3, annotations)
    await take(connection, (kind, item), 1)
    assert await read_newest(connection, "user_id, user_name, changed_at") == (UUID(OTHER), None, None)


async def test_a_deletion_is_told_once_and_signed(connection: AsyncConnection) -> None:
    await see(connection, 10)
    await take_deletion(connection, *schedule(12), NOW)
    await sign_deletion(connection, UID, EVE)
    await take_deletion(connection, *schedule(13), NOW)
    await sign_deletion(connection, UID, ApiCaller(numbered(1), "late", None))
    assert await list_kinds(connection) == ["created", "deleted"]
    assert await read_newest(connection, "user_name, client_address") == ("eve", "192.0.2.7")


async def test_a_job_that_a_list_does_not_name_is_told_as_deleted(connection: AsyncConnection) -> None:
    await see(connection, 10)
    gone = Absence(ObjectKind.SCHEDULED_JOB, Version(1, 50), frozenset())
    await write_tombstones(connection, gone, frozenset({UID}), NOW)
    await write_tombstones(connection, gone, frozenset({UID}), NOW)
    assert await list_kinds(connection) == ["created", "deleted"]


async def test_one_whose_name_is_taken_is_told_as_deleted(connection: AsyncConnection) -> None:
    await see(connection, 10)
    await see(connection, 20, 1, uid=OTHER)
    told_of = await read(connection, "scheduled_job_changes", "kind, CAST(job_id AS text)")
    assert sorted(told_of) == [("created", OTHER), ("created", UID), ("deleted", UID)]


async def test_a_row_of_the_release_before_has_no_entry_until_it_is_changed(
    connection: AsyncConnection,
) -> None:
    await see(connection, 10)
    for table in ("scheduled_job_changes", "scheduler_job_states"):
        await connection.execute(text(f"DELETE FROM {table}"))
    await see(connection, 11, status={"activeCount": 1})
    assert await list_kinds(connection) == []
    await see(connection, 20, generation=2, changed=5, spec_suspend=True)
    assert await read_newest(connection) == [told("spec.suspend", None, True)]


async def test_many_changes_in_a_short_time_are_told_as_one(connection: AsyncConnection) -> None:
    await see(connection, 10)
    for number in range(1, 101):
        await describe(connection, number)
    rows = await read(connection, "scheduled_job_changes", "count(*), sum(change_count)")
    assert rows == [(change_log.MAX_IN_WINDOW, 101)]
    assert await read_newest(connection) == [told("spec.description", "v18", "v100", changes=82)]
    await see(connection, 500, 3600, generation=500, changed=3600, spec_description="later")
    assert await read_newest(connection) == [told("spec.description", "v100", "later")]


async def test_what_was_changed_and_changed_back_is_told(connection: AsyncConnection) -> None:
    await see(connection, 10)
    for number in range(1, 22):
        await describe(connection, number)
    evil = {"spec_args": {"pay": "evil"}, "spec_timeoutSeconds": 3600, "spec_suspend": True}
    await see(connection, 40, 22, generation=23, changed=22, spec_description="v21", **evil)
    await see(connection, 50, 23, generation=24, changed=23, spec_description="v21")
    assert await read_newest(connection) == [
        told("spec.args", None, None, changes=2),
        told("spec.description", "v18", "v21", changes=3),
        told("spec.suspend", None, None, changes=2),
        told("spec.timeoutSeconds", None, None, changes=2),
    ]
    assert await read_newest(connection, "change_count, manager") == (5, "kubectl")


async def test_what_was_changed_back_before_anybody_looked_leaves_a_trace(
    connection: AsyncConnection,
) -> None:
    await see(connection, 10)
    await see(connection, 30, 1, generation=3, changed=5)
    assert await read_newest(connection, "kind, change_count, manager, fields") == (
        "changed",
        2,
        "kubectl",
        [],
    )


async def test_entries_of_two_lives_of_a_cluster_are_never_joined(connection: AsyncConnection) -> None:
    await see(connection, 10)
    for number in range(1, 25):
        await describe(connection, number)
    reborn = parse_object(*schedule(5, generation=30, changed=25, spec_suspend=True), 2)
    await apply.apply_batch(connection, sort_values([reborn]), NOW + timedelta(seconds=25))
    query = "SELECT from_version, change_count FROM scheduled_job_changes WHERE epoch = 2"
    assert (await connection.execute(text(query))).one() == (0, 5)


@pytest.mark.parametrize("joins", [0, 1])
async def test_entries_of_two_managers_are_never_joined(connection: AsyncConnection, joins: int) -> None:
    await see(connection, 10)
    for number in range(1, 25):
        await describe(connection, number)
    manager = ("helm", "kubectl")[joins]
    await see(
        connection, 50, 25, manager, generation=26, changed=25, spec_description="v24", spec_suspend=True
    )
    assert await read_newest(connection, "manager, change_count") == (manager, 1 + 6 * joins)
    rows = await read(connection, "scheduled_job_changes", "id")
    assert len(rows) == change_log.MAX_IN_WINDOW + 1 - joins


async def test_no_field_is_forgotten_where_too_many_were_touched(
    connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "MAX_JOINED", 2)
    await see(connection, 10)
    for number in range(1, 21):
        await describe(connection, number)
    for number, name in enumerate(("suspend", "timeoutSeconds"), start=21):
        how = {"generation": 1 + number, "changed": number, "spec_description": "v20", f"spec_{name}": 1}
        await see(connection, 10 + number, number, **how)
    assert [change["field"] for change in await read_newest(connection)] == [
        "spec.suspend",
        "spec.timeoutSeconds",
    ]
    assert len(await read(connection, "scheduled_job_changes", "id")) == change_log.MAX_IN_WINDOW + 1


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        pytest.param("x" * 900, "x" * 899 + "y", "x" * 299 + "…", id="beyond-what-is-shown"),
        pytest.param("x" * 900, "x" * 299 + "…", "x" * 299 + "…", id="as-it-is-cut"),
        pytest.param("https://u:one@host/", "https://u:two@host/", "https://[redacted]@host/", id="redacted"),
    ],
)
async def test_a_change_of_what_is_not_shown_is_told(
    connection: AsyncConnection, first: str, second: str, shown: str
) -> None:
    await see(connection, 10, spec_description=first)
    await see(connection, 20, 1, generation=2, changed=5, spec_description=second)
    assert await read_newest(connection) == [told("spec.description", shown, shown)]
    await see(connection, 30, 2, generation=3, changed=6, spec_description=second, spec_suspend=True)
    assert await read_newest(connection) == [told("spec.suspend", None, True)]


@pytest.mark.parametrize(
    "time",
    ["9999-12-31T00:00:00Z", "2100-01-01T00:00:00Z", "yesterday", "0001-01-01T00:00:00Z", 7, None],
)
async def test_a_time_that_cannot_be_hides_no_later_change(connection: AsyncConnection, time: Any) -> None:
    await see(connection, 10)
    odd = {"manager": "argocd-controller", "operation": "Apply", "time": time}
    for version, seconds in ((20, 5), (30, 9)):
        kind, item = schedule(version, generation=version, changed=seconds, spec_description=f"{version}")
        item["metadata"]["managedFields"].append(odd)
        await take(connection, (kind, item), seconds)
        assert await read_newest(connection, "changed_at, manager") == (at(seconds), "kubectl")
        assert await read(connection, "scheduled_jobs", "updated_at") == [at(seconds)]


@pytest.mark.parametrize(
    ("spec", "operation", "manager"),
    [
        pytest.param({"description": "y", "suspend": True}, "Update", "kubectl", id="held"),
        pytest.param({"description": "y", "args": {"a": 1}}, "Update", "kubectl", id="held-as-a-whole"),
        pytest.param({"description": "y"}, "Apply", None, id="found-there-perhaps"),
        pytest.param({"suspend": True}, "Update", None, id="removed"),
        pytest.param({"description": "y", "retry": {"count": 1}}, "Update", None, id="held-by-nobody"),
    ],
)
async def test_a_change_in_the_same_second_is_of_who_holds_it(
    connection: AsyncConnection, spec: JsonObject, operation: str, manager: str | None
) -> None:
    await see(connection, 10)
    await see(connection, 20, 1, generation=2, changed=5, spec=build_spec(description="x"))
    kind, item = schedule(30, generation=3, changed=5, spec=build_spec(**spec))
    (entry,) = item["metadata"]["managedFields"]
    del entry["fieldsV1"]["f:spec"]["f:retry"]
    entry["operation"] = operation
    await take(connection, (kind, item), 1)
    assert await read_newest(connection, "version, manager") == (30, manager)


async def test_a_clock_a_little_ahead_is_believed_and_told_as_now(connection: AsyncConnection) -> None:
    await see(connection, 10)
    ahead = (NOW - at(0)).total_seconds() + 59
    await see(connection, 20, 1, generation=2, changed=ahead, spec_suspend=True)
    assert await read_newest(connection, "manager, changed_at") == ("kubectl", NOW + timedelta(seconds=1))


async def test_of_two_managers_in_one_second_neither_is_told(connection: AsyncConnection) -> None:
    await see(connection, 10)
    kind, item = schedule(20, generation=2, changed=5, spec_suspend=True)
    item["metadata"]["managedFields"].append({"manager": "helm", "time": format_instant(at(5))})
    await take(connection, (kind, item), 5)
    assert await read_newest(connection, "manager, changed_at") == (None, at(5))


async def test_only_the_newest_entries_of_a_job_are_kept(
    connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "MAX_KEPT", 3)
    await take(connection, (ObjectKind.SCHEDULED_JOB, build_schedule_item(5, OTHER, "other")))
    await see(connection, 10)
    for number in range(1, 6):
        await describe(connection, number)
    after = "fields -> 0 ->> 'after'"
    kept = await connection.scalars(text(f"SELECT {after} FROM scheduled_job_changes WHERE job_id = '{UID}'"))
    assert sorted(kept) == ["v3", "v4", "v5"]
    assert len(await read(connection, "scheduled_job_changes", "id", f"job_id = '{OTHER}'")) == 1


async def test_an_entry_has_bounds_whatever_the_object_holds(connection: AsyncConnection) -> None:
    deep: Any = "x"
    for _ in range(400):
        deep = [deep]
    wide = {f"k{number}" * 50: "\x00" * 5000 for number in range(500)}
    odd = {"schedule": {"cron": "0 9 * * *"}, "args": {"a": 1}, "wide": wide, "deep": deep, "big": 2**80}
    await see(connection, 10)
    await see(connection, 20, 1, generation=2, changed=5, spec=build_spec(**odd))
    fields = await read_newest(connection)
    assert (len(fields) <= 130, {type(change["after"]) for change in fields} <= {str, int, type(None)}) == (
        True,
        True,
    )
    assert max(len(str(change)) for change in fields) < 1000


async def test_old_entries_go_and_a_deleted_job_stays_as_long_as_it_has_any(
    connection: AsyncConnection,
) -> None:
    rows = [job_row(1, deleted_at=NOON - timedelta(days=9)), job_row(2, deleted_at=NOON - timedelta(days=9))]
    await connection.execute(insert(ScheduledJobRow), [{"deleted_at": None} | row for row in rows])
    states = [{"job_id": numbered(number), "state": {}} for number in (1, 2)]
    await connection.execute(insert(ScheduledJobState), states)
    for number, day in ((1, 0), (2, -2)):
        row = change_row(number, job_id=numbered(number), seen_at=NOON + timedelta(days=day))
        await connection.execute(insert(ScheduledJobChange).values(row))
    while await delete_batch(connection, RetentionPolicy(NOON - timedelta(days=1), 100)):
        pass
    assert await read(connection, "scheduled_job_changes", "job_id") == [numbered(1)]
    assert await read(connection, "scheduled_jobs", "id") == [numbered(1)]
    assert await read(connection, "scheduler_job_states", "job_id") == [numbered(1)]


async def test_no_more_old_entries_go_at_once_than_asked(connection: AsyncConnection) -> None:
    rows = [change_row(number) for number in range(5)]
    await connection.execute(insert(ScheduledJobChange), rows)
    assert await delete_batch(connection, RetentionPolicy(NOON + timedelta(days=1), 100), 2) == 2
    left = await read(connection, "scheduled_job_changes", "seen_at")
    assert left == [NOON + timedelta(minutes=number) for number in (2, 3, 4)]


async def test_the_creator_is_told_where_the_api_made_it(connection: AsyncConnection) -> None:
    await see(connection, 10, manager="sundial-api", created_by=INSTANCE)
    assert await read_newest(connection, "kind, user_id, generation") == ("created", UUID(INSTANCE), 1)
