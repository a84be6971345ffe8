"""Do the answers fit the frontend's own TypeScript types? Recorded from every endpoint, judged by `tsc`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from kubernetes.aio import client, config
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from testkit.api_apps import serve
from testkit.degraded.providers import AUDIENCE, run_provider
from testkit.processes.apis import WRITER, make_user
from testkit.rows import NOON, execution_row, instance_row

from sundial_api.auth.access import SubjectAccessReviews
from sundial_api.auth.cluster_tokens import ClusterTokens
from sundial_api.auth.oidc_tokens import Provider, ProviderTokens
from sundial_api.db.tables import ScheduledJobExecution, SchedulerInstance
from sundial_api.events.repository import list_changed, read_state
from sundial_api.events.schemas import write_changes
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.storage.own_writes import take_answers
from sundial_api.settings import AuthMode
from sundial_devcluster.addresses import LOOPBACK
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.folders import locked
from sundial_kube.client import KubeClient

TYPES = Path("tests/ts")
Answer = tuple[str, Any]
JSON = dict[str, Any]
HANDLERS = {
    "reports": {"celery": {"task": "tasks.build", "queue": "files"}},
    "clean": {"function": {"path": "a.b"}},
    "box": {"container": {}},
}
"""The first two are the frontend's own types, and not run yet; new jobs are of the third."""
TEMPLATE = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "localhost/box:1"}]}}}}
JOBS = [
    {
        "jobTypeId": 1,
        "scheduleConfig": {"hours": 1, "minutes": 30},
        "taskArgs": {"deep": [1, None, {"a": True}]},
    },
    {"jobTypeId": 2, "scheduleConfig": {"hour": "9", "day_of_week": "mon-fri"}, "description": "Mornings"},
    {"jobTypeId": 2, "scheduleConfig": {"expression": "0 9 * * 1-5"}, "isEnabled": False},
]
ENDINGS: list[dict[str, Any]] = [
    {"result": {"rows": 7}},
    {"status": "failed", "phase": "Failed", "error_message": "Error: exit code 1"},
    {"status": "timeout", "phase": "TimedOut", "triggered_by": "api", "celery_task_id": "x"},
    {"status": "running", "phase": "Running", "completed_at": None, "triggered_by": "manual"},
]


@asynccontextmanager
async def identify_by(mode: AuthMode, cluster: Cluster, ns: str) -> AsyncIterator[tuple[JSON, str]]:
    """Give the parts of the API that tell who calls, in a way to log in, and a token of who may do all."""
    if mode is AuthMode.NONE:
        yield {}, ""
        return
    configuration = client.Configuration()
    await config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    async with KubeClient(configuration) as kube, aiohttp.ClientSession() as session:
        parts: JSON = {"client": kube, "access": SubjectAccessReviews(kube)}
        if mode is AuthMode.KUBERNETES:
            token = make_user(cluster, ns, "clerk", WRITER, "ClusterRole")
            yield parts | {"authenticator": ClusterTokens(kube)}, token
            return
        with run_provider() as provider:
            provider.url = f"http://{LOOPBACK}:{provider.server.server_port}"
            permit(cluster, ns, "clerk")
            known = Provider(provider.url, AUDIENCE)
            yield parts | {"authenticator": ProviderTokens(known, session)}, provider.sign("clerk")
        cluster.kubectl("delete", f"clusterrolebinding/{ns}-all", f"clusterrole/{ns}-all")


def permit(cluster: Cluster, ns: str, user: str) -> None:
    """Let a user of the provider do everything of ours."""
    cluster.kubectl("create", "clusterrole", f"{ns}-all", "--verb=*", "--resource=*.sundial.dev")
    cluster.kubectl("create", "clusterrolebinding", f"{ns}-all", f"--user={user}", f"--clusterrole={ns}-all")


@pytest.fixture(params=AuthMode)
async def api(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    namespace: str,
    fresh_engine: AsyncEngine,
    fresh_database: str,
) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client that is known, of an API in each way to log in."""
    async with fresh_engine.begin() as connection:
        for name, handler in HANDLERS.items():
            spec = {"handler": handler, "template": TEMPLATE}
            await take_answers(
                connection, [make(cluster, namespace, ObjectKind.TASK_FUNCTION, name, spec)], NOON
            )
    async with (
        identify_by(request.param, cluster, namespace) as (parts, token),
        serve(cluster, fresh_database, **parts) as caller,
    ):
        assert (await caller.get("/status")).status_code == (401 if token else 200)
        caller.headers["Authorization"] = f"Bearer {token}"
        yield caller


def make(
    cluster: Cluster, ns: str, kind: ObjectKind, name: str, spec: dict[str, Any]
) -> tuple[ObjectKind, dict[str, Any]]:
    made = {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": kind.value,
        "metadata": {"name": name},
        "spec": spec,
    }
    cluster.kubectl("apply", "-n", ns, "-f", "-", input=json.dumps(made))
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{ns}/{kind.value.lower()}s/{name}"
    return kind, cluster.get_json(path)


async def add_history(connection: AsyncConnection, job_id: str) -> None:
    now = datetime.now(UTC)
    for number, ending in enumerate(ENDINGS):
        row = execution_row(number, job_id=job_id) | ending
        await connection.execute(insert(ScheduledJobExecution).values(row))
    for number, changes in enumerate(({"is_leader": True, "leader_since": NOON}, {})):
        row = instance_row(number, last_heartbeat=now - timedelta(seconds=1)) | changes
        await connection.execute(insert(SchedulerInstance).values(row))
    soon = {"soon": now + timedelta(hours=1), "id": job_id}
    statement = "UPDATE scheduled_jobs SET next_run_time = :soon, last_status = 'failed' WHERE id = :id"
    await connection.execute(text(statement), soon)


async def record_writes(api: httpx.AsyncClient) -> list[Answer]:
    functions = (await api.get("/task-functions?is_active=true")).json()["taskFunctions"]
    bodies = [job | {"name": "Night job", "taskFunctionId": functions[0]["id"]} for job in JOBS]
    made = [(await api.post("/jobs", json=body)).json() for body in bodies]
    path, edit = f"/jobs/{made[0]['id']}", {"retryCount": 1, "scheduleConfig": {"days": 1}}
    changed = [await api.put(path, json=edit), await api.put(f"{path}/status", json={"isEnabled": True})]
    triggered = (await api.post(f"{path}/trigger")).json()
    return [
        *(("CreateScheduledJobRequest", body) for body in bodies),
        ("UpdateScheduledJobRequest", edit),
        *(("ScheduledJob", job) for job in made),
        *(("ScheduledJob", answer.json()) for answer in changed),
        ("ScheduledJob", triggered["job"]),
        ("ScheduledJobExecution", triggered["execution"]),
    ]


async def record_reads(api: httpx.AsyncClient, job_id: str) -> list[Answer]:
    paths = {
        "/jobs": "ScheduledJobListResponse",
        f"/jobs/{job_id}": "ScheduledJobDetail",
        "/task-functions?is_active=false": "TaskFunctionListResponse",
        "/job-types": "SchedulerJobType[]",
        "/executions": "ScheduledJobExecutionListResponse",
        f"/jobs/{job_id}/executions": "ScheduledJobExecutionListResponse",
        "/status": "SchedulerStatusResponse",
    }
    return [(name, (await api.get(path)).json()) for path, name in paths.items()]


async def record_events(engine: AsyncEngine) -> list[Answer]:
    async with engine.connect() as connection:
        rows = await list_changed(connection, 0, (await read_state(connection)).newest, None)
    sent = [change.text.decode().splitlines() for change in write_changes(rows, "log", "claimed")]
    assert {name for name, *_ in sent} == {"event: job", "event: execution"}
    types = {"event: job": "ScheduledJob", "event: execution": "ScheduledJobExecution"}
    return [(types[name], json.loads(data.removeprefix("data: "))) for name, _, data, *_ in sent]


def compile_answers(folder: Path, answers: Iterable[Answer]) -> str:
    """Compile answers as values of their types; give what the compiler says."""
    names = "import type * as frontend from './scheduler';\nimport type { Fits } from './fits';\n"
    lines = [
        f"export const answer{number}: Fits<frontend.{name}> = {json.dumps(answer)};\n"
        for number, (name, answer) in enumerate(answers)
    ]
    (folder / "answers.ts").write_text(names + "".join(lines))
    for name in ("scheduler.d.ts", "fits.ts"):
        shutil.copy(TYPES / name, folder)
    compiler = TYPES.absolute() / "node_modules/.bin/tsc"
    command = [compiler, "--noEmit", "--strict", "--target", "es2022", "answers.ts"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


@pytest.fixture(scope="module", autouse=True)
def compiler(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Install the compiler that is locked."""
    if shutil.which("npm") is None:
        pytest.skip("the frontend's types need Node.js and npm (`make setup` installs them for root)")
    with locked(TYPES):
        if not (TYPES / "node_modules/.bin/tsc").exists():
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=TYPES, check=True)


async def test_answers_fit_the_frontends_types(
    api: httpx.AsyncClient, cluster: Cluster, namespace: str, fresh_engine: AsyncEngine, tmp_path: Path
) -> None:
    answers = await record_writes(api)
    spec = {"schedule": {"interval": {"hours": 1}}, "taskFunctionRef": {"name": "reports"}}
    kind, job = make(cluster, namespace, ObjectKind.SCHEDULED_JOB, "by-hand", spec)
    job_id = job["metadata"]["uid"]
    async with fresh_engine.begin() as connection:
        await take_answers(connection, [(kind, job)], NOON)
        await add_history(connection, job_id)
    answers += await record_reads(api, job_id)
    status = answers[-1][1]
    assert None not in (status["leaderInstance"], status["nextScheduledJob"])
    answers += await record_events(fresh_engine)
    assert compile_answers(tmp_path, answers) == ""


JOB_TYPE = {"id": 1, "name": "interval", "displayName": "Interval", "description": None, "more": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({}, "", id="fits, with a field more"),
        pytest.param({"id": "1"}, "not assignable", id="another type"),
        pytest.param({"displayName": None}, "not assignable", id="null"),
        pytest.param(None, "missing", id="nothing there"),
    ],
)
def test_compiler_tells_what_does_not_fit(tmp_path: Path, change: Any, words: str) -> None:
    answer = {"id": 1} if change is None else JOB_TYPE | change
    said = compile_answers(tmp_path, [("SchedulerJobType", answer)])
    assert words in said if words else said == ""
