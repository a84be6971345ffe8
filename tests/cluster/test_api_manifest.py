"""A job as a manifest: applied to a real API server, by kubectl or server-side, it is the same job."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testkit.api_callers import CONTAINER, Api
from testkit.odd_texts import ODD_TEXTS

TEXTS = [text for text in ODD_TEXTS if text and "\u0085" not in text]
"""All but U+0085: an API server reads the JSON of a server-side apply as YAML, where that ends a line."""

SCHEDULE = {
    "cron": "0 9 * * *",
    "timeZone": "Africa/Cairo",
    "dst": "Literal",
    "startsAt": "2026-01-01T00:00:00Z",
    "endsAt": "2999-12-31T23:59:59Z",
}
CONTAINERS = [
    CONTAINER
    | {
        "command": ["sh", "-c", "set -e\nif true; then\n  echo 'no: 1e3'\nfi\n"],
        "args": TEXTS,
        "env": [{"name": f"V{number}", "value": text} for number, text in enumerate(TEXTS)],
        "resources": {"limits": {"cpu": "1e3", "memory": "128Mi"}},
    }
]
SPEC: dict[str, Any] = {
    "schedule": SCHEDULE,
    "displayName": "no",
    "description": "1e3",
    "args": {"texts": TEXTS, "keys": {text: text for text in TEXTS}, "numbers": [0, -1, 2**53, 1.5, 1e100]},
    "template": {"spec": {"template": {"spec": {"containers": CONTAINERS}}}},
    "concurrency": {"policy": "Queue", "maxQueued": 3},
}
MARKS = {
    "example.org/no": "no",
    "example.org/lines": "a: b\n- c\n",
    "sundial.dev/paused": "2999-01-01T00:00:00Z",
}


async def read(api: Api, job: dict[str, Any], status: int = 200) -> str:
    answer = await api.http.get(f"/jobs/{job['id']}/manifest")
    assert answer.status_code == status, answer.text
    return answer.text


@pytest.fixture
async def job(api: Api) -> Any:
    """Make a job of odd values by kubectl, and have the API write it too."""
    made = await api.adopt(SPEC, MARKS)
    api.mark(made, "no=yes")
    await api.ask("PUT", f"/jobs/{made['id']}", {"retryCount": 7})
    status = '{"status": {"activeCount": 1}}'
    api.cluster.kubectl(
        "patch", "-n", api.ns, "sj", "by-hand", "--subresource=status", "--type=merge", "-p", status
    )
    return await api.take("by-hand")


@pytest.mark.parametrize("how", [["apply"], ["apply", "--server-side"], ["create"]], ids=" ".join)
async def test_a_job_that_is_applied_again_is_the_same(api: Api, job: dict[str, Any], how: list[str]) -> None:
    text, before = await read(api, job), api.read(job)
    api.cluster.kubectl("delete", "-n", api.ns, "sj", "by-hand")
    api.cluster.kubectl(*how, "-f", "-", input=text)
    after = api.read(job)
    assert after["spec"] == before["spec"]
    assert after["spec"]["args"] == SPEC["args"]
    assert after["metadata"]["labels"] == {"no": "yes"}
    assert MARKS.items() <= after["metadata"]["annotations"].items()


@pytest.mark.parametrize("how", [["apply"], ["apply", "--server-side", "--force-conflicts"]], ids=" ".join)
async def test_a_manifest_applied_onto_its_job_changes_nothing(
    api: Api, job: dict[str, Any], how: list[str]
) -> None:
    text, before = await read(api, job), api.read(job)
    api.cluster.kubectl(*how, "-f", "-", input=text)
    after = api.read(job)
    for name in ("uid", "generation"):
        assert after["metadata"][name] == before["metadata"][name]
    assert after["spec"] == before["spec"]
    assert after["metadata"]["annotations"].items() >= MARKS.items()


async def test_nothing_of_the_server_or_the_api_is_in_it(api: Api, job: dict[str, Any]) -> None:
    text = await read(api, job)
    shown = json.loads(api.cluster.kubectl("create", "--dry-run=client", "-o", "json", "-f", "-", input=text))
    assert set(shown) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(shown["metadata"]) == {"name", "namespace", "labels", "annotations"}
    assert shown["metadata"]["annotations"] == MARKS
    answer = await api.http.get(f"/jobs/{job['id']}/manifest")
    assert answer.headers["Content-Type"] == "application/yaml"


async def test_it_is_what_the_cluster_has_now(api: Api) -> None:
    job = await api.create()
    patch = '{"spec": {"description": "newer than any row"}}'
    api.cluster.kubectl("patch", "-n", api.ns, "sj", job["resourceName"], "--type=merge", "-p", patch)
    assert 'description: "newer than any row"' in await read(api, job)


async def test_a_job_that_is_gone_or_another_now_is_404(api: Api) -> None:
    job = await api.adopt({"schedule": {"interval": {"hours": 1}}})
    api.cluster.kubectl("delete", "-n", api.ns, "sj", "by-hand")
    assert "cluster" in await read(api, job, 404)
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{api.ns}/scheduledjobs"
    manifest = {"apiVersion": "sundial.dev/v1alpha1", "kind": "ScheduledJob", "metadata": {"name": "by-hand"}}
    spec = {"schedule": {"interval": {"hours": 2}}, "taskFunctionRef": {"name": "clean-up"}}
    api.cluster.kubectl("create", "-n", api.ns, "-f", "-", input=json.dumps(manifest | {"spec": spec}))
    assert len(api.cluster.get_json(path)["items"]) == 1
    assert "cluster" in await read(api, job, 404)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        pytest.param(json.loads('{"a":' * 70 + "1" + "}" * 70), "64 levels deep", id="deep"),
        pytest.param({"a": "x" * 300_000}, "256 KiB", id="large"),
    ],
)
async def test_what_nobody_could_read_is_409(api: Api, args: dict[str, Any], words: str) -> None:
    manifest = {"apiVersion": "sundial.dev/v1alpha1", "kind": "ScheduledJob", "metadata": {"name": "by-hand"}}
    spec = {"schedule": {"interval": {"hours": 2}}, "taskFunctionRef": {"name": "clean-up"}, "args": args}
    api.cluster.kubectl("create", "-n", api.ns, "-f", "-", input=json.dumps(manifest | {"spec": spec}))
    job = await api.take("by-hand")
    assert words in await read(api, job, 409)
