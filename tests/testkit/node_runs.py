"""Runs of a job on a real node, and what the API answers about them."""

from __future__ import annotations

import json
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.processes.operators import Sundial, build_scheduled_job, build_template

from sundial_api.clock import read_clock
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.storage.own_writes import take_answers
from sundial_devcluster.polling import until

JsonObject = dict[str, Any]


class NodeRuns:
    """Runs of a job on a real node, mirrored when they have ended."""

    def __init__(self, sundial: Sundial, http: httpx.AsyncClient, engine: AsyncEngine) -> None:
        self.sundial, self.http, self.engine = sundial, http, engine

    async def run(self, name: str, script: str, **spec: Any) -> str:
        """Run a script once, wait until it has ended, and give the path of its execution."""
        self.start(name, script, **spec)
        until(lambda: "result" in self._get("sjr", name).get("status", {}), 60)
        seen = [
            (ObjectKind.SCHEDULED_JOB, self._get("sj", name)),
            (ObjectKind.SCHEDULED_JOB_RUN, self._get("sjr", name)),
        ]
        seen += [(ObjectKind.JOB, self.sundial.jobs(name)[0]), (ObjectKind.POD, self.find_pod(name))]
        async with self.engine.begin() as connection:
            await take_answers(connection, seen, read_clock())
        return self.find_path(name)

    def find_path(self, name: str) -> str:
        """Find the path of the execution of a run."""
        return f"/executions/{self._get('sjr', name)['metadata']['uid']}"

    def start(self, name: str, script: str, **spec: Any) -> None:
        """Make a job of a script, and run it once."""
        template = build_template(["sh", "-c", script])
        how: JsonObject = {"template": template, "retry": {"count": 0}} | spec
        job = build_scheduled_job(name, {"cron": "0 0 1 1 *"}, **how)
        self.sundial.apply(job | {"spec": job["spec"] | {"history": {"successful": 9, "failed": 9}}})
        self.sundial.until_ready(name, "Scheduled")
        made = {
            "apiVersion": "sundial.dev/v1alpha1",
            "kind": "ScheduledJobRun",
            "metadata": {"name": name},
            "spec": {"scheduledJobName": name},
        }
        self.sundial.cluster.kubectl("create", "-n", self.sundial.ns, "-f", "-", input=json.dumps(made))

    def _get(self, kind: str, name: str) -> JsonObject:
        found: JsonObject = json.loads(
            self.sundial.cluster.kubectl("get", "-n", self.sundial.ns, kind, name, "-o", "json")
        )
        return found

    def find_pod(self, name: str) -> JsonObject:
        """Find the one Pod of a job."""
        path = f"/api/v1/namespaces/{self.sundial.ns}/pods?labelSelector=sundial.dev/scheduled-job%3D{name}"
        (pod,) = self.sundial.cluster.get_json(path)["items"]
        return dict(pod)

    async def read(self, path: str, status: int = 200) -> Any:
        """Read what the API answers."""
        answer = await self.http.get(f"{path}")
        assert answer.status_code == status, answer.text
        return answer.json()
