"""Edits by intent, on a real API server: what is written of a request, also beside other writers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kubernetes.aio import client, config
from testkit.api_callers import CONTAINER, Api
from testkit.scheduled_jobs import nest

from sundial_kube.client import KubeClient
from sundial_kube.resources import SCHEDULED_JOBS

JsonObject = dict[str, Any]

HOURLY = {"schedule": {"interval": {"hours": 1}}}
INLINE = {"template": {"spec": {"template": {"spec": {"containers": [CONTAINER]}}}}}
HELM = {"meta.helm.sh/release-name": "apps", "meta.helm.sh/release-namespace": "default"}
ARGO = {"argocd.argoproj.io/tracking-id": "apps:sundial.dev/ScheduledJob:x/by-hand"}
FLUX = {"kustomize.toolkit.fluxcd.io/reconcile": "enabled"}
OTHERS_WRITE = [
    pytest.param((), HOURLY, {}, id="kubectl"),
    pytest.param((), HOURLY | INLINE, {}, id="kubectl, a template"),
    pytest.param((), HOURLY | {"description": "", "args": {}}, {}, id="kubectl, empty values"),
    pytest.param((), HOURLY | {"suspend": True}, {}, id="kubectl, suspended"),
    pytest.param((), {"schedule": {"interval": {"hours": 1, "minutes": 0}}}, {}, id="kubectl, zero periods"),
    pytest.param(
        (),
        HOURLY | {"args": {"a": [1.0, 1e300, -0.0, "\x00"], "b": nest(100)}},
        {},
        id="kubectl, odd arguments",
    ),
    pytest.param(
        (),
        HOURLY | {"timeoutSeconds": 1, "concurrency": {"maxInstances": 99}},
        {"sundial.dev/paused": "2999-01-01T00:00:00Z"},
        id="kubectl, paused, beyond the limits",
    ),
    pytest.param(
        ("--server-side", "--field-manager=helm"), {"schedule": {"cron": "0 9 * * 1-5"}}, HELM, id="Helm"
    ),
    pytest.param(
        ("--server-side", "--field-manager=argocd-controller"),
        {"schedule": {"cronFields": {"hour": 9, "dayOfWeek": "mon-fri"}}, "suspend": True},
        ARGO,
        id="Argo CD",
    ),
    pytest.param(
        ("--server-side", "--field-manager=kustomize-controller"),
        {"schedule": {"at": "2026-12-01T08:00:00+02:00"}},
        FLUX | {"sundial.dev/paused": "true"},
        id="Flux",
    ),
]


@pytest.mark.parametrize(("options", "spec", "annotations"), OTHERS_WRITE)
async def test_put_of_a_get_writes_nothing(
    api: Api, options: tuple[str, ...], spec: JsonObject, annotations: JsonObject
) -> None:
    await api.make_function({"defaultTimeoutSeconds": 777})
    job = await api.adopt(spec, annotations, *options)
    before = api.read(job)
    answer = await api.ask("PUT", f"/jobs/{job['id']}", job)
    assert api.read(job) == before
    assert answer == {name: job[name] for name in answer}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        pytest.param({"a": nest(100)}, "64 levels", id="too deep"),
        pytest.param({"a": 2**63}, "64 bits", id="long number"),
    ],
)
async def test_arguments_that_others_may_write_are_taken_only_as_they_are(
    api: Api, args: JsonObject, words: str
) -> None:
    job = await api.create()
    refused = await api.ask("PUT", f"/jobs/{job['id']}", {"taskArgs": args}, 422)
    assert (refused["detail"][0]["loc"], words in refused["detail"][0]["msg"]) == (["body", "taskArgs"], True)
    assert "args" not in api.read(job)["spec"]


async def test_true_is_written_for_1_and_digits_are_not_for_a_number(api: Api) -> None:
    job = await api.create(taskArgs={"a": 1}, jobTypeId=2, scheduleConfig={"hour": "9"})
    await api.ask("PUT", f"/jobs/{job['id']}", {"taskArgs": {"a": True}, "retryCount": "5"})
    assert api.read(job)["spec"]["args"] == {"a": True}
    assert api.read(job)["spec"]["args"]["a"] is True
    version = api.read(job)["metadata"]["resourceVersion"]
    await api.ask("PUT", f"/jobs/{job['id']}", {"scheduleConfig": {"hour": 9}, "retryCount": 5.0})
    assert api.read(job)["metadata"]["resourceVersion"] == version


async def test_job_of_a_system_function_does_not_leave_it(api: Api) -> None:
    job = await api.create()
    await api.make_function({"name": "other"}, name="other")
    functions = (await api.ask("GET", "/task-functions"))["taskFunctions"]
    other = next(function for function in functions if function["resourceName"] == "other")
    await api.make_function({"system": True})
    path, leave = f"/jobs/{job['id']}", {"taskFunctionId": other["id"]}
    assert "system" in (await api.ask("PUT", path, leave, 409))["detail"]
    await api.ask("DELETE", path, status=409)
    assert api.read(job)["spec"]["taskFunctionRef"] == {"name": "clean-up"}
    await api.make_function({"system": False})
    assert (await api.ask("PUT", path, leave))["taskFunctionId"] == other["id"]


@asynccontextmanager
async def writing_statuses(api: Api, job: JsonObject, writers: int) -> AsyncIterator[list[int]]:
    """Write statuses without a pause until the block ends; gives the number of writes so far."""
    configuration = client.Configuration()
    await config.load_kube_config(str(api.cluster.kubeconfig), client_configuration=configuration)
    count, is_over = [0], asyncio.Event()

    async def write(kube: KubeClient, writer: int) -> None:
        while not is_over.is_set():
            count[0] += 1
            status = {"status": {"activeCount": count[0], "queued": [], "consecutiveFailures": writer}}
            await kube.patch(SCHEDULED_JOBS_STATUS, api.ns, job["resourceName"], status)

    async with KubeClient(configuration, user_agent="sundial") as kube, asyncio.TaskGroup() as group:
        for writer in range(writers):
            group.create_task(write(kube, writer))
        yield count
        is_over.set()


class _Status:
    """The status of ScheduledJobs as a resource of its own, to be patched without a guard."""

    api_version, kind = SCHEDULED_JOBS.api_version, SCHEDULED_JOBS.kind

    def path(self, ns: str, name: str) -> str:
        return SCHEDULED_JOBS.path(ns, name, "status")


SCHEDULED_JOBS_STATUS: Any = _Status()


async def test_edits_beside_constant_status_writes_never_conflict(api: Api) -> None:
    job = await api.create()
    path, answers, counts = f"/jobs/{job['id']}", [], []
    async with writing_statuses(api, job, writers=3) as count:
        for number in range(80):
            edit = {"retryCount": number % 2} if number % 3 else {"isEnabled": number % 2 == 0}
            answers.append((await api.http.put(path, json=edit)).status_code)
            counts.append(count[0])
    assert answers == [200] * 80
    assert counts[-1] - counts[0] > 80
    assert api.read(job)["spec"]["retry"]["count"] == 1


Rival = Callable[[], Any]


@pytest.fixture
def come_second(monkeypatch: pytest.MonkeyPatch) -> Callable[[Rival], list[Any]]:
    """Let somebody else write between the first read of an edit and its patch; gives the patches sent."""

    def arrange(rival: Rival) -> list[Any]:
        patch_json, sent = KubeClient.patch_json, []

        async def send(kube: KubeClient, *what: Any) -> JsonObject:
            sent.append(what[-1])
            if len(sent) == 1:
                await asyncio.to_thread(rival)
            return await patch_json(kube, *what)

        monkeypatch.setattr(KubeClient, "patch_json", send)
        return sent

    return arrange


RIVALS = [
    pytest.param({"spec": {"retry": {"count": 9}}}, 2, id="the same field"),
    pytest.param({"spec": {"history": {"failed": 9}}}, 2, id="another field"),
    pytest.param({"metadata": {"annotations": {"sundial.dev/updated-by": "x"}}}, 2, id="an annotation"),
    pytest.param({"metadata": {"annotations": None}}, 2, id="all annotations"),
    pytest.param({"metadata": {"labels": {"a": "b"}}}, 1, id="a label is nothing to an edit"),
    pytest.param({"metadata": {"annotations": {"a": "b"}}}, 1, id="nor is another's annotation"),
]


@pytest.mark.parametrize(("patch", "tries"), RIVALS)
async def test_last_writer_wins_without_if_match(
    api: Api, come_second: Callable[[Rival], list[Any]], patch: JsonObject, tries: int
) -> None:
    job = await api.create()
    sent = come_second(lambda: api.patch(job, patch))
    answer = await api.ask("PUT", f"/jobs/{job['id']}", {"retryCount": 1})
    item = api.read(job)
    assert (answer["retryCount"], item["spec"]["retry"]["count"], len(sent)) == (1, 1, tries)
    assert item["spec"]["history"]["failed"] == patch.get("spec", {}).get("history", {}).get("failed", 1)
    assert "sundial.dev/updated-by" in item["metadata"]["annotations"]


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"spec": {"retry": {"count": 9}}}, id="the same field"),
        pytest.param({"metadata": {"annotations": {"sundial.dev/paused": "true"}}}, id="a pause"),
    ],
)
async def test_second_writer_is_412_with_if_match(
    api: Api, come_second: Callable[[Rival], list[Any]], patch: JsonObject
) -> None:
    job = await api.create()
    etag = (await api.http.get(f"/jobs/{job['id']}")).headers["ETag"]
    come_second(lambda: api.patch(job, patch))
    await api.ask("PUT", f"/jobs/{job['id']}", {"retryCount": 1}, 412, If_Match=etag)
    assert api.read(job)["spec"]["retry"]["count"] == patch.get("spec", {}).get("retry", {}).get("count", 3)


async def test_pause_that_comes_between_is_seen(api: Api, come_second: Callable[[Rival], list[Any]]) -> None:
    job = await api.adopt(HOURLY, FLUX)
    pause = {"metadata": {"annotations": {"sundial.dev/paused": "2999-01-01T00:00:00Z"}}}
    sent = come_second(lambda: api.patch(job, pause))
    answer = await api.ask("PUT", f"/jobs/{job['id']}/status", {"isEnabled": False})
    assert (answer["isPaused"], len(sent)) == (True, 1)
    marks = api.read(job)["metadata"]["annotations"]
    assert (marks["sundial.dev/paused"], "sundial.dev/paused-by" in marks) == ("2999-01-01T00:00:00Z", False)


async def test_job_that_is_made_anew_between_is_not_edited(
    api: Api, come_second: Callable[[Rival], list[Any]]
) -> None:
    job = await api.adopt(HOURLY)

    def replace() -> None:
        api.cluster.kubectl("delete", "-n", api.ns, "sj", "by-hand")
        api.apply(HOURLY)

    come_second(replace)
    await api.ask("PUT", f"/jobs/{job['id']}", {"retryCount": 1}, 404)
    assert api.read(job)["spec"]["retry"]["count"] == 3
