"""What does the runner cost? Pods of functions and Celery tasks beside bare Pods, in turn on a real node.

A Job at a time, all ways in each round, in another order each. Times are seconds: from the create request and
from the start of the container's first process to the function's first line. CPU is that of everything in the
cluster from the request until the Job is complete, the worker included. Progress goes to standard error, the
figures as JSON to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import aiohttp
import yaml
from bench.harness.arena import find_access, open_namespace
from bench.harness.clusters import describe_machine, open_cluster
from bench.harness.command import Report, Show, add_output, explain_ends, open_show, print_report
from bench.harness.requests import JOBS, PODS, create, list_items, open_session

from sundial_core.resources.specs import Handler
from sundial_core.runs.runner_config_maps import build_config_map
from sundial_core.runs.runner_pods import build_template, read_archive
from sundial_devcluster.application_images import CATALOG, ensure_application_image, ensure_redis_image
from sundial_devcluster.cgroups import mounted_hierarchies
from sundial_devcluster.cluster import Cluster, ClusterConfig, Nodes
from sundial_devcluster.polling import until_async

NS = "runner"
IMAGE = "localhost/bench-runner:1"
APP = Path(__file__).with_name("runner_app")
SEED = 20261128
TIMEOUT_SECONDS = 120
POLL_SECONDS = 0.2
TASK_SECONDS = 2.0
TELL = "import first;told=first.tell()"
TELL_ASYNC = "import asyncio,first;told=asyncio.run(first.tell_async())"
REPORT = "import json;open('/dev/termination-log','w').write(json.dumps({'result':told}))"
MOST_START, MOST_CREATE, MOST_MEMORY_MB = 1.5, 1.25, 40.0
"""Goals: the first two times those of a bare Pod."""


@dataclass(frozen=True)
class Size:
    """How large the bench is."""

    rounds: int = 12


@dataclass
class Sample:
    """One Job of a way."""

    created_at: float
    cpu: float
    memory_mb: list[float] = field(default_factory=list)
    told: dict[str, float] = field(default_factory=dict)


def build_ways(broker: str) -> dict[str, dict[str, Any]]:
    """Build the Pods that are compared."""
    env = [{"name": "BROKER", "value": broker}]
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": IMAGE, "env": env}]}
    bare = {
        "bare": _build_bare(TELL),
        "bare_async": _build_bare(TELL_ASYNC),
        "bare_with_token": _build_bare(TELL) | {"automountServiceAccountToken": True},
    }
    handlers = {
        "function": {"function": {"path": "first.tell"}},
        "async_function": {"function": {"path": "first.tell_async"}},
        "celery_task": {"celery": {"task": "tasks.take", "app": "tasks"}},
    }
    return bare | {way: _with_runner(pod, Handler(**one)) for way, one in handlers.items()}


def _build_bare(program: str) -> dict[str, Any]:
    container = {"name": "main", "image": IMAGE, "command": ["python3", "-c", f"{program};{REPORT}"]}
    return {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]}


def _with_runner(pod: dict[str, Any], handler: Handler) -> dict[str, Any]:
    job_template = {"spec": {"template": {"spec": pod}}}
    plan = SimpleNamespace(handler=handler, template=job_template, timeout_seconds=TIMEOUT_SECONDS)
    built: dict[str, Any] = build_template(plan)["spec"]["template"]["spec"]
    return built


def build_job(name: str, pod: dict[str, Any]) -> dict[str, Any]:
    """Build a Job of one of the ways, with what Sundial tells each of its Pods."""
    told = {
        "SUNDIAL_RUN_ID": str(uuid4()),
        "SUNDIAL_ATTEMPT": "1",
        "SUNDIAL_ARGS": json.dumps({"seconds": TASK_SECONDS} if name.startswith("celery") else {}),
    }
    env = [{"name": key, "value": value} for key, value in told.items()]
    (container,) = pod["containers"]
    spec = pod | {"containers": [container | {"env": [*env, *container.get("env", ())]}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name.replace("_", "-")},
        "spec": {"backoffLimit": 0, "template": {"spec": spec}},
    }


async def measure(cluster: Cluster, size: Size, show: Show) -> Report:
    """Run all ways in turn, and compare them."""
    show.say("making images and loading them")
    for archive in (
        ensure_redis_image(),
        ensure_application_image(IMAGE, APP, CATALOG / "requirements.lock"),
    ):
        cluster.load_image(archive)
    dice = random.Random(SEED)
    samples: dict[str, list[Sample]] = {}
    async with open_session(find_access(cluster)) as session:
        await open_namespace(session, NS)
        await create(session, f"/api/v1/namespaces/{NS}/configmaps", build_config_map(read_archive()))
        ways = build_ways(await start_worker(cluster, session))
        for number in show.count(range(-1, size.rounds), size.rounds + 1, "rounds"):
            for way in dice.sample(sorted(ways), len(ways)):
                sample = await run_job(cluster, session, build_job(f"{way}-{number + 1}", ways[way]))
                if number >= 0:  # the first round has the caches cold
                    samples.setdefault(way, []).append(sample)
    return describe(samples)


async def start_worker(cluster: Cluster, session: aiohttp.ClientSession) -> str:
    """Start Redis and a worker, and wait until both are ready; returns the broker's URL."""
    for manifest in yaml.safe_load_all((CATALOG / "kubernetes" / "redis.yaml").read_text()):
        cluster.kubectl("create", "-n", NS, "-f", "-", input=json.dumps(manifest))
    address = cluster.kubectl("get", "-n", NS, "service/redis", "-o", "jsonpath={.spec.clusterIP}")
    broker = f"redis://{address}:6379/0"
    command = ["python3", "-m", "celery", "-A", "tasks", "worker", "-c", "1", "-l", "INFO"]
    env = [{"name": "BROKER", "value": broker}]
    pod = {"containers": [{"name": "worker", "image": IMAGE, "command": command, "env": env}]}
    await create(
        session,
        PODS.format(ns=NS),
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "worker"}, "spec": pod},
    )
    cluster.kubectl("wait", "-n", NS, "--for=condition=Ready", "--timeout=120s", "pod/worker")
    await until_async(lambda: "ready." in cluster.kubectl("logs", "-n", NS, "worker"))
    return broker


async def run_job(cluster: Cluster, session: aiohttp.ClientSession, job: dict[str, Any]) -> Sample:
    """Run a Job to its end, and read what its Pod told; raises AssertionError when it fails."""
    name = job["metadata"]["name"]
    run_id = job["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]
    sample = Sample(time.time(), read_cluster_cpu(cluster))
    await create(session, JOBS.format(ns=NS), job)
    while True:
        await asyncio.sleep(POLL_SECONDS)
        if name.startswith("celery"):
            sample.memory_mb += filter(None, [read_private_mb(run_id)])
        status = next(
            one for one in await list_items(session, JOBS.format(ns=NS)) if one["metadata"]["name"] == name
        )
        conditions = {one["type"] for one in status.get("status", {}).get("conditions", ())}
        assert "Failed" not in conditions, status
        if "Complete" in conditions:
            break
    sample.cpu = read_cluster_cpu(cluster) - sample.cpu
    pods = await list_items(session, f"{PODS.format(ns=NS)}?labelSelector=job-name%3D{name}")
    message = pods[0]["status"]["containerStatuses"][0]["state"]["terminated"]["message"]
    sample.told = json.loads(message)["result"]
    return sample


def read_cluster_cpu(cluster: Cluster) -> float:
    """Read the CPU seconds of all that runs in the cluster."""
    wire = cluster.state.addresses.wire
    assert wire is not None
    for hierarchy in mounted_hierarchies():
        folder = hierarchy.mount / wire.cgroup
        if (folder / "cpuacct.usage").exists():
            return int((folder / "cpuacct.usage").read_text()) / 1e9
        if (folder / "cpu.stat").exists() and "usage_usec" in (text := (folder / "cpu.stat").read_text()):
            return int(text.split("usage_usec ")[1].split()[0]) / 1e6
    raise AssertionError("no cgroup counts CPU time")


def read_private_mb(run_id: str) -> float:
    """Read the private memory of a run's processes; 0 while there are none."""
    kilobytes = 0
    for process in _list_processes(f"SUNDIAL_RUN_ID={run_id}".encode()):
        try:
            lines = (process / "smaps_rollup").read_text().splitlines()
        except (OSError, ProcessLookupError):
            continue
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return round(kilobytes / 1024, 1)


def _list_processes(variable: bytes) -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if variable in (process / "environ").read_bytes().split(b"\0"):
                yield process
        except OSError:
            continue


def describe(samples: dict[str, list[Sample]]) -> Report:
    """Describe each way by its medians, and hold the functions against bare Pods of the same kind.

    A bare Pod has no volume; one with the token of its account has, as Pods have unless they say otherwise.
    """
    ways = {way: _describe_way(found) for way, found in samples.items()}
    for way, bare in (("function", "bare"), ("async_function", "bare_async")):
        ways[way]["start_ratio"] = round(ways[way]["start"] / ways[bare]["start"], 2)
        ways[way]["create_ratio"] = round(ways[way]["create"] / ways[bare]["create"], 2)
    ways["function"]["create_ratio_with_token"] = round(
        ways["function"]["create"] / ways["bare_with_token"]["create"], 2
    )
    memory = max(round(median(one.memory_mb[-3:]), 1) for one in samples["celery_task"] if one.memory_mb)
    functions = [ways["function"], ways["async_function"]]
    goals = {
        "start": max(way["start_ratio"] for way in functions) <= MOST_START,
        "create": max(way["create_ratio"] for way in functions) <= MOST_CREATE,
        "memory": memory <= MOST_MEMORY_MB,
    }
    return {"ways": ways, "celery_private_mb": memory, "goals": goals}


def _describe_way(samples: list[Sample]) -> Report:
    report: Report = {"jobs": len(samples), "cpu": round(median(one.cpu for one in samples), 2)}
    if "at" in samples[0].told:
        starts = [one.told["since_start"] for one in samples]
        creates = [one.told["at"] - one.created_at for one in samples]
        report |= {"start": round(median(starts), 3), "start_min": round(min(starts), 3)}
        report |= {"create": round(median(creates), 3), "create_min": round(min(creates), 3)}
    return report


def run(size: Size) -> Report:
    """Start a cluster, measure, and end it whatever happens; return the whole report."""
    config = ClusterConfig(f"runner-{os.getpid()}", Nodes.REAL)
    with open_show() as show, open_cluster(config, show.say) as cluster:
        figures = asyncio.run(measure(cluster, size, show))
        return {**figures, "machine": describe_machine(cluster)}


def main() -> None:
    """Run the bench as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=Size.rounds, help="[%(default)s]")
    add_output(parser)
    arguments = parser.parse_args()
    with explain_ends():
        report = run(Size(arguments.rounds))
    print_report(report, arguments.output)


if __name__ == "__main__":
    main()
