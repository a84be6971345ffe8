"""What the API writes reaches the custom resources, and the caller's next read has it."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.api_callers import Api

JsonObject = dict[str, Any]


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
    again = await api.create(headers={"Idempotency_Key": "k"}, name="Another name")
    other = await api.create(headers={"Idempotency_Key": "l"})
    assert again == first
    assert other["id"] != first["id"]


async def test_trigger_gives_ids_at_once_and_double_clicks_one_run(api: Api) -> None:
    job = await api.create(maxInstances=2)
    first = await api.ask("POST", f"/jobs/{job['id']}/trigger", Idempotency_Key="k")
    again = await api.ask("POST", f"/jobs/{job['id']}/trigger", Idempotency_Key="k")
    assert again["executionId"] == first["executionId"] == first["celeryTaskId"]
    assert (first["execution"]["status"], first["execution"]["triggeredBy"]) == ("pending", "manual")
    runs = api.cluster.get_json(f"/apis/sundial.dev/v1alpha1/namespaces/{api.ns}/scheduledjobruns")["items"]
    assert [run["metadata"]["uid"] for run in runs] == [first["executionId"]]


async def test_trigger_is_refused_while_running_or_disabled(api: Api) -> None:
    job = await api.create()
    await api.ask("POST", f"/jobs/{job['id']}/trigger")
    assert "already running" in (await api.ask("POST", f"/jobs/{job['id']}/trigger", status=409))["detail"]
    await api.ask("PUT", f"/jobs/{job['id']}/status", {"isEnabled": False})
    assert "disabled" in (await api.ask("POST", f"/jobs/{job['id']}/trigger", status=409))["detail"]


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
