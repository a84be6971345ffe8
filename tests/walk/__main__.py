"""make walk: through which files does a due slot go, from the timer to the stored status?

An operator runs in this process on a real control plane; each call into the project is noted with the
function at the bottom of its stack. What runs while nothing is due (heartbeats, probes) is left out, but for
the timer and the watches. The walk is the files that each of five slots has entered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
from rich.console import Console

from sundial_devcluster.cluster import Cluster, ClusterConfig, Nodes, start_cluster
from sundial_devcluster.kubectl import install_crds
from sundial_devcluster.polling import until_async

ROOT = Path(__file__).parents[2]
PACKAGES = ("sundial_clock", "sundial_core", "sundial_kube", "sundial_operator")
NAMESPACE = "default"
NAME = "walk"
PERIOD_SECONDS = 10
WALKS = 5
PATIENCE_SECONDS = 60
START_SECONDS = 10
IDLE_SECONDS = 20
ALWAYS = ("DelayQueue.run", "Agenda.run", "Reflector.run")
"""What runs whether anything is due or not, and is a part of the walk all the same."""

Entered = dict[str, set[str]]
"""Files, by the function at the bottom of the stack from which they were entered."""


class Tracer:
    """Notes the project's files that are entered in this thread."""

    def __init__(self) -> None:
        self.entered: Entered = defaultdict(set)

    def note(self, frame: FrameType, event: str, _: Any) -> None:
        """Take an event of the interpreter."""
        file = find_file(frame)
        if event == "call" and file is not None:
            self.entered[find_bottom(frame)].add(file)

    def take(self) -> Entered:
        """Give what was entered since the last time."""
        taken, self.entered = self.entered, defaultdict(set)
        return taken


def find_file(frame: FrameType) -> str | None:
    """Find the project's file of a frame, from its package on; None for what is not ours."""
    parts = Path(frame.f_code.co_filename).parts
    place = next((parts.index(package) for package in PACKAGES if package in parts), None)
    return None if place is None else "/".join(parts[place:])


def find_bottom(frame: FrameType) -> str:
    """Find the function of ours that is at the bottom of a stack."""
    bottom, below = frame, frame.f_back
    while below is not None:
        if find_file(below) is not None and below.f_code.co_name != "<module>":
            bottom = below
        below = below.f_back
    return bottom.f_code.co_qualname


@contextmanager
def open_cluster(console: Console) -> Iterator[Cluster]:
    """Start a control plane that knows Sundial's kinds."""
    cluster = start_cluster(ClusterConfig(f"walk-{os.getpid()}", Nodes.KWOK), report=console.log)
    try:
        install_crds(cluster.kubectl, ROOT / "crds")
        cluster.kubectl("create", "namespace", "sundial-system")
        yield cluster
    finally:
        cluster.stop()


def build_schedule() -> str:
    """Build a ScheduledJob that is due every ten seconds, first in half a minute."""
    container = {"name": "work", "image": "busybox:1.36", "command": ["true"]}
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    schedule = {"cron": f"*/{PERIOD_SECONDS} * * * * *"}
    spec = {"schedule": schedule, "template": {"spec": {"template": pod}}}
    return json.dumps(
        {
            "apiVersion": "sundial.dev/v1alpha1",
            "kind": "ScheduledJob",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": spec,
        }
    )


async def read_last_slot(cluster: Cluster) -> str | None:
    """Read the newest slot that the stored status tells of."""
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{NAMESPACE}/scheduledjobs/{NAME}"
    item = await asyncio.to_thread(cluster.get_json, path)
    return (item.get("status") or {}).get("lastScheduleTime")


async def watch_walks(cluster: Cluster, tracer: Tracer, console: Console) -> list[Entered]:
    """Note what is entered from just before each slot to its stored status."""
    walks: list[Entered] = []
    while len(walks) < WALKS:
        await asyncio.sleep(PERIOD_SECONDS - time.time() % PERIOD_SECONDS - 0.2)
        before = await read_last_slot(cluster)
        due = datetime.now(UTC)
        tracer.take()

        async def is_stored(known: str | None = before) -> bool:
            return await read_last_slot(cluster) not in (known, None)

        await until_async(is_stored, PATIENCE_SECONDS)
        entered = tracer.take()
        if before is not None:
            walks.append(entered)
            console.log(f"slot of {due:%H:%M:%S}: {len(set().union(*entered.values()))} files")
    return walks


def find_walk(walks: list[Entered], idle: Entered) -> list[str]:
    """Find the files that every slot has entered, but for what runs anyway."""
    anyway = set(idle) - set(ALWAYS)
    entered = [
        set().union(*(files for bottom, files in walk.items() if bottom not in anyway)) for walk in walks
    ]
    return sorted(set.intersection(*entered))


async def trace(cluster: Cluster, console: Console) -> list[str]:
    """Run an operator and follow five slots of one schedule."""
    from sundial_operator.main import run_operator
    from sundial_operator.settings import OperatorSettings

    tracer = Tracer()
    sys.setprofile(tracer.note)
    operator = asyncio.create_task(run_operator(OperatorSettings(health_port=0)))
    try:
        await asyncio.sleep(START_SECONDS)
        tracer.take()
        console.log(f"watching the idle operator for {IDLE_SECONDS} s")
        await asyncio.sleep(IDLE_SECONDS)
        idle = tracer.take()
        await asyncio.to_thread(cluster.kubectl, "apply", "-f", "-", input=build_schedule())
        return find_walk(await watch_walks(cluster, tracer, console), idle)
    finally:
        sys.setprofile(None)
        os.kill(os.getpid(), 15)
        await operator


def main() -> int:
    """Print the files of the walk, then how many they are."""
    parser = argparse.ArgumentParser(
        prog="walk", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    console = Console(stderr=True)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with open_cluster(console) as cluster:
        os.environ["KUBECONFIG"] = str(cluster.kubeconfig)
        files = asyncio.run(trace(cluster, console))
    print("\n".join(files))
    print(f"{len(files)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
