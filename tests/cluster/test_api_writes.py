"""What the API writes reaches the custom resources, and the caller's next read has it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert
from testkit.api_callers import Api
from testkit.rows import instance_row

from sundial_api.db.tables import SchedulerInstance

JsonObject = dict[str, Any]

TWO = {"spec": {"template": {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}}}
UNFIT = {"handler": {"celery": {"task": "a.b"}}, "template": TWO}
"""A Celery task whose template does not say which container has the code."""


async def test_job_becomes_a_resource_and_the_next_read_has_it(api: Api) -> None:
    job = await api.create(name="مهمة الليل", description="x", taskArgs={"a": None}, retryCount=0)
    spec = api.read(job)["spec"]
    assert (spec["displayName"], spec["args"], spec["retry"]["count"]) == ("مهمة الليل", {"a": None}, 0)
    assert spec["schedule"] == {"interval": {"hours": 1}, "timeZone": "Africa/Cairo", "dst": "Once"}
    assert spec["taskFunctionRef"] == {"name": "clean-up"}
    read = await api.ask("GET", f"/jobs/{job['id']}")
    assert {name: read[name] for name in job} == job
    assert job["resourceName"].startswith("job-")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        pytest.param({"scheduleConfig": {"hours": -1}}, ["body", "scheduleConfig", "hours"], id="period"),
        pytest.param({"scheduleConfig": {}}, ["body", "scheduleConfig"], id="no period"),
        pytest.param(
            {"jobTypeId": 2, "scheduleConfig": {"hour": 25}}, ["body", "scheduleConfig", "hour"], id="hour"
        ),
        pytest.param(
            {"jobTypeId": 3, "scheduleConfig": {"at": "2020-01-01T00:00:00Z"}},
            ["body", "scheduleConfig", "at"],
            id="has passed",
        ),
        pytest.param(
            {"jobTypeId": 3, "scheduleConfig": {"at": "2999-01-01T00:00:00Z"}},
            ["body", "scheduleConfig"],
            id="beyond ten years",
        ),
        pytest.param(
            {"jobTypeId": 2, "scheduleConfig": {"month": 2, "day": 30}},
            ["body", "scheduleConfig"],
            id="never",
        ),
        pytest.param({"timeZone": "Mars"}, ["body", "timeZone"], id="zone"),
        pytest.param({"name": "x"}, ["body", "name"], id="name"),
        pytest.param({"maxInstances": 11}, ["body", "maxInstances"], id="limit"),
        pytest.param({"taskFunctionId": 5}, ["body", "taskFunctionId"], id="no function"),
        pytest.param({"taskFunctionId": 1}, ["body", "taskFunctionId"], id="inline"),
        pytest.param({"namespace": "elsewhere"}, ["body", "taskFunctionId"], id="another namespace"),
        pytest.param({"taskArgs": {"x": "y" * 70_000}}, ["body", "taskArgs"], id="args too large"),
        pytest.param({"taskArgs": {str(n): n for n in range(70)}}, ["body", "taskArgs"], id="by the cluster"),
    ],
)
async def test_unusable_values_name_their_place(api: Api, fields: JsonObject, place: list[str]) -> None:
    answer = await api.create(422, **fields)
    assert answer["detail"][0]["loc"] == place


async def test_edit_patches_what_differs_and_keeps_the_rest(api: Api) -> None:
    job = await api.create(taskArgs={"a": 1})
    patch = '{"spec": {"history": {"successful": 9}, "schedule": {"dst": "Literal"}}}'
    api.cluster.kubectl("patch", "-n", api.ns, "sj", job["resourceName"], "--type=merge", "-p", patch)
    edit = {"scheduleConfig": {"minutes": 5}, "taskArgs": {"a": None, "b": True}, "name": "Renamed"}
    changed = await api.ask("PUT", f"/jobs/{job['id']}", edit)
    spec = api.read(job)["spec"]
    assert (spec["history"]["successful"], spec["args"]) == (9, {"a": None, "b": True})
    assert spec["schedule"] == {"interval": {"minutes": 5}, "dst": "Literal", "timeZone": "Africa/Cairo"}
    assert (changed["name"], changed["resourceName"]) == ("Renamed", job["resourceName"])
    assert await api.ask("GET", f"/jobs/{job['id']}") | changed == await api.ask("GET", f"/jobs/{job['id']}")


async def test_values_beyond_the_limits_pass_while_they_do_not_change(api: Api) -> None:
    job = await api.create()
    patch = '{"spec": {"concurrency": {"maxInstances": 50}}}'
    api.cluster.kubectl("patch", "-n", api.ns, "sj", job["resourceName"], "--type=merge", "-p", patch)
    await api.ask("PUT", f"/jobs/{job['id']}", {"maxInstances": 50, "retryCount": 1})
    refused = await api.ask("PUT", f"/jobs/{job['id']}", {"maxInstances": 49}, 422)
    assert refused["detail"][0]["loc"] == ["body", "maxInstances"]
    assert api.read(job)["spec"]["concurrency"]["maxInstances"] == 50


async def test_edit_that_changes_nothing_writes_nothing(api: Api) -> None:
    job = await api.create()
    before = api.read(job)["metadata"]["resourceVersion"]
    same = {name: job[name] for name in ("name", "scheduleConfig", "jobTypeId", "maxInstances", "isEnabled")}
    await api.ask("PUT", f"/jobs/{job['id']}", same | {"description": None, "timeoutSeconds": None})
    assert api.read(job)["metadata"]["resourceVersion"] == before


async def test_toggle_suspends_and_enabling_clears_the_pause_too(api: Api) -> None:
    job = await api.create()
    path = f"/jobs/{job['id']}"
    assert (await api.ask("PUT", f"{path}/status", {"isEnabled": False}))["isEnabled"] is False
    assert api.read(job)["spec"]["suspend"] is True
    api.cluster.kubectl("annotate", "-n", api.ns, "sj", job["resourceName"], "sundial.dev/paused=true")
    enabled = await api.ask("PUT", f"{path}/status", {"isEnabled": True})
    assert (enabled["isEnabled"], enabled["isPaused"]) == (True, False)
    assert "sundial.dev/paused" not in api.read(job)["metadata"]["annotations"]


async def test_job_of_a_gitops_tool_is_paused_and_else_left_alone(api: Api) -> None:
    job = await api.create()
    path = f"/jobs/{job['id']}"
    api.mark(job, "kustomize.toolkit.fluxcd.io/name=apps")
    paused = await api.ask("PUT", f"{path}/status", {"isEnabled": False})
    assert (paused["isEnabled"], paused["isPaused"]) == (False, True)
    assert api.read(job)["spec"].get("suspend") is not True
    assert (await api.ask("PUT", f"{path}/status", {"isEnabled": True}))["isEnabled"] is True
    for method, body in (("PUT", {"retryCount": 9}), ("DELETE", None)):
        assert "Flux" in (await api.ask(method, path, body, 409))["detail"]


async def test_enabling_what_git_suspends_is_refused(api: Api) -> None:
    job = await api.create(isEnabled=False)
    api.mark(job, "argocd.argoproj.io/instance=apps")
    refused = await api.ask("PUT", f"/jobs/{job['id']}/status", {"isEnabled": True}, 409)
    assert "Argo CD" in refused["detail"]


async def test_failed_if_match_changes_nothing(api: Api) -> None:
    job = await api.create()
    etag = (await api.http.get(f"/jobs/{job['id']}")).headers["ETag"]
    await api.ask("PUT", f"/jobs/{job['id']}", {"retryCount": 1}, If_Match=etag)
    await api.ask("PUT", f"/jobs/{job['id']}", {"retryCount": 2}, 412, If_Match=etag)
    await api.ask("DELETE", f"/jobs/{job['id']}", None, 412, If_Match=etag)
    assert api.read(job)["spec"]["retry"]["count"] == 1


async def test_deleted_job_is_gone_at_once(api: Api) -> None:
    job = await api.create()
    await api.ask("DELETE", f"/jobs/{job['id']}", status=204)
    await api.ask("GET", f"/jobs/{job['id']}", status=404)
    assert (await api.ask("GET", "/jobs"))["total"] == 0


async def test_repeat_with_the_same_key_gives_the_same_job(api: Api) -> None:
    first = await api.create(headers={"Idempotency_Key": "k"})
    again = await api.create(headers={"Idempotency_Key": "k"}, retryCount="3", description=None)
    other = await api.create(headers={"Idempotency_Key": "l"}, name="Another name")
    assert again == first
    assert other["id"] != first["id"]


async def test_key_with_another_body_is_refused(api: Api) -> None:
    job = await api.create(headers={"Idempotency_Key": "k"}, taskArgs={"a": 1})
    for body in ({"name": "Another name"}, {"taskArgs": {"a": True}}, {"isEnabled": False}):
        refused = await api.create(422, headers={"Idempotency_Key": "k"}, **({"taskArgs": {"a": 1}} | body))
        assert refused["detail"][0]["loc"] == ["header", "idempotency-key"]
    assert (await api.ask("GET", "/jobs"))["total"] == 1
    digest = api.read(job)["metadata"]["annotations"]["sundial.dev/request-digest"]
    assert len(digest) == 32


async def test_key_of_an_object_without_a_digest_stands_for_any_body(api: Api) -> None:
    first = await api.create(headers={"Idempotency_Key": "k"})
    remove = ("annotate", "-n", api.ns, "sj", first["resourceName"], "sundial.dev/request-digest-")
    api.cluster.kubectl(*remove)
    assert (await api.create(headers={"Idempotency_Key": "k"}, name="Another name"))["id"] == first["id"]


async def test_repeat_gives_what_could_not_be_made_any_more(api: Api) -> None:
    first = await api.create(headers={"Idempotency_Key": "k"})
    await api.make_function({"active": False})
    assert (await api.create(headers={"Idempotency_Key": "k"}))["id"] == first["id"]
    await api.create(422, headers={"Idempotency_Key": "l"})


async def test_two_requests_with_one_key_make_one_job(api: Api) -> None:
    keyed = [api.create(headers={"Idempotency_Key": "k"}) for _ in range(5)]
    assert len({job["id"] for job in await asyncio.gather(*keyed)}) == 1


async def test_trigger_gives_ids_at_once_and_double_clicks_one_run(api: Api) -> None:
    job = await api.create(maxInstances=2)
    first = await api.ask("POST", f"/jobs/{job['id']}/trigger", Idempotency_Key="k")
    again = await api.ask("POST", f"/jobs/{job['id']}/trigger", Idempotency_Key="k")
    assert (again["executionId"], first["celeryTaskId"]) == (first["executionId"], None)
    assert (first["execution"]["status"], first["execution"]["triggeredBy"]) == ("pending", "manual")
    runs = api.cluster.get_json(f"/apis/sundial.dev/v1alpha1/namespaces/{api.ns}/scheduledjobruns")["items"]
    assert [run["metadata"]["uid"] for run in runs] == [first["executionId"]]


async def test_trigger_names_the_task_of_a_celery_function_at_once(api: Api) -> None:
    job = await api.adopt({"schedule": {"interval": {"hours": 1}}})
    api.apply_function({"handler": {"celery": {"task": "a.b"}}})
    first = await api.ask("POST", f"/jobs/{job['id']}/trigger", Idempotency_Key="k")
    assert first["celeryTaskId"] == first["execution"]["celeryTaskId"] == first["executionId"]
    again = await api.ask("POST", f"/jobs/{job['id']}/trigger", Idempotency_Key="k")
    assert again["celeryTaskId"] == first["celeryTaskId"]


async def test_trigger_is_refused_while_running_or_disabled(api: Api) -> None:
    job = await api.create()
    await api.ask("POST", f"/jobs/{job['id']}/trigger")
    assert "already running" in (await api.ask("POST", f"/jobs/{job['id']}/trigger", status=409))["detail"]
    await api.ask("PUT", f"/jobs/{job['id']}/status", {"isEnabled": False})
    assert "disabled" in (await api.ask("POST", f"/jobs/{job['id']}/trigger", status=409))["detail"]


async def seat_leader(api: Api, **how: Any) -> None:
    """Let the database know a leader that was heard of just now."""
    row = instance_row(is_leader=True, term=1, last_heartbeat=func.now(), **how)
    async with api.engine.begin() as connection:
        await connection.execute(insert(SchedulerInstance).values(row))


async def test_trigger_asks_the_object_and_not_the_row(api: Api) -> None:
    job = await api.create()
    await seat_leader(api)
    for change, words in (
        ({"spec": {"suspend": True}}, "disabled"),
        (
            {"spec": {"suspend": False}, "metadata": {"annotations": {"sundial.dev/paused": "true"}}},
            "the job is paused; resume it first",
        ),
        ({"metadata": {"annotations": {"sundial.dev/paused": None}}}, None),
    ):
        api.patch(job, change)
        answer = await api.http.post(f"/jobs/{job['id']}/trigger")
        assert (words or "was started") in answer.text
        assert answer.status_code == (200 if words is None else 409)


HELD = "all starts are held now, and it waits; see hold in GET /status"
NO_LEADER = "no operator leads now, and it waits for one; see isRunning in GET /status"
NO_FUNCTION = "its task function is missing, and it waits an hour for that"


async def test_trigger_promises_no_start_where_none_comes_now(api: Api) -> None:
    job = await api.create(maxInstances=10)
    told = await api.ask("POST", f"/jobs/{job['id']}/trigger")
    assert told["message"] == "a run of Clean up was asked for; " + NO_LEADER
    await seat_leader(api, held_by="SUNDIAL_HOLD")
    told = await api.ask("POST", f"/jobs/{job['id']}/trigger")
    assert told["message"] == "a run of Clean up was asked for; " + HELD
    async with api.engine.begin() as connection:
        await connection.execute(delete(SchedulerInstance))
    api.cluster.kubectl("delete", "-n", api.ns, "taskfunctions", "--all")
    told = await api.ask("POST", f"/jobs/{job['id']}/trigger")
    assert told["message"] == "a run of Clean up was asked for; " + NO_FUNCTION


@pytest.mark.parametrize(
    ("spec", "function", "reason"),
    [
        pytest.param({"schedule": {"cron": "0 25 * * *"}}, {}, "InvalidSchedule", id="schedule"),
        pytest.param({"args": {"x": "y" * 70_000}}, {}, "ArgsTooLarge", id="arguments"),
        pytest.param({"startTimeoutSeconds": 500}, {"defaultTimeoutSeconds": 400}, "InvalidSpec", id="spec"),
        pytest.param({}, UNFIT, "TemplateInvalid", id="template"),
    ],
)
async def test_trigger_that_the_operator_would_refuse_is_409_with_the_reason(
    api: Api, spec: JsonObject, function: JsonObject, reason: str
) -> None:
    job = await api.adopt({"schedule": {"interval": {"hours": 1}}} | spec)
    api.apply_function(function)
    refused = await api.ask("POST", f"/jobs/{job['id']}/trigger", status=409)
    assert f"the job cannot run: {reason}: " in refused["detail"]
    runs = f"/apis/sundial.dev/v1alpha1/namespaces/{api.ns}/scheduledjobruns"
    assert api.cluster.get_json(runs)["items"] == []


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"schedule": {"at": "2020-01-01T00:00:00Z"}}, id="InThePast"),
        pytest.param({"schedule": {"cron": "0 0 30 2 *"}}, id="NeverFires"),
        pytest.param({"schedule": {"cron": "@daily", "endsAt": "2020-01-01T00:00:00Z"}}, id="Completed"),
        pytest.param(
            {"schedule": {"cron": "@daily"}, "taskFunctionRef": {"name": "to-come"}},
            id="TaskFunctionNotFound",
        ),
    ],
)
async def test_trigger_of_a_job_without_slots_to_come_runs(api: Api, spec: JsonObject) -> None:
    job = await api.adopt(spec)
    answer = await api.ask("POST", f"/jobs/{job['id']}/trigger")
    assert answer["execution"]["status"] == "pending"


async def test_waiting_run_is_withdrawn_by_cancel(api: Api) -> None:
    job = await api.create()
    run = (await api.ask("POST", f"/jobs/{job['id']}/trigger"))["executionId"]
    await api.ask("POST", f"/executions/{run}/cancel")
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{api.ns}/scheduledjobruns"
    assert api.cluster.get_json(path)["items"] == []


async def test_preview_says_what_a_schedule_would_do(api: Api) -> None:
    body = {"jobTypeId": 2, "scheduleConfig": {"expression": "0 9 * * 1-5"}, "count": 2}
    answer = await api.ask("POST", "/preview", body)
    assert answer["text"] == "At 09:00, Monday to Friday (Africa/Cairo)"
    assert [slot["local"][11:16] for slot in answer["slots"]] == ["09:00", "09:00"]


async def test_preview_of_a_job_says_when_it_runs_next(api: Api) -> None:
    job = await api.create(jobTypeId=1, scheduleConfig={"hours": 7})
    body = {"jobId": job["id"], "count": 2}
    stored = await api.ask("POST", "/preview", body)
    created = datetime.fromisoformat(job["createdAt"])
    expected = [created + timedelta(hours=hours) for hours in (7, 14)]
    assert [datetime.fromisoformat(slot["at"]) for slot in stored["slots"]] == expected
    edited = await api.ask("POST", "/preview", body | {"jobTypeId": 1, "scheduleConfig": {"hours": 2}})
    assert datetime.fromisoformat(edited["slots"][0]["at"]) == created + timedelta(hours=2)
    assert (stored["isComplete"], stored["text"]) == (True, "Every 7 hours")


async def test_preview_of_a_job_that_is_not_there_is_404(api: Api) -> None:
    body = {"jobId": "00000000-0000-0000-0000-000000000001"}
    assert await api.ask("POST", "/preview", body, status=404) == {"detail": "there is no job of that id"}
