"""A cancel ends a run, however far the operator is with its Job."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from testkit.api_callers import Api
from testkit.processes.operators import Starter, build_template

from sundial_core.resources import names
from sundial_devcluster.polling import until_async

JsonObject = dict[str, Any]
WAYS = 12
LONG = build_template(["sleep", "600"], **{"pod-complete.stage.kwok.x-k8s.io/delay": "600s"})


def list_items(api: Api, path: str) -> list[JsonObject]:
    items: list[JsonObject] = api.cluster.get_json(path)["items"]
    return items


def list_jobs(api: Api) -> list[JsonObject]:
    return list_items(api, f"/apis/batch/v1/namespaces/{api.ns}/jobs")


def list_requests(api: Api) -> list[JsonObject]:
    return list_items(api, f"/apis/sundial.dev/v1alpha1/namespaces/{api.ns}/scheduledjobruns")


async def adopt(api: Api) -> str:
    """Make a job that never runs by itself, and whose runs take ten minutes; gives its path."""
    concurrency = {"policy": "Allow", "maxInstances": 100}
    made = await api.adopt({"schedule": {"cron": "@yearly"}, "template": LONG, "concurrency": concurrency})
    return f"/jobs/{made['id']}"


def describe_end(job: JsonObject) -> tuple[str | None, str | None]:
    """Tell the mark by which a Job was ended, and its condition."""
    conditions = [one["type"] for one in job["status"].get("conditions", ()) if one["status"] == "True"]
    ended = (job["metadata"].get("annotations") or {}).get(names.ENDED)
    return ended, next((one for one in conditions if one in ("Complete", "Failed")), None)


async def test_a_cancel_while_the_job_is_made_ends_the_run(api: Api, start_operator: Starter) -> None:
    start_operator()
    path = await adopt(api)
    for number in range(WAYS):
        run = (await api.ask("POST", f"{path}/trigger"))["executionId"]
        if number % 2:
            await until_async(lambda run=run: has_job(api, run))  # type: ignore[misc]
        await api.ask("POST", f"/executions/{run}/cancel")

    async def is_all_over() -> bool:
        return all(describe_end(job)[1] for job in list_jobs(api))

    await until_async(is_all_over)
    assert {describe_end(job) for job in list_jobs(api)} == {("Cancelled", "Failed")}
    assert len(list_jobs(api)) >= WAYS // 2


async def has_job(api: Api, run: str) -> bool:
    return any(job["metadata"]["labels"].get(names.RUN) == run for job in list_jobs(api))


async def test_the_job_of_a_request_that_tells_of_none_is_marked(api: Api) -> None:
    path = await adopt(api)
    run = (await api.ask("POST", f"{path}/trigger"))["executionId"]
    template = LONG["spec"]["template"]
    template["spec"]["restartPolicy"] = "Never"
    name = names.build_job_name("by-hand", run, 1)
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": template},
    }
    api.cluster.kubectl("create", "-n", api.ns, "-f", "-", input=json.dumps(job))
    answer = await api.ask("POST", f"/executions/{run}/cancel")
    assert (answer["status"], list_requests(api)) == ("pending", [])
    assert list_jobs(api)[0]["metadata"]["annotations"][names.CANCEL] == "true"


async def test_two_cancels_at_once_agree(api: Api) -> None:
    path = await adopt(api)
    run = (await api.ask("POST", f"{path}/trigger"))["executionId"]
    answers = await asyncio.gather(*(api.http.post(f"/executions/{run}/cancel") for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert list_requests(api) == []


async def test_another_request_of_the_same_name_is_left_alone(api: Api) -> None:
    path = await adopt(api)
    run = (await api.ask("POST", f"{path}/trigger"))["executionId"]
    (old,) = list_requests(api)
    name = old["metadata"]["name"]
    api.cluster.kubectl("delete", "-n", api.ns, "sjr", name)
    made = {key: old[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": name}}
    api.cluster.kubectl("create", "-n", api.ns, "-f", "-", input=json.dumps(made))
    await api.ask("POST", f"/executions/{run}/cancel", status=409)
    assert [one["metadata"]["name"] for one in list_requests(api)] == [name]
