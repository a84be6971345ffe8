"""The log of changes tells what callers of the API and users of kubectl did to a job, and from where."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from testkit.api_callers import Api

from sundial_api.auth.tokens import Anonymous
from sundial_api.clock import read_clock
from sundial_api.mirror.storage import change_log
from sundial_clock.instants import format_instant
from sundial_devcluster.polling import until
from sundial_kube.client import KubeClient

JsonObject = dict[str, Any]


async def read(api: Api, job: JsonObject, query: str = "") -> JsonObject:
    answer: JsonObject = await api.ask("GET", f"/jobs/{job['id']}/changes{query}")
    return answer


def tell(change: JsonObject) -> str:
    """Write an entry in a line: kind, by what, by whom from where, and what is after it."""
    who = f"{change['userName']}@{change['clientAddress']}" if change["userName"] else "somebody"
    after = {field["field"]: field["after"] for field in change["fields"]}
    return f"{change['kind']} {change['manager']} {who} {json.dumps(after)}"


async def test_each_call_is_told_with_its_caller_and_address(api: Api) -> None:
    job = await api.create()
    path = f"/jobs/{job['id']}"
    await api.ask("PUT", path, {"retryCount": 7})
    await api.ask("PUT", f"{path}/status", {"isEnabled": False})
    await api.ask("PUT", f"{path}/status", {"isEnabled": True})
    await api.ask("DELETE", path, status=204)
    shown = await read(api, job)
    by = "sundial-api local@127.0.0.1"
    kinds = [tell(change) for change in reversed(shown["changes"])]
    assert kinds[0] == f"created {by} {{}}"
    assert kinds[1] == f'changed {by} {{"spec.retry.count": 7}}'
    assert kinds[2] == f'changed {by} {{"spec.suspend": true}}'
    assert kinds[3].startswith(f"changed {by} ")
    assert kinds[4] == "deleted None local@127.0.0.1 {}"
    caller = (await Anonymous().identify(None, is_read=True)).uid
    assert {change["userId"] for change in shown["changes"]} == {str(caller)}
    assert shown["total"] == 5


async def test_what_kubectl_did_is_told_without_a_caller(api: Api) -> None:
    job = await api.create(taskArgs={"password": "s3cret-1"})
    patch = '{"spec": {"args": {"password": "s3cret-2"}, "timeoutSeconds": 77}}'
    api.cluster.kubectl("patch", "-n", api.ns, "sj", job["resourceName"], "--type=merge", "-p", patch)
    await api.take(job["resourceName"])
    shown = (await read(api, job))["changes"][0]
    assert (shown["userId"], shown["clientAddress"], shown["generation"]) == (None, None, 2)
    assert shown["fields"] == [
        {"field": "spec.args", "before": "(not shown)", "after": "(not shown)", "changes": 1},
        {"field": "spec.timeoutSeconds", "before": 300, "after": 77, "changes": 1},
    ]


async def test_edit_that_changes_nothing_signs_nobodys_change(api: Api) -> None:
    job = await api.create()
    api.cluster.kubectl(
        "patch", "-n", api.ns, "sj", job["resourceName"], "--type=merge", "-p", '{"spec":{"suspend":true}}'
    )
    await api.take(job["resourceName"])
    await api.ask("PUT", f"/jobs/{job['id']}", {"retryCount": 3})
    await api.ask("PUT", f"/jobs/{job['id']}/status", {"isEnabled": False})
    newest = (await read(api, job))["changes"][0]
    assert (newest["fields"][0]["field"], newest["userName"]) == ("spec.suspend", None)


async def test_pages_go_on_by_number_and_by_cursor(api: Api) -> None:
    job = await api.create()
    for count in range(4, 8):
        await api.ask("PUT", f"/jobs/{job['id']}", {"retryCount": count})
    first = await read(api, job, "?per_page=2")
    second = await read(api, job, "?per_page=2&page=2")
    assert await read(api, job, f"?per_page=2&cursor={first['nextCursor']}") == second
    assert [len(first["changes"]), len(second["changes"]), first["total"]] == [2, 2, 5]
    ids = [change["id"] for change in (await read(api, job))["changes"]]
    assert ids[:4] == [change["id"] for page in (first, second) for change in page["changes"]]


async def test_changes_of_nothing_are_404(api: Api) -> None:
    told = await api.ask("GET", "/jobs/11111111-2222-4333-8444-555555555555/changes", status=404)
    assert told.keys() == {"detail"}


async def patch(api: Api, job: JsonObject, **spec: Any) -> None:
    """Change a job with kubectl, and let the mirror see it."""
    api.patch(job, {"spec": spec})
    await api.take(job["resourceName"])


async def test_what_is_changed_back_in_a_flood_stays_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_log, "MAX_IN_WINDOW", 3)
    job = await api.create()
    for number in range(4):
        await patch(api, job, description=f"n{number}")
    await patch(api, job, args={"pay": "evil"}, timeoutSeconds=3600, suspend=True)
    await patch(api, job, args=None, timeoutSeconds=300, suspend=False)
    touched: Counter[str] = Counter()
    for change in (await read(api, job))["changes"]:
        touched.update({field["field"]: field.get("changes", 1) for field in change["fields"]})
    assert [touched[f"spec.{name}"] for name in ("args", "timeoutSeconds", "suspend")] == [2, 2, 2]


async def test_a_call_after_a_flood_signs_what_it_changed_itself(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "MAX_IN_WINDOW", 3)
    job = await api.create()
    for number in range(4):
        await patch(api, job, description=f"n{number}")
    api.patch(job, {"spec": {"timeoutSeconds": 3000}})
    await api.ask("PUT", f"/jobs/{job['id']}", {"description": "innocent"})
    called, theirs = (await read(api, job))["changes"][:2]
    assert tell(called) == 'changed sundial-api local@127.0.0.1 {"spec.description": "innocent"}'
    assert {field["field"]: field["after"] for field in theirs["fields"]}["spec.timeoutSeconds"] == 3000
    assert (theirs["userId"], theirs["userName"], theirs["clientAddress"]) == (None, None, None)


async def test_what_kubectl_does_before_a_call_is_noted_is_not_the_calls(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await api.create()
    send = KubeClient.patch_json

    async def be_slow(client: KubeClient, *arguments: Any) -> JsonObject:
        answer = await send(client, *arguments)
        await patch(api, job, timeoutSeconds=3000, description="theirs")
        return answer

    monkeypatch.setattr(KubeClient, "patch_json", be_slow)
    await api.ask("PUT", f"/jobs/{job['id']}", {"description": "innocent"})
    theirs, called = (await read(api, job))["changes"][:2]
    assert tell(called) == 'changed sundial-api local@127.0.0.1 {"spec.description": "innocent"}'
    assert {field["field"]: field["before"] for field in theirs["fields"]} == {
        "spec.description": "innocent",
        "spec.timeoutSeconds": 300,
    }
    assert (theirs["userId"], theirs["userName"], theirs["clientAddress"]) == (None, None, None)


async def test_who_comes_too_late_has_not_deleted_a_job(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    job = await api.create()
    send = KubeClient.delete

    async def come_second(client: KubeClient, *arguments: Any) -> JsonObject:
        api.cluster.kubectl("delete", "-n", api.ns, "sj", job["resourceName"])
        return await send(client, *arguments)

    monkeypatch.setattr(KubeClient, "delete", come_second)
    await api.ask("DELETE", f"/jobs/{job['id']}", status=204)
    newest = (await read(api, job))["changes"][0]
    assert (newest["kind"], newest["userId"], newest["clientAddress"]) == ("deleted", None, None)


async def test_a_time_of_the_future_hides_no_later_change(api: Api) -> None:
    job = await api.create()
    odd = {
        "manager": "argocd-controller",
        "operation": "Apply",
        "apiVersion": "sundial.dev/v1alpha1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:taskFunctionRef": {"f:name": {}}}},
    }
    item = api.read(job)
    for year in ("9999", "2100"):
        item["metadata"]["managedFields"].append(odd | {"time": f"{year}-12-31T00:00:00Z", "manager": year})
    api.cluster.kubectl("replace", "-f", "-", input=json.dumps(item))
    await api.take(job["resourceName"])
    await wait_for_another_second(api, job)
    await patch(api, job, timeoutSeconds=777)
    assert {entry["manager"] for entry in api.read(job)["metadata"]["managedFields"]} >= {"2100", "9999"}
    newest = (await read(api, job))["changes"][0]
    shown = await api.ask("GET", f"/jobs/{job['id']}")
    assert newest["manager"] == "kubectl-patch"
    assert newest["changedAt"] == shown["updatedAt"]
    assert job["updatedAt"] < shown["updatedAt"] < "2100"


async def wait_for_another_second(api: Api, job: JsonObject) -> None:
    """Wait until a change has another time in managedFields than those that are there."""
    shown = await api.ask("GET", f"/jobs/{job['id']}")
    until(lambda: shown["updatedAt"] < format_instant(read_clock().replace(microsecond=0)))
