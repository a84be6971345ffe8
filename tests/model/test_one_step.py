"""Operator, simulation and search take the same step: break a rule of it, and each of the three notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    CREATED,
    LIMITS,
    SECOND,
    UID,
    build_plan,
    build_spec,
    describe_verdict,
)
from testkit.simulation.cluster import CREATOR, Cluster
from testkit.simulation.invariants import check_story
from testkit.simulation.process import Process
from testkit.simulation.stories import Era, Story, compile_spec
from testkit.start_protocol.leader import NO_CATCH_UP, Rules
from testkit.start_protocol.search import explore

from sundial_core.decision.decide import decide
from sundial_core.decision.job_creation import (
    PendingCreate,
    Purpose,
    Read,
    Refused,
    Step,
)
from sundial_core.decision.schedule_memory import ScheduleMemory
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources.objects import parse_scheduled_job
from sundial_operator.outputs.job_creator import JobCreator

SPEC = build_spec(concurrency={"policy": "Forbid", "maxInstances": 1})
STORY: list[tuple[Any, ...]] = [
    ("grow_deaf", 0),
    ("meet_creates", "land", 25),
    ("hear", 0),
    ("meet_creates", "reject", 20),
    ("meet_creates", "ok", 20),
]
Proof = Callable[[pytest.MonkeyPatch], None]


class Client:
    """The client of the operator, connected to the cluster of the simulation."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def create_metadata_only(self, _resource: object, _ns: str, manifest: Any) -> dict[str, Any]:
        return self._cluster.create(manifest)

    async def get(self, _resource: object, _ns: str, name: str) -> dict[str, Any]:
        return self._cluster.get(Read(name, Purpose.ADOPT))


def operate(patch: pytest.MonkeyPatch) -> None:
    """The operator starts a slot whose create got no answer but landed, and skips one that is rejected."""
    cluster, memory = Cluster(SPEC), ScheduleMemory(UID)
    client: Any = Client(cluster)
    creator = JobCreator(client, lambda: CREATOR)
    patch.setattr("sundial_operator.outputs.job_creator.read_clock", lambda: cluster.now)
    for mode, tries in (("land", 2), ("reject", 1)):
        cluster.create_mode = mode
        cluster.pass_to(cluster.now + 10 * SECOND)
        (create,) = begin_slot(cluster, memory)
        for _ in range(tries):
            asyncio.run(creator.create(memory, create))
    assert [describe_verdict(one) for one in memory.verdicts] == ["20 Skipped Rejected"]
    assert memory.creates == {}


def begin_slot(cluster: Cluster, memory: ScheduleMemory) -> list[PendingCreate]:
    """Decide as the reconciler does, by what no watch has told yet; give the creates that this orders."""
    job = parse_scheduled_job(cluster.item)
    memory.observe(job, ())
    memory.adopt_plan((1, "", 0), build_plan(job))
    plan = memory.plan
    assert plan is not None
    decision = decide(Snapshot(job, plan, (), memory.recall()), cluster.now, LIMITS)
    return [memory.creates[run_id] for run_id in memory.remember(job, decision, cluster.now).creates]


def simulate(patch: pytest.MonkeyPatch) -> None:
    """Each slot of a story has one verdict, that of its Job if it has one, though no watch tells of that."""
    cluster = Cluster(SPEC)
    story = Story(cluster, Process(cluster), [Era(compile_spec(SPEC), CREATED)])
    for step in STORY:
        story.play(step)
    story.settle()
    check_story(story)


def search(patch: pytest.MonkeyPatch) -> None:
    """No interleaving of a leader, its requests and their answers breaks the promise."""
    found = explore(Rules(NO_CATCH_UP, terms=1))
    assert found.ends or found.violation
    assert not found.violation


SETTLE, JUDGE_FOUND = ScheduleMemory._settle, PendingCreate._decide_found


def settle_without_a_verdict(
    memory: ScheduleMemory, create: PendingCreate, step: Step, now: datetime
) -> Step:
    if isinstance(step, Refused):
        del memory.creates[create.attempt.run_id]
    return SETTLE(memory, create, step, now)


def take_for_anothers(create: PendingCreate, _item: object) -> Step:
    return JUDGE_FOUND(create, {"metadata": {}})


RULES = [
    pytest.param(
        "sundial_core.decision.schedule_memory.ScheduleMemory._settle",
        settle_without_a_verdict,
        id="a refusal leaves a verdict",
    ),
    pytest.param(
        "sundial_core.decision.job_creation.PendingCreate._decide_found",
        take_for_anothers,
        id="a Job of ours is the one we wanted",
    ),
]


@pytest.fixture(autouse=True)
def without_corrections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the second line, which sets a wrong verdict right as soon as the Job is seen."""
    monkeypatch.setattr("sundial_core.status.corrections.except_started", lambda verdicts, *_: verdicts)
    for module in ("status.scheduled_jobs", "decision.job_deletions"):
        monkeypatch.setattr(f"sundial_core.{module}.is_contradicted", lambda *_: False)


@pytest.mark.parametrize("proof", [operate, simulate, search])
def test_the_step_holds(proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each proof asserts by itself; that it can fail is shown below."""
    proof(monkeypatch)


@pytest.mark.parametrize("proof", [operate, simulate, search])
@pytest.mark.parametrize(("place", "wrong"), RULES)
def test_a_broken_rule_is_noticed(
    place: str, wrong: Any, proof: Proof, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, wrong)
    with pytest.raises(AssertionError):
        proof(monkeypatch)
