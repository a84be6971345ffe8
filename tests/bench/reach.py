"""How soon is it known where a caller may list, who may in few of many namespaces? How fast are lists then?

The API runs in this process, on a Postgres with generated rows and a real API server with the namespaces and
the roles. Its callers are identified, and reviewed anew for each round.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import httpx
from bench.api_reads import Asked, measure_list
from bench.harness.arena import find_access
from bench.harness.clusters import describe_machine, open_cluster, request_token
from bench.harness.command import Report, Show, add_output, explain_ends, open_show, print_report
from bench.harness.requests import create, create_all, open_session
from bench.mirror import open_postgres
from kubernetes.aio import client, config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from testkit.api_apps import build_services
from testkit.bulk_jobs import NAMESPACES, fill_jobs, fill_runs

from sundial_api.auth.access import SubjectAccessReviews
from sundial_api.auth.cluster_tokens import ClusterTokens
from sundial_api.auth.visible_namespaces import VisibleNamespaces
from sundial_api.db.engine import build_engine, parse_url
from sundial_api.main import PREFIX
from sundial_api.namespaces.repository import KnownNamespaces
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.cluster import Cluster, ClusterConfig, Nodes
from sundial_kube.client import KubeClient

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}"
HOME, NAME = "team-1", "guest"
LISTS = (
    Asked("jobs", "/jobs", 20),
    Asked("jobs by name", "/jobs?sort=name", 20),
    Asked("failing jobs", "/jobs?failing=true&sort=failing", 20),
    Asked("executions", "/executions"),
    Asked("failed executions", "/executions?status=failed"),
    Asked("running executions", "/executions?status=running"),
    Asked("task functions", "/task-functions"),
    Asked("status", "/status"),
)


@dataclass(frozen=True)
class ReachSize:
    """How many rows there are, in how many namespaces the caller may list, and how often it is measured."""

    jobs: int = 10_000
    executions: int = 1_000_000
    visible: int = 30
    looks: int = 10
    rounds: int = 100


async def prepare(session: aiohttp.ClientSession, size: ReachSize) -> str:
    """Make the namespaces, and an account with a role in some of them; returns a token of it."""
    names = [f"team-{number}" for number in range(NAMESPACES)]
    await create_all(session, "/api/v1/namespaces", ({"metadata": {"name": name}} for name in names))
    accounts = f"/api/v1/namespaces/{HOME}/serviceaccounts"
    await create(session, accounts, {"metadata": {"name": NAME}})
    step = NAMESPACES // size.visible
    for name in names[1::step][: size.visible]:
        for kind, manifest in build_rights().items():
            await create(session, f"{RBAC.format(ns=name)}/{kind}", manifest)
    return await request_token(session, f"{accounts}/{NAME}/token")


def build_rights() -> dict[str, dict[str, Any]]:
    """Build a role and its binding, by the plurals of their kinds."""
    rule = {"apiGroups": ["sundial.dev"], "resources": ["*"], "verbs": ["get", "list"]}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME}
    subject = {"kind": "ServiceAccount", "namespace": HOME, "name": NAME}
    metadata = {"name": NAME}
    return {
        "roles": {"metadata": metadata, "rules": [rule]},
        "rolebindings": {"metadata": metadata, "roleRef": reference, "subjects": [subject]},
    }


@asynccontextmanager
async def serve(cluster: Cluster, url: str, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client with a token of an API that has just begun."""
    configuration = client.Configuration()
    await config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    engine = build_engine(DatabaseSettings(database_url=url))
    visible = VisibleNamespaces(KnownNamespaces(engine).list)
    async with KubeClient(configuration, user_agent="sundial-api") as kube:
        access = SubjectAccessReviews(kube, visible)
        how = {"authenticator": ClusterTokens(kube), "access": access, "client": kube}
        async with build_services(url, **how) as application:
            transport = httpx.ASGITransport(application)
            headers = {"Authorization": f"Bearer {token}"}
            base = f"http://api{PREFIX}"
            async with httpx.AsyncClient(
                transport=transport, base_url=base, headers=headers, timeout=60
            ) as http:
                yield http
        await visible.close()
    await engine.dispose()


async def measure_look(http: httpx.AsyncClient, size: ReachSize) -> float:
    """Ask until the answer is complete; returns after how many seconds that was."""
    began = time.perf_counter()
    while True:
        answer = await http.get("/namespaces")
        answer.raise_for_status()
        found = answer.json()
        if found["isComplete"]:
            assert len(found["namespaces"]) == size.visible, found
            return time.perf_counter() - began


async def measure(cluster: Cluster, url: str, size: ReachSize, show: Show) -> Report:
    """Measure looks, each by an API that has just begun, then lists."""
    async with open_session(find_access(cluster)) as session:
        token = await prepare(session, size)
    looks = []
    for _ in range(size.looks):
        async with serve(cluster, url, token) as http:
            looks.append(await measure_look(http, size))
    show.say(f"complete after {sorted(looks)}")
    async with serve(cluster, url, token) as http:
        await measure_look(http, size)
        lists = {one.name: await measure_list(http, one, size.rounds, show) for one in LISTS}
    return {
        "namespaces": NAMESPACES,
        "visible": size.visible,
        "executions": size.executions,
        "jobs": size.jobs,
        "complete_p50_seconds": round(statistics.median(looks), 2),
        "complete_max_seconds": round(max(looks), 2),
        "lists": lists,
        "slowest_first_page_p95_ms": max(one["first_page_p95_ms"] for one in lists.values()),
        "slowest_any_page_p95_ms": max(one["any_page_p95_ms"] for one in lists.values()),
    }


def fill(url: str, size: ReachSize) -> None:
    """Fill a migrated database."""
    now = datetime.now(UTC)
    with create_engine(parse_url(url), poolclass=NullPool).connect() as connection:
        fill_jobs(connection, size.jobs, now)
        fill_runs(connection, size.jobs, size.executions, now)


def run(size: ReachSize) -> Report:
    """Start a cluster and a database, measure, and end them whatever happens."""
    settings = ClusterConfig(f"reach-{os.getpid()}", Nodes.NONE)
    with open_show() as show, open_postgres() as postgres, open_cluster(settings, show.say) as cluster:
        show.say(f"generating {size.executions:,} executions over {NAMESPACES:,} namespaces")
        fill(postgres.url(), size)
        figures = asyncio.run(measure(cluster, postgres.url(), size, show))
        return {**figures, "machine": describe_machine(cluster)}


def main() -> None:
    """Run the bench as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--executions", type=int, default=ReachSize.executions, help="[%(default)s]")
    add("--rounds", type=int, default=ReachSize.rounds, help="how often each list is asked [%(default)s]")
    add_output(parser)
    arguments = parser.parse_args()
    with explain_ends():
        report = run(ReachSize(executions=arguments.executions, rounds=arguments.rounds))
    print_report(report, arguments.output)


if __name__ == "__main__":
    main()
