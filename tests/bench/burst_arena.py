"""The control plane that all contestants share: its flags, its processes' CPU time, and making it quiet."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from pathlib import Path

import aiohttp
from burst_api import CRON_JOBS, JOBS, PODS, SCHEDULED_JOBS, Access, create, delete_all, list_items
from burst_contestants import RAISED_FLAGS

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until_async

MANAGER = "kube-controller-manager"
SERVERS = ("kube-apiserver", "etcd", MANAGER)
PARENTS_FIRST = (CRON_JOBS, SCHEDULED_JOBS, JOBS, PODS)
QUIET_CORES = 0.15
QUIET_TIMEOUT_SECONDS = 300
TICKS = os.sysconf("SC_CLK_TCK")


def find_access(cluster: Cluster) -> Access:
    """Return how an administrator reaches the API server."""
    access = cluster.plan.access(cluster.state.addresses.ports.apiserver)
    return Access(access.server, str(access.authority), str(access.certificate), str(access.key))


def set_manager_flags(cluster: Cluster, flags: tuple[str, ...]) -> None:
    """Restart the controller manager with these flags, unless it has them."""
    config = cluster.state.config
    if config.controller_manager_flags != flags:
        cluster.stop_component(MANAGER)
        cluster.record(config=dataclasses.replace(config, controller_manager_flags=flags))
        cluster.start_component(MANAGER)


def read_cpu_seconds(pid: int) -> float:
    """Read the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def read_servers_cpu(cluster: Cluster) -> dict[str, float]:
    """Read the CPU time of the servers that take part in every burst."""
    return {name: read_cpu_seconds(cluster.component_pid(name)) for name in SERVERS}


async def open_namespace(session: aiohttp.ClientSession, ns: str) -> None:
    """Make a namespace in which Pods can be created."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}}
    await create(session, "/api/v1/namespaces", manifest)
    path = f"/api/v1/namespaces/{ns}/serviceaccounts"

    async def has_account() -> bool:
        return bool(await list_items(session, path))

    await until_async(has_account)


async def clear(cluster: Cluster, session: aiohttp.ClientSession, ns: str) -> None:
    """Delete all that a contestant has made; with raised flags, since the defaults take minutes."""
    set_manager_flags(cluster, RAISED_FLAGS)
    async with asyncio.timeout(QUIET_TIMEOUT_SECONDS):
        for collection in PARENTS_FIRST:
            while await list_items(session, collection.format(ns=ns)):
                await delete_all(session, collection.format(ns=ns))
                await asyncio.sleep(0.5)


async def wait_quiet(cluster: Cluster) -> None:
    """Wait until none of the servers is busy any more."""
    async with asyncio.timeout(QUIET_TIMEOUT_SECONDS):
        before = read_servers_cpu(cluster)
        while True:
            await asyncio.sleep(2)
            now = read_servers_cpu(cluster)
            if max(now[name] - before[name] for name in SERVERS) < 2 * QUIET_CORES:
                return
            before = now
