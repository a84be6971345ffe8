"""How does the contract map onto the cluster? Line by line, on a real control plane and a real Postgres.

| line | test |
|---|---|
| Job: displayName, metadata.name when absent, not unique, renaming | `test_name_*` |
| Job: slug of at most 41 characters, else `job`, and 8 of a hash | `test_resource_is_named_by_a_slug` |
| Job: namespace is a field and a filter; no job moves | `test_namespace_*` |
| isEnabled and isPaused, by the clock | `test_pause_*`; the toggle: test_api_writes.py |
| Trigger under each policy, open runs count | `test_trigger_*` |
| Edits keep what the API does not know, If-Match | test_api_writes.py, `test_writes_answer_with_their_tag` |
| DELETE, jobs of system functions, jobs of Git | `test_job_of_a_system_function_stays`, test_api_writes.py |
| Limits hold for what changes | test_api_writes.py |
| Time zone: body, else the setting; always shown | `test_time_zone_*` |
| Job types 1, 2, 3 | `test_every_form_of_schedule_comes_back_as_it_went_in` |
| Task functions: reserved 1 for a template | `test_template_of_its_own_is_function_1` |
| Who: UUIDs in annotations, null after kubectl | `test_edit_with_kubectl_is_nobodys`, test_api_access.py |
| Execution status, instances, deleted jobs | tests/database, tests/unit/api/test_mirror_executions.py |
| Edits are repeated three times | `test_edit_is_repeated_when_somebody_else_was_faster` |
| Idempotency-Key, for 24 h | test_api_writes.py, `test_key_stands_for_24_hours` |
| ETag moves with edits and not with runs | `test_tag_stays_while_runs_come_and_go` |
| Cancel | `test_cancelled_run_*`, test_api_writes.py; of a run with a Job: test_demo_api.py |
"""

from __future__ import annotations

import itertools
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from testkit.api_callers import CONTAINER, Api

from sundial_api.jobs import repeats
from sundial_clock.instants import format_instant
from sundial_devcluster.cluster import Cluster
from sundial_kube.client import KubeClient

JsonObject = dict[str, Any]
LATER = format_instant(datetime.now(UTC).replace(microsecond=0) + timedelta(days=365))


async def test_name_of_a_job_of_kubectl_is_its_resources(api: Api) -> None:
    job = await api.adopt({"schedule": {"interval": {"hours": 1}}})
    assert (job["name"], job["resourceName"]) == ("by-hand", "by-hand")
    renamed = await api.ask("PUT", f"/jobs/{job['id']}", {"name": "Renamed"})
    assert (renamed["name"], renamed["resourceName"]) == ("Renamed", "by-hand")


async def test_name_may_be_anothers_too(api: Api) -> None:
    one, two = await api.create(name="Twice"), await api.create(name="Twice")
    assert one["resourceName"] != two["resourceName"]
    assert (await api.ask("GET", "/jobs?name=twice"))["total"] == 2


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        pytest.param("Clean up", "clean-up", id="words"),
        pytest.param("مهمة الليل", "job", id="arabic"),
        pytest.param("Übung — №5", "ubung-no5", id="accents"),
        pytest.param("x" * 200, "x" * 41, id="long"),
        pytest.param("--", "job", id="nothing left"),
    ],
)
async def test_resource_is_named_by_a_slug(api: Api, name: str, slug: str) -> None:
    job = await api.create(name=name)
    assert re.fullmatch(re.escape(slug) + "-[0-9a-f]{8}", job["resourceName"])
    assert job["name"] == name


@pytest.mark.parametrize(("ends", "count"), [("2999-01-01T00:00:00Z", 24), ("2020-01-01T00:00:00Z", 0)])
async def test_forecast_is_of_the_schedule_with_its_window(api: Api, ends: str, count: int) -> None:
    job = await api.adopt({"schedule": {"cron": "0 * * * *", "endsAt": ends}})
    forecast = await api.ask("GET", f"/forecast?namespace={api.ns}")
    assert sum(forecast["counts"]) == count
    assert [one["jobId"] for one in forecast["jobs"]] == [job["id"]] * (count > 0)


async def test_namespace_is_a_field_and_a_filter(api: Api) -> None:
    job = await api.create(namespace=api.ns)
    assert job["namespace"] == api.ns
    assert (await api.ask("GET", f"/jobs?namespace={api.ns}"))["total"] == 1
    assert (await api.ask("GET", "/jobs?namespace=elsewhere"))["total"] == 0


async def test_namespace_of_a_job_never_changes(api: Api) -> None:
    job = await api.create()
    refused = await api.ask("PUT", f"/jobs/{job['id']}", {"namespace": "elsewhere"}, 422)
    assert refused["detail"][0]["loc"] == ["body", "taskFunctionId"]
    await api.ask("PUT", f"/jobs/{job['id']}", {"namespace": api.ns})


@pytest.mark.parametrize(
    ("mark", "is_enabled"),
    [
        pytest.param("true", False, id="without an end"),
        pytest.param("2999-01-01T00:00:00Z", False, id="until later"),
        pytest.param("2020-01-01T00:00:00Z", True, id="has ended"),
    ],
)
async def test_pause_by_kubectl_is_seen_by_the_clock(api: Api, mark: str, is_enabled: bool) -> None:  # noqa: FBT001
    job = await api.adopt({"schedule": {"interval": {"hours": 1}}}, {"sundial.dev/paused": mark})
    assert (job["isEnabled"], job["isPaused"]) == (is_enabled, not is_enabled)


async def test_pause_is_cleared_and_enabling_twice_writes_once(api: Api) -> None:
    job = await api.adopt({"schedule": {"interval": {"hours": 1}}}, {"sundial.dev/paused": "true"})
    path = f"/jobs/{job['id']}/status"
    assert (await api.ask("PUT", path, {"is_enabled": True}))["isEnabled"] is True
    version = api.read(job)["metadata"]["resourceVersion"]
    await api.ask("PUT", path, {"isEnabled": True})
    assert api.read(job)["metadata"]["resourceVersion"] == version


@pytest.mark.parametrize(
    ("concurrency", "statuses"),
    [
        pytest.param({"policy": "Forbid"}, [200, 409], id="Forbid"),
        pytest.param({"policy": "Forbid", "maxInstances": 2}, [200, 200, 409], id="Forbid with two places"),
        pytest.param({"policy": "Queue", "maxQueued": 1}, [200, 200, 409], id="Queue with room for one"),
        pytest.param({"policy": "Replace"}, [200, 200, 200], id="Replace"),
        pytest.param({"policy": "Allow"}, [200, 200, 200], id="Allow"),
    ],
)
async def test_trigger_is_answered_as_the_policy_would(
    api: Api, concurrency: JsonObject, statuses: list[int]
) -> None:
    job = await api.adopt({"schedule": {"interval": {"hours": 1}}, "concurrency": concurrency})
    answers = [await api.http.post(f"/jobs/{job['id']}/trigger") for _ in statuses]
    assert [answer.status_code for answer in answers] == statuses


async def test_writes_answer_with_their_tag(api: Api) -> None:
    made = await api.http.post("/jobs", json=api.body())
    path = f"/jobs/{made.json()['id']}"
    changed = await api.http.put(path, json={"retryCount": 1}, headers={"If-Match": made.headers["ETag"]})
    switched = await api.http.put(f"{path}/status", json={"isEnabled": False})
    assert (changed.status_code, switched.status_code) == (200, 200)
    tags = [answer.headers["ETag"] for answer in (made, changed, switched)]
    assert len(set(tags)) == 3
    assert (await api.http.get(path)).headers["ETag"] == tags[-1]


async def test_tag_stays_while_runs_come_and_go(api: Api) -> None:
    job = await api.create()
    tag = (await api.http.get(f"/jobs/{job['id']}")).headers["ETag"]
    await api.ask("POST", f"/jobs/{job['id']}/trigger")
    status = '{"status": {"activeCount": 1}}'
    options = ("--subresource=status", "--type=merge", "-p", status)
    api.cluster.kubectl("patch", "-n", api.ns, "sj", job["resourceName"], *options)
    assert (await api.http.get(f"/jobs/{job['id']}")).headers["ETag"] == tag
    await api.ask("PUT", f"/jobs/{job['id']}", {"retryCount": 2}, If_Match=tag)


async def test_job_of_a_system_function_stays(api: Api) -> None:
    job = await api.create()
    await api.make_function({"system": True})
    assert "system" in (await api.ask("DELETE", f"/jobs/{job['id']}", status=409))["detail"]
    assert api.read(job)["metadata"]["name"] == job["resourceName"]


async def test_time_zone_is_the_bodys_else_the_settings(api: Api) -> None:
    one, two = await api.create(), await api.create(timeZone="Asia/Tokyo")
    assert (one["timeZone"], two["timeZone"]) == ("Africa/Cairo", "Asia/Tokyo")
    changed = await api.ask("PUT", f"/jobs/{one['id']}", {"timeZone": "Europe/Berlin"})
    assert (changed["timeZone"], changed["scheduleConfig"]) == ("Europe/Berlin", {"hours": 1})


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        pytest.param(1, {"hours": 1, "minutes": 0, "seconds": 30}, id="interval"),
        pytest.param(1, {"weeks": 1, "anchor": "2026-01-05T09:00:00Z"}, id="interval with an anchor"),
        pytest.param(2, {"hour": "9", "day_of_week": "mon-fri"}, id="fields"),
        pytest.param(2, {"day": 1, "hour": 0}, id="fields as numbers"),
        pytest.param(2, {"expression": "0 9 * * 1-5"}, id="expression"),
        pytest.param(3, {"at": LATER}, id="once"),
    ],
)
async def test_every_form_of_schedule_comes_back_as_it_went_in(
    api: Api, kind: int, config: JsonObject
) -> None:
    job = await api.create(jobTypeId=kind, scheduleConfig=config)
    assert (job["jobTypeId"], job["scheduleConfig"]) == (kind, config)
    version = api.read(job)["metadata"]["resourceVersion"]
    await api.ask("PUT", f"/jobs/{job['id']}", {"jobTypeId": kind, "scheduleConfig": config | {"year": None}})
    assert api.read(job)["metadata"]["resourceVersion"] == version


async def test_template_of_its_own_is_function_1(api: Api) -> None:
    template = {"spec": {"template": {"spec": {"containers": [CONTAINER]}}}}
    job = await api.adopt({"schedule": {"interval": {"hours": 1}}, "template": template})
    shown = (await api.ask("GET", f"/jobs/{job['id']}"))["taskFunction"]
    assert (shown["id"], shown["name"], shown["isActive"]) == (1, "inline", False)
    edit = {"taskFunctionId": 1, "retryCount": 5}
    assert (await api.ask("PUT", f"/jobs/{job['id']}", edit))["retryCount"] == 5
    assert api.read(job)["spec"]["template"] == template
    await api.ask("PUT", f"/jobs/{job['id']}", {"taskFunctionId": api.function_id})
    assert "template" not in api.read(job)["spec"]


async def test_edit_with_kubectl_is_nobodys(api: Api, cluster: Cluster) -> None:
    job = await api.create()
    assert None not in (job["createdBy"], job["updatedBy"])
    patch = json.dumps({"spec": {"retry": {"count": 9}}})
    cluster.kubectl("patch", "-n", api.ns, "sj", job["resourceName"], "--type=merge", "-p", patch)
    shown = await api.take(job["resourceName"])
    assert (shown["createdBy"], shown["updatedBy"]) == (job["createdBy"], None)


async def test_input_may_be_in_snake_case(api: Api) -> None:
    body = {"name": "Snake", "task_function_id": api.function_id, "job_type_id": 1}
    body |= {"schedule_config": {"hours": 1}, "retry_delay_seconds": 7}
    job = await api.ask("POST", "/jobs", body, 201)
    assert job["retryDelaySeconds"] == 7


async def test_defaults_are_the_contracts(api: Api) -> None:
    job = await api.create()
    names = ("maxInstances", "timeoutSeconds", "retryCount", "retryDelaySeconds", "isEnabled", "isPaused")
    assert [job[name] for name in names] == [1, 300, 3, 60, True, False]
    assert [job[name] for name in ("lastStatus", "lastRunTime", "nextRunTime", "description")] == [None] * 4
    assert job["createdAt"].endswith("Z")


async def test_cancelled_run_that_waited_has_ended_for_the_next_read(api: Api) -> None:
    job = await api.create()
    run = (await api.ask("POST", f"/jobs/{job['id']}/trigger"))["executionId"]
    assert (await api.ask("POST", f"/executions/{run}/cancel"))["status"] == "failed"
    assert "ended" in (await api.ask("POST", f"/executions/{run}/cancel", status=409))["detail"]
    await api.ask("POST", f"/jobs/{job['id']}/trigger")


async def test_executions_of_a_deleted_job_stay_listed(api: Api) -> None:
    job = await api.create()
    await api.ask("POST", f"/jobs/{job['id']}/trigger")
    await api.ask("DELETE", f"/jobs/{job['id']}", status=204)
    assert (await api.ask("GET", f"/executions?job_id={job['id']}"))["total"] == 1
    await api.ask("GET", f"/jobs/{job['id']}/executions", status=404)


@pytest.mark.parametrize(
    ("rivals", "status"),
    [pytest.param(2, 200, id="the third try is the first alone"), pytest.param(3, 409, id="never alone")],
)
async def test_edit_is_repeated_when_somebody_else_was_faster(
    api: Api, monkeypatch: pytest.MonkeyPatch, rivals: int, status: int
) -> None:
    job = await api.create()
    patch_json, rivals_to_come = KubeClient.patch_json, iter(range(10, 10 + rivals))

    async def come_second(client: KubeClient, *what: Any) -> JsonObject:
        for number in itertools.islice(rivals_to_come, 1):
            api.patch(job, {"spec": {"history": {"failed": number}}})
        return await patch_json(client, *what)

    monkeypatch.setattr(KubeClient, "patch_json", come_second)
    await api.ask("PUT", f"/jobs/{job['id']}", {"retryCount": 1}, status)
    assert api.read(job)["spec"]["retry"]["count"] == (1 if status == 200 else 3)
    assert api.read(job)["spec"]["history"]["failed"] == 9 + rivals


@pytest.mark.parametrize("path", ["/jobs", "/jobs/{id}/trigger"])
async def test_key_stands_for_24_hours(api: Api, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    job = await api.create(headers={"Idempotency_Key": "k"}, maxInstances=2)
    path, body = path.format(id=job["id"]), api.body() | {"maxInstances": 2} if path == "/jobs" else None
    await api.ask("POST", path, body, 201 if body else 200, Idempotency_Key="k")
    assert timedelta(hours=24) == repeats.REPEAT_WITHIN
    monkeypatch.setattr(repeats, "REPEAT_WITHIN", timedelta(0))
    assert "24 hours" in (await api.ask("POST", path, body, 409, Idempotency_Key="k"))["detail"]
    await api.ask("POST", path, body, 201 if body else 200, Idempotency_Key="l")
