"""Each start and each end is counted once, however few runs a status lists: minutes of a simulation."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    SECOND,
    UID,
    at,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
    list_starts,
)

from sundial_core.decision.decide import decide
from sundial_core.decision.job_deletions import Limits
from sundial_core.decision.remembered import Remembered
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources import names
from sundial_core.runs.jobs import ObservedJob

TICK = {"schedule": {"interval": {"seconds": 1}}, "concurrency": {"policy": "Allow"}}


@dataclass
class Installation:
    """A schedule of one slot a second whose runs all fail, and a leader that forgets all after each look."""

    dice: random.Random
    now: float = 0
    status: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    most_entries: int = 0
    is_suspended: bool = False

    def add(self, slot: float | None, number: int = 0) -> None:
        """Start a run that takes a while to fail, and perhaps longer until its Pods are gone."""
        run_id = names.build_run_id(UID, at(slot if slot is not None else self.now + 0.01 + number / 10))
        how = {} if slot is not None else {"trigger": "manual"}
        ends = self.now + self.dice.choice((1, 2, 5, 20, 60))
        self.runs[run_id] = {"slot": slot, "run_id": run_id, "created": self.now, "ends": ends, **how}

    def observe(self) -> tuple[ObservedJob, ...]:
        return tuple(self._observe(**run) for run_id, run in self.runs.items() if run_id not in self.gone)

    def _observe(self, slot: float | None, ends: float, **how: Any) -> ObservedJob:
        holds = self.now < ends + (ends % 3)
        condition = "" if self.now < ends else "FailureTarget" if holds else "FailureTarget+Failed"
        return build_observed(slot, condition, ended=ends, **how)

    def look(self) -> None:
        spec = build_spec(**TICK, history={"failed": 2}, suspend=self.is_suspended)
        job = build_scheduled_job(spec, status=self.status)
        decision = decide(
            Snapshot(job, build_plan(job), self.observe(), Remembered()), at(self.now), Limits(5 * SECOND)
        )
        for slot in list_starts(decision):
            self.add(slot)
        self.gone |= {job.run_id for job in decision.deletes.jobs}
        if self.dice.random() < 0.7 and decision.status is not None:
            self.status = decision.status
            self.most_entries = max(self.most_entries, len(self.status.get("recentSlots", ())))

    def live(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            self.look()
            for number in range(self.dice.choice((0, 0, 0, 1, 6)) * (not self.is_suspended)):
                self.add(None, number)


@pytest.mark.parametrize("seed", range(5))
def test_each_start_and_each_end_counts_once_whatever_is_listed(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sundial_core.status.recent_slots.KEPT", 3)
    monkeypatch.setattr("sundial_core.status.omitted.MAX_LISTED", 2)
    monkeypatch.setattr("sundial_core.status.scheduled_jobs.MAX_RESULTS", 3)
    installation = Installation(random.Random(seed))
    installation.live(150)
    installation.is_suspended = True
    installation.live(300)
    status = installation.status
    slots = sum(run["slot"] is not None for run in installation.runs.values())
    assert installation.most_entries <= 3 + 2 + 3
    assert (status["activeCount"], status.get("activeOmitted")) == (0, None)
    assert status["counters"]["verdicts"]["started"] == slots
    assert status["consecutiveFailures"] == len(installation.runs)
