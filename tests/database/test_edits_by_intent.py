"""Only what is wanted otherwise than it is shown is written: an edit is compared with a real answer."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.mirror_rows import mirror
from testkit.scheduled_jobs import TEMPLATE, UID, build_item
from testkit.written_jobs import WRITTEN

from sundial_api.http.errors import HTTPProblem, Invalids
from sundial_api.http.json_values import is_same_json
from sundial_api.jobs import edits, service, writer
from sundial_api.jobs.manifests import Author
from sundial_api.jobs.patches import list_changes
from sundial_api.jobs.schemas import ScheduledJobRead, ScheduledJobUpdate
from sundial_api.jobs.shown import find_shown
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.storage.own_writes import take_deletion
from sundial_api.task_functions import repository as functions

JsonObject = dict[str, Any]

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OF_THE_PAUSE = {"isPaused", "pausedUntil", "pauseReason"}
"""What the switch changes beside what it is asked for."""
AUTHOR = Author(UUID(UID), "ada", NOW)
MANY = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def build_function(name: str, seconds: int, **more: Any) -> JsonObject:
    spec = {"handler": {"container": {}}, "template": TEMPLATE, "defaultTimeoutSeconds": seconds} | more
    item = build_item(spec)
    return item | {"metadata": item["metadata"] | {"name": name, "uid": str(UUID(int=seconds))}}


@pytest.fixture
async def stored(async_connection: AsyncConnection) -> AsyncConnection:
    """Give a database with the functions that the jobs name."""
    for name, seconds in (("clean-up", 777), ("deleted", 888), ("other", 999)):
        await mirror(async_connection, (ObjectKind.TASK_FUNCTION, build_function(name, seconds)))
    return async_connection


async def show(connection: AsyncConnection, item: JsonObject) -> JsonObject:
    """Answer a GET, as JSON."""
    await mirror(connection, (ObjectKind.SCHEDULED_JOB, item))
    row = await service.get_job(connection, UUID(UID))
    answer: JsonObject = json.loads(ScheduledJobRead.model_validate(row).model_dump_json(by_alias=True))
    return answer


async def edit(connection: AsyncConnection, item: JsonObject, body: JsonObject) -> JsonObject:
    """Build what a PUT makes of an object."""
    update = ScheduledJobUpdate.model_validate(json.loads(json.dumps(body)))
    shown = await find_shown(connection, item, NOW)
    assert shown is not None
    wanted = await functions.find_function(connection, update.task_function_id or 0)
    changed = item | {"spec": edits.apply_update(item, update, shown, wanted, NOW)}
    if update.is_enabled is None:
        return changed
    return writer.switch(changed, shown, update.is_enabled, AUTHOR)


def pass_javascript(value: Any) -> Any:
    """Give JSON as a browser sends it back: it knows fractions only, and writes them as short as it can."""
    if isinstance(value, dict):
        return {name: pass_javascript(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [pass_javascript(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    return float(value) if isinstance(value, int) and abs(value) > 2**63 else value


async def delete_function(connection: AsyncConnection, name: str, seconds: int) -> None:
    gone = build_function(name, seconds)
    gone["metadata"]["resourceVersion"] = "30"
    await take_deletion(connection, ObjectKind.TASK_FUNCTION, gone, NOW)


@MANY
@given(item=WRITTEN)
async def test_put_of_a_get_writes_nothing(stored: AsyncConnection, item: JsonObject) -> None:
    async with stored.begin_nested() as example:
        await show(stored, item)
        await delete_function(stored, "deleted", 888)
        answer = await show(stored, item)
        for body in (answer, pass_javascript(answer)):
            assert list_changes(item, await edit(stored, item, body)) == []
        await example.rollback()


WANTED = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["tick", "Tock"]),
        "description": st.sampled_from([None, "", "for people"]),
        "taskArgs": st.sampled_from([None, {}, {"a": 1}, {"a": True}, {"a": 1.0}, {"a": "1"}]),
        "maxInstances": st.sampled_from([1, 2, "2", 2.0]),
        "timeoutSeconds": st.sampled_from([300, 777, "999"]),
        "retryCount": st.sampled_from([0, 3]),
        "retryDelaySeconds": st.sampled_from([0, 60]),
        "isEnabled": st.sampled_from([True, False, "true"]),
        "timeZone": st.sampled_from(["UTC", "Asia/Tokyo"]),
    },
)


@MANY
@given(item=WRITTEN, body=WANTED)
async def test_answer_to_an_edit_shows_what_was_wanted(
    stored: AsyncConnection, item: JsonObject, body: JsonObject
) -> None:
    async with stored.begin_nested() as example:
        before = await show(stored, item)
        changed = await edit_or_none(stored, item, body)
        if changed is not None:
            after = await show(stored, store(changed))
            update = ScheduledJobUpdate.model_validate(body).model_dump(by_alias=True, exclude_unset=True)
            wanted = {name: value for name, value in update.items() if value not in (None, "")}
            kept = {name: before[name] for name in before.keys() - body.keys() - OF_THE_PAUSE}
            assert is_same_json({name: after[name] for name in wanted}, wanted)
            assert is_same_json({name: after[name] for name in kept}, kept)
        await example.rollback()


async def edit_or_none(connection: AsyncConnection, item: JsonObject, body: JsonObject) -> JsonObject | None:
    """Build what an edit makes of an object; None where it is refused."""
    try:
        return await edit(connection, item, body)
    except HTTPProblem as problem:
        if problem.status in (409, 422):
            return None
        raise


def store(item: JsonObject) -> JsonObject:
    """Give an object as it is stored after an edit, that of no user here."""
    metadata = item["metadata"] | {"resourceVersion": "21"}
    return copy.deepcopy(item) | {"metadata": metadata}


@pytest.mark.parametrize(
    ("own", "body", "written"),
    [
        pytest.param(None, {}, None, id="inherits the new one's"),
        pytest.param(None, {"timeoutSeconds": 999}, None, id="what the new one's is"),
        pytest.param(None, {"timeoutSeconds": 777}, 777, id="what the old one's was"),
        pytest.param(60, {}, 60, id="keeps its own"),
        pytest.param(60, {"timeoutSeconds": 777}, 777, id="another one of its own"),
    ],
)
async def test_timeout_with_another_function_is_the_one_that_was_asked_for(
    stored: AsyncConnection, own: int | None, body: JsonObject, written: int | None
) -> None:
    spec = {"schedule": {"cron": "@daily"}, "taskFunctionRef": {"name": "clean-up"}}
    item = build_item(spec | ({"timeoutSeconds": own} if own else {}))
    assert (await show(stored, item))["timeoutSeconds"] == (own or 777)
    other = await find_id(stored, "other")
    changed = await edit(stored, item, body | {"taskFunctionId": other})
    assert changed["spec"]["taskFunctionRef"] == {"name": "other"}
    assert changed["spec"].get("timeoutSeconds") == written


async def find_id(connection: AsyncConnection, name: str) -> int:
    query = text("SELECT id FROM task_functions WHERE resource_name = :name")
    return int(await connection.scalar(query, {"name": name}) or 0)


async def test_job_stays_with_its_function_of_the_system(stored: AsyncConnection) -> None:
    await mirror(stored, (ObjectKind.TASK_FUNCTION, build_function("kept", 555, system=True)))
    item = build_item({"schedule": {"cron": "@daily"}, "taskFunctionRef": {"name": "kept"}})
    answer = await show(stored, item)
    assert list_changes(item, await edit(stored, item, answer)) == []
    with pytest.raises(HTTPProblem, match="of the system") as caught:
        await edit(stored, item, {"taskFunctionId": await find_id(stored, "other")})
    assert caught.value.status == 409


async def test_newer_object_in_the_database_is_read_again_first(stored: AsyncConnection) -> None:
    spec = {"schedule": {"cron": "@daily"}, "template": TEMPLATE}
    item, newer = build_item(spec), build_item(spec | {"suspend": True}, generation=2)
    newer["metadata"]["resourceVersion"] = "11"
    await mirror(stored, (ObjectKind.SCHEDULED_JOB, newer))
    assert await find_shown(stored, item, NOW) is None
    shown = await find_shown(stored, newer, NOW)
    assert shown is not None
    assert not shown.job.is_enabled


async def test_object_that_cannot_be_read_is_refused(stored: AsyncConnection) -> None:
    item = build_item({"schedule": {"cron": "@daily"}, "template": TEMPLATE})
    await show(stored, item)
    odd = build_item({"schedule": {"moon": "full"}, "template": TEMPLATE}, generation=2)
    odd["metadata"]["resourceVersion"] = "11"
    with pytest.raises(HTTPProblem, match="cannot read") as caught:
        await find_shown(stored, odd, NOW)
    assert caught.value.status == 409


PAST = {"jobTypeId": 3, "scheduleConfig": {"at": "2020-01-01T00:00:00Z"}}
NEVER = {"jobTypeId": 2, "scheduleConfig": {"month": 2, "day": 30}}


@pytest.mark.parametrize(
    ("schedule", "body", "place"),
    [
        pytest.param(
            {"cron": "@daily"}, PAST, ["body", "scheduleConfig", "at"], id="an instant that has passed"
        ),
        pytest.param({"cron": "@daily"}, NEVER, ["body", "scheduleConfig"], id="a day that never comes"),
        pytest.param(
            {"cron": "@daily", "endsAt": "2020-01-01T00:00:00Z"},
            {"scheduleConfig": {"expression": "@hourly"}},
            ["body", "scheduleConfig"],
            id="after the end of the window",
        ),
        pytest.param({"at": "2020-01-01T00:00:00Z"}, PAST | {"retryCount": 1}, None, id="stays as it is"),
        pytest.param({"at": "2020-01-01T00:00:00Z"}, {"timeZone": "Asia/Tokyo"}, None, id="another zone"),
        pytest.param({"cron": "0 0 30 2 *"}, {"retryCount": 1}, None, id="another field"),
        pytest.param(
            {"interval": {"weeks": 700}, "startsAt": "2020-01-01T00:00:00Z"},
            {"scheduleConfig": {"weeks": 600}},
            ["body", "scheduleConfig"],
            id="longer than ten years",
        ),
    ],
)
async def test_schedule_that_never_comes_is_refused_where_it_is_asked_for(
    stored: AsyncConnection, schedule: JsonObject, body: JsonObject, place: list[str] | None
) -> None:
    item = build_item({"schedule": schedule, "template": TEMPLATE})
    await show(stored, item)
    if place is None:
        assert list_changes(item, await edit(stored, item, body)) != []
        return
    with pytest.raises(Invalids) as caught:
        await edit(stored, item, body)
    assert caught.value.errors[0].loc == tuple(place)
    assert caught.value.errors[0].sentence.english.startswith(("has passed", "names no instant"))
