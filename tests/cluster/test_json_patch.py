"""What an API server does with the tests of a JSON patch: `jobs/patches.py` and `ApiError` build on it."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.aio import client, config
from testkit.api_callers import Api

from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError
from sundial_kube.resources import SCHEDULED_JOBS

JsonObject = dict[str, Any]
MARKS, PAUSED = "/metadata/annotations", "/metadata/annotations/sundial.dev~1paused"


def build_test(path: str, value: Any) -> JsonObject:
    return {"op": "test", "path": path, "value": value}


async def patch(api: Api, operations: list[JsonObject]) -> JsonObject:
    configuration = client.Configuration()
    await config.load_kube_config(str(api.cluster.kubeconfig), client_configuration=configuration)
    async with KubeClient(configuration, user_agent="sundial-api") as kube:
        return await kube.patch_json(SCHEDULED_JOBS, api.ns, "by-hand", operations)


APPLIES = [
    pytest.param({"x": "y"}, build_test(PAUSED, None), id="an annotation that is not there is null"),
    pytest.param({"sundial.dev/paused": "true"}, build_test(PAUSED, "true"), id="one that is there"),
    pytest.param(None, build_test(MARKS, None), id="no annotations at all are null"),
]
FAILS = [
    pytest.param({"sundial.dev/paused": "true"}, build_test(PAUSED, None), id="an annotation that is there"),
    pytest.param({"sundial.dev/paused": "true"}, build_test(PAUSED, "false"), id="one with another value"),
    pytest.param({"x": "y"}, build_test(MARKS, None), id="some annotations"),
    pytest.param(None, build_test(PAUSED, None), id="a path whose parent is absent"),
    pytest.param(None, build_test("/metadata/generation", 2), id="another generation"),
    pytest.param(None, build_test("/metadata/uid", "other"), id="another object"),
]


async def make(api: Api, annotations: JsonObject | None) -> None:
    """Make a job with these annotations and no others."""
    await api.adopt({"schedule": {"interval": {"hours": 1}}})
    await patch(api, [{"op": "add", "path": MARKS, "value": annotations or {}}])


@pytest.mark.parametrize(("annotations", "test"), APPLIES)
async def test_patch_applies(api: Api, annotations: JsonObject | None, test: JsonObject) -> None:
    await make(api, annotations)
    add = {"op": "add", "path": "/spec/suspend", "value": True}
    assert (await patch(api, [test, add]))["spec"]["suspend"] is True


@pytest.mark.parametrize(("annotations", "test"), FAILS)
async def test_patch_fails_and_is_known_for_that(
    api: Api, annotations: JsonObject | None, test: JsonObject
) -> None:
    await make(api, annotations)
    with pytest.raises(ApiError) as caught:
        await patch(api, [test, {"op": "add", "path": "/spec/suspend", "value": True}])
    assert caught.value.is_failed_patch


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param({"op": "add", "path": "/spec/timeoutSeconds", "value": 0}, id="a limit"),
        pytest.param({"op": "remove", "path": "/spec/taskFunctionRef"}, id="a rule"),
    ],
)
async def test_object_that_is_refused_is_no_failed_patch(api: Api, operation: JsonObject) -> None:
    await make(api, None)
    with pytest.raises(ApiError) as caught:
        await patch(api, [operation])
    assert (caught.value.status, caught.value.is_failed_patch) == (422, False)
