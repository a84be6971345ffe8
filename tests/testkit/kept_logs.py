"""Runs whose Pods fail on a node that a test plays, and what keeps the ends of their logs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from kubernetes.aio import client, config
from prometheus_client import CollectorRegistry
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from testkit.kubelets import PlayedKubelet, play_kubelet
from testkit.mirror_rows import NOW, read
from testkit.processes.operators import Starter, Sundial, build_scheduled_job, build_template
from testkit.rows import NOON, execution_row, numbered
from testkit.scheduled_jobs import UID
from testkit.wires import FaultyWire, lay_wire

from sundial_api.clock import read_clock
from sundial_api.db.tables import ScheduledJobExecution
from sundial_api.mirror.feed import WatchScope
from sundial_api.mirror.log_keeper import keep_log_tails
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.mirror import Mirror
from sundial_api.mirror.session import MirrorConfig
from sundial_api.mirror.storage import log_tails
from sundial_api.mirror.storage.log_tails import LogPurpose
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.addresses import LOOPBACK
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until, until_async
from sundial_kube.client import REQUEST_TIMEOUT_SECONDS, KubeClient

JSON = dict[str, Any]
KEPT_BYTES = 2000
TAILS = "scheduled_job_log_tails"
STATE = "pod_uid, tries, due_at IS NULL, container, log_text, is_cut"
MAIN = {"name": "main", "image": "localhost/box:1"}


@asynccontextmanager
async def connect(
    cluster: Cluster, port: int | None = None, seconds: float = REQUEST_TIMEOUT_SECONDS
) -> AsyncIterator[KubeClient]:
    """Give a client of the API server, through a port of this machine if one is named."""
    configuration = client.Configuration()
    await config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    if port is not None:
        configuration.host = f"https://{LOOPBACK}:{port}"
    async with KubeClient(configuration, request_seconds=seconds) as kube:
        yield kube


@contextmanager
def wire_to(cluster: Cluster) -> Iterator[FaultyWire]:
    """Give a wire to the API server."""
    parts = urlsplit(cluster.server)
    assert parts.hostname
    assert parts.port
    with lay_wire((parts.hostname, parts.port)) as wire:
        yield wire


class Keeping:
    """What keeps logs in this process, and a look at what became of them."""

    def __init__(self, engine: AsyncEngine, ns: str, settings: DatabaseSettings) -> None:
        self.engine, self.registry = engine, CollectorRegistry()
        self.role = MirrorConfig(WatchScope((ns,), ns, "sundial"), settings, str(numbered(1)), read_clock)

    @asynccontextmanager
    async def mirror(self, cluster: Cluster) -> AsyncIterator[None]:
        """Mirror the namespace meanwhile."""
        self.registry = CollectorRegistry()
        async with connect(cluster) as kube:
            mirror = Mirror(self.engine, kube, self.role.scope, self.role.settings, self.registry)
            mirror.start()
            yield
            await mirror.stop()

    @asynccontextmanager
    async def keep(self, kube: KubeClient) -> AsyncIterator[None]:
        """Read what is wanted meanwhile, and mirror nothing."""
        self.registry = CollectorRegistry()
        async with keep_log_tails(self.engine, kube, self.role, MirrorMetrics(self.registry)):
            yield

    async def read(self, columns: str = STATE) -> list[Any]:
        """Read the rows."""
        return await read_tails(self.engine, columns)

    async def until_settled(self) -> list[Any]:
        """Wait until nothing is to be read any more; returns the rows."""
        return await until_async(self._read_settled)

    async def _read_settled(self) -> list[Any]:
        rows = await self.read()
        return rows if all(row[2] for row in rows) else []

    def count(self, outcome: str) -> float:
        """Count the logs of which that became."""
        return self.registry.get_sample_value("sundial_mirror_log_tails_total", {"outcome": outcome}) or 0


class FailingRuns:
    """Runs of a job on the node, which end when and as the test says."""

    def __init__(self, sundial: Sundial, node: str) -> None:
        self.sundial, self.node = sundial, node

    def fail(self, name: str) -> tuple[str, JSON]:
        """Run a job once, whose Pod fails; returns the path of its log, and the Pod."""
        template = build_template(["false"])
        template["spec"]["template"]["spec"]["nodeName"] = self.node
        job = build_scheduled_job(name, {"cron": "@yearly"}, template=template, retry={"count": 0})
        self.sundial.apply(job)
        self.sundial.until_ready(name, "Scheduled")
        run = {
            "apiVersion": "sundial.dev/v1alpha1",
            "kind": "ScheduledJobRun",
            "metadata": {"name": name},
            "spec": {"scheduledJobName": name},
        }
        self.kubectl("create", "-f", "-", input=json.dumps(run))
        (pod,) = until(lambda: self.list_pods(name))
        self.end_pod(pod)
        made: JSON = until(lambda: self._find_ended(name))
        return f"/executions/{made['metadata']['uid']}/log", pod

    def list_pods(self, name: str) -> list[JSON]:
        """List the Pods of a job."""
        path = f"/api/v1/namespaces/{self.sundial.ns}/pods?labelSelector=sundial.dev/scheduled-job%3D{name}"
        items: list[JSON] = self.sundial.cluster.get_json(path)["items"]
        return items

    def _find_ended(self, name: str) -> JSON | None:
        run: JSON = json.loads(self.kubectl("get", "sjr", name, "-o", "json"))
        return run if "result" in run.get("status", {}) else None

    def end_pod(self, pod: JSON) -> None:
        """Let the only container of a Pod fail, as its kubelet says."""
        times = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z"}
        state = {"terminated": {"exitCode": 1, "reason": "Error"} | times}
        image = {"image": "localhost/box:1", "imageID": "", "restartCount": 0, "ready": False}
        status = {"phase": "Failed", "containerStatuses": [{"name": "main", "state": state} | image]}
        patch = json.dumps({"status": status})
        self.kubectl("patch", "pod", pod["metadata"]["name"], "--subresource=status", "-p", patch)

    def replace_pod(self, pod: JSON) -> None:
        """Delete a Pod, and make another of its name with all of its marks."""
        name = pod["metadata"]["name"]
        self.kubectl("delete", "pod", name, "--force", "--grace-period=0")
        kept = {key: pod["metadata"][key] for key in ("name", "labels", "annotations")}
        spec = {"containers": [{"name": "main", "image": "localhost/box:1"}], "nodeName": self.node}
        owner = pod["metadata"]["ownerReferences"][0] | {"controller": False}
        other = {"apiVersion": "v1", "kind": "Pod", "metadata": kept | {"ownerReferences": [owner]}}
        self.kubectl("create", "-f", "-", input=json.dumps(other | {"spec": spec}))
        self.end_pod(other)

    def kubectl(self, verb: str, *arguments: str, **how: Any) -> str:
        """Run kubectl in the namespace."""
        return str(self.sundial.cluster.kubectl(verb, "-n", self.sundial.ns, *arguments, **how))


async def want_log(keeping: Keeping, cluster: Cluster, ns: str, node: str) -> str:
    """Make a Pod that has failed in a namespace, and want its log; returns the path of that."""
    holder = {"apiVersion": "v1", "kind": "ConfigMap"}
    made = _create(cluster, ns, holder | {"metadata": {"name": "holder"}})
    owner = holder | {"name": "holder", "uid": made["metadata"]["uid"], "controller": True}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "held", "ownerReferences": [owner]},
        "spec": {"containers": [MAIN], "nodeName": node},
    }
    found = _create(cluster, ns, pod)
    run = failed_run(sum(map(ord, ns)), ns=ns)
    run.attempts[0]["job"]["uid"] = owner["uid"]
    run.attempts[0]["pod"] = {"uid": found["metadata"]["uid"], "name": "held", "job_uid": owner["uid"]}
    async with keeping.engine.begin() as connection:
        await want_logs(connection, run, now=read_clock())
    return f"/executions/{run.id}/log"


def _create(cluster: Cluster, ns: str, item: JSON) -> JSON:
    made: JSON = json.loads(
        cluster.kubectl("create", "-n", ns, "-f", "-", "-o", "json", input=json.dumps(item))
    )
    return made


def failed_run(number: int, *, attempts: int = 1, ns: str = "team") -> Any:
    """Build the row of a run whose attempts failed, one a minute, each with a Pod of its own."""
    entries = [
        {
            "attempt": attempt,
            "job": {
                "uid": f"job-{number}-{attempt}",
                "phase": "Failed",
                "created_at": "2026-01-01T00:00:00Z",
                "completed_at": (NOON + timedelta(minutes=number + attempt)).isoformat(),
            },
            "pod": {"uid": f"p-{number}-{attempt}", "name": "p", "job_uid": f"job-{number}-{attempt}"},
        }
        for attempt in range(1, attempts + 1)
    ]
    return SimpleNamespace(id=str(numbered(number)), job_id=UID, namespace=ns, attempts=entries)


async def want_logs(connection: AsyncConnection, *runs: Any, now: datetime = NOW) -> None:
    """Write rows of executions, and want their logs."""
    for one in runs:
        row = execution_row(1, id=one.id, job_id=one.job_id, namespace=one.namespace, attempts=one.attempts)
        await connection.execute(insert(ScheduledJobExecution).values(row))
    await log_tails.want(connection, runs, now, frozenset(LogPurpose))


async def read_tails(
    engine: AsyncEngine, columns: str = "attempt, pod_uid", where: str = "true"
) -> list[Any]:
    """Read rows of what is kept and wanted."""
    async with engine.begin() as connection:
        return await read(connection, TAILS, columns, where)


@pytest.fixture
def kubelet(cluster: Cluster, namespace: str) -> Iterator[PlayedKubelet]:
    """Give the kubelet of a node for this test alone."""
    with play_kubelet(cluster, f"node-of-{namespace}") as played:
        played.logs = {(namespace, "main"): b"one\ntwo\nthree\n"}
        yield played


@pytest.fixture
def keeping(fresh_engine: AsyncEngine, fresh_database: str, namespace: str) -> Keeping:
    """Give what keeps the ends of logs, in this process."""
    settings = DatabaseSettings(database_url=fresh_database, log_tail_bytes=KEPT_BYTES)
    return Keeping(fresh_engine, namespace, settings)


@pytest.fixture
def runs(start_operator: Starter, kubelet: PlayedKubelet) -> FailingRuns:
    """Give runs of the test's namespace on the node."""
    return FailingRuns(start_operator(), kubelet.node)
