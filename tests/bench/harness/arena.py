"""The control plane that all contestants share: its flags, its processes' CPU time, and making it quiet."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from pathlib import Path

import aiohttp
from bench.harness.requests import (
    CRON_JOBS,
    JOBS,
    PODS,
    SCHEDULED_JOBS,
    Access,
    create,
    delete_all,
    list_items,
)

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until_async

RAISED_FLAGS = ("--kube-api-qps=1000", "--kube-api-burst=1000", "--concurrent-cron-job-syncs=50")
MANAGER = "kube-controller-manager"
SERVERS = ("kube-apiserver", "etcd", MANAGER)
PARENTS_FIRST = (CRON_JOBS, SCHEDULED_JOBS, JOBS, PODS)
QUIET_CORES = 0.15
QUIET_TIMEOUT_SECONDS = 300
TICKS = os.sysconf("SC_CLK_TCK")


class Foreseen(Exception):
    """A reason to end a bench that needs no traceback; the text says it all."""


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


def read_memory_mb(pid: int, field: str) -> float:
    """Read a size of a process from its status: VmRSS is resident now, VmHWM was at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith(field + ":"))
    return round(int(kilobytes) / 1024, 1)


def read_busy_seconds() -> float:
    """Read the CPU time that the whole machine has been busy for, whoever used it."""
    user, nice, system, _, _, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / TICKS


def read_servers_cpu(cluster: Cluster, servers: tuple[str, ...] = SERVERS) -> dict[str, float]:
    """Read the CPU time of servers; by default of those that take part in every burst."""
    return {name: read_cpu_seconds(cluster.component_pid(name)) for name in servers}


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
