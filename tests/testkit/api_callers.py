"""A caller of the API on a real database and a real control plane, and a look at the resources behind it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import serve

from sundial_api.clock import read_clock
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.storage.own_writes import take_answers
from sundial_devcluster.cluster import Cluster

JsonObject = dict[str, Any]
CONTAINER = {"name": "main", "image": "localhost/box:1"}
FUNCTION: JsonObject = {
    "apiVersion": "sundial.dev/v1alpha1",
    "kind": "TaskFunction",
    "metadata": {"name": "clean-up"},
    "spec": {
        "name": "clean_up",
        "handler": {"container": {}},
        "template": {"spec": {"template": {"spec": {"containers": [CONTAINER]}}}},
    },
}


class Api:
    """A caller of the API, and a look at the resources behind it."""

    def __init__(self, http: httpx.AsyncClient, cluster: Cluster, ns: str, engine: AsyncEngine) -> None:
        self.http, self.cluster, self.ns, self.engine = http, cluster, ns, engine
        self.function_id = 0

    async def ask(self, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.http.request(method, path, json=body, headers=named)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def create(self, status: int = 201, **fields: Any) -> Any:
        headers = fields.pop("headers", {})
        return await self.ask("POST", "/jobs", self.body() | fields, status, **headers)

    def read(self, job: JsonObject) -> JsonObject:
        kind = "scheduledjobs"
        path = f"/apis/sundial.dev/v1alpha1/namespaces/{self.ns}/{kind}/{job['resourceName']}"
        return self.cluster.get_json(path)

    def body(self) -> JsonObject:
        job = {"name": "Clean up", "taskFunctionId": self.function_id, "jobTypeId": 1}
        return job | {"scheduleConfig": {"hours": 1}}

    async def adopt(
        self, spec: JsonObject, annotations: JsonObject | None = None, *options: str, **labels: str
    ) -> Any:
        """Make a job as others would, and give it as shown."""
        self.apply(spec, *options, annotations=annotations or {}, labels=labels)
        return await self.take("by-hand")

    def apply(self, spec: JsonObject, *options: str, **metadata: JsonObject) -> None:
        """Apply a job with kubectl, of the function unless it has a template."""
        source = {} if "template" in spec else {"taskFunctionRef": {"name": "clean-up"}}
        made = {
            "apiVersion": "sundial.dev/v1alpha1",
            "kind": "ScheduledJob",
            "metadata": {"name": "by-hand"} | metadata,
            "spec": source | spec,
        }
        self.cluster.kubectl("apply", "-n", self.ns, *options, "-f", "-", input=json.dumps(made))

    async def take(self, name: str) -> Any:
        """Mirror a job as it is now, and give it as shown."""
        path = f"/apis/sundial.dev/v1alpha1/namespaces/{self.ns}/scheduledjobs/{name}"
        found = self.cluster.get_json(path)
        await self._mirror(ObjectKind.SCHEDULED_JOB, found)
        return await self.ask("GET", f"/jobs/{found['metadata']['uid']}")

    async def make_function(self, spec: JsonObject, name: str = "clean-up") -> None:
        """Make or change a function, and mirror it."""
        self.apply_function(spec, name)
        path = f"/apis/sundial.dev/v1alpha1/namespaces/{self.ns}/taskfunctions/{name}"
        await self._mirror(ObjectKind.TASK_FUNCTION, self.cluster.get_json(path))

    def apply_function(self, spec: JsonObject, name: str = "clean-up") -> None:
        """Make or change a function with kubectl, and let the API not know."""
        made = FUNCTION | {"metadata": {"name": name}, "spec": FUNCTION["spec"] | spec}
        self.cluster.kubectl("apply", "-n", self.ns, "-f", "-", input=json.dumps(made))

    async def _mirror(self, kind: ObjectKind, found: JsonObject) -> None:
        async with self.engine.begin() as connection:
            await take_answers(connection, [(kind, found)], read_clock())

    def patch(self, job: JsonObject, patch: JsonObject) -> None:
        """Change a job with kubectl, and let the API not know."""
        command = ("patch", "-n", self.ns, "sj", job["resourceName"], "--type=merge", "-p", json.dumps(patch))
        self.cluster.kubectl(*command)

    def mark(self, job: JsonObject, label: str) -> None:
        self.cluster.kubectl("label", "-n", self.ns, "sj", job["resourceName"], label)


@pytest.fixture
async def api(
    cluster: Cluster, namespace: str, fresh_engine: AsyncEngine, fresh_database: str
) -> AsyncIterator[Api]:
    async with serve(cluster, fresh_database) as http:
        caller = Api(http, cluster, namespace, fresh_engine)
        await caller.make_function({})
        async with fresh_engine.begin() as connection:
            query = text("SELECT id FROM task_functions WHERE name = 'clean_up'")
            caller.function_id = await connection.scalar(query) or 0
        yield caller
