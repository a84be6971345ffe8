"""Replace ends in the newest run running, Queue serves every slot in turn, whatever happens meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import CREATED, at, build_spec
from testkit.simulation.cluster import Cluster
from testkit.simulation.process import Process

from sundial_clock.instants import parse_instant
from sundial_core.resources import names

MODES = [
    pytest.param([], [], id="no trouble"),
    pytest.param([("crash", 0)], [], id="a crash at each slot"),
    pytest.param([("crash", 1)], [], id="a crash while the old Pods stop"),
    pytest.param([], [("status", "lose", "store")], id="statuses that are lost"),
    pytest.param([], [("status", "store silently", "store")], id="answers to statuses that are lost"),
    pytest.param([], [("status", "conflict", "store")], id="conflicts"),
    pytest.param([], [("create", "land", "ok")], id="answers to writes of Jobs that are lost"),
    pytest.param([("crash", 2)], [("status", "lose", "store")], id="lost statuses and a crash"),
]


def begin(seconds: float, **concurrency: Any) -> Process:
    """Begin with a schedule that is due every ten seconds and takes `seconds`."""
    cluster = Cluster(build_spec(concurrency=concurrency))
    cluster.job_seconds = seconds
    return Process(cluster)


def suffer(process: Process, crashes: list[tuple[str, float]], troubles: list[tuple[str, str, str]]) -> None:
    """Let ten seconds pass in trouble, and fifteen without."""
    for kind, mode, _ in troubles:
        meet(process, kind, mode)
    for _, seconds in crashes:
        process.pass_time(seconds)
        process.restart()
    process.pass_time(10)
    for kind, _, mode in troubles:
        meet(process, kind, mode)
    process.pass_time(15)


def meet(process: Process, kind: str, mode: str) -> None:
    if kind == "status":
        process.status_mode = mode
    else:
        process.cluster.create_mode = mode


def list_running(process: Process) -> list[float]:
    """List the slots whose Jobs run, in seconds."""
    jobs = [job for job in process.cluster.jobs.values() if not job["status"]]
    slots = [parse_instant(job["metadata"]["annotations"][names.SCHEDULED_FOR]) for job in jobs]
    return [(slot - CREATED).total_seconds() for slot in slots]


@pytest.mark.parametrize(("crashes", "troubles"), MODES)
def test_replace_ends_in_the_newest_run_running(crashes: Any, troubles: Any) -> None:
    process = begin(10_000, policy="Replace")
    process.pass_time(19)
    for _ in range(3):
        suffer(process, crashes, troubles)
    process.pass_time(at(118).timestamp() - process.cluster.now.timestamp())
    assert list_running(process) == [110]
    assert process.cluster.most_active == 1
    assert set(process.cluster.made.values()) == {1}


@pytest.mark.parametrize(
    ("crashes", "troubles"),
    [*MODES, pytest.param([], [("create", "lose", "ok")], id="ends that do not arrive")],
)
def test_replace_by_somebody_ends_in_the_newest_run_running(crashes: Any, troubles: Any) -> None:
    cluster = Cluster(build_spec(suspend=True, concurrency={"policy": "Replace"}))
    cluster.job_seconds = 10_000
    process = Process(cluster)
    for _ in range(3):
        for kind, mode, _ in troubles:
            meet(process, kind, mode)
        cluster.requests.create({})
        process.pass_time(1)
        suffer(process, crashes, troubles)
    running = [name for name, job in cluster.jobs.items() if not job["status"]]
    assert running == [cluster.made_runs[list(cluster.requests.items)[-1]]]
    assert cluster.most_active == 1


@pytest.mark.parametrize(("crashes", "troubles"), MODES)
def test_queue_serves_every_slot_in_turn(crashes: Any, troubles: Any) -> None:
    process = begin(12, policy="Queue", maxQueued=9)
    process.pass_time(19)
    for _ in range(3):
        suffer(process, crashes, troubles)
    process.pass_time(at(195).timestamp() - process.cluster.now.timestamp())
    made = list(process.cluster.made_slots)
    assert made[:10] == [at(10 * n) for n in range(1, 11)]
    assert process.cluster.most_active == 1
    assert set(process.cluster.made.values()) == {1}
