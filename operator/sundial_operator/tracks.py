"""What one process knows of a schedule beyond its stored state; a restart finds it anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sundial_core.decide import Decision, Memory
from sundial_core.manifests import Attempt
from sundial_core.model import CatchUp, JsonObject
from sundial_core.plans import Plan, Problem
from sundial_core.report import Urgency
from sundial_core.runs import ObservedJob, Run
from sundial_core.verdicts import Judgement


@dataclass(slots=True)
class Create:
    """A Job's creation under way, as it was decided: later edits do not change it.

    `unanswered_at` is when the newest request that got no answer was given up.
    """

    attempt: Attempt
    template: JsonObject
    catch_up: CatchUp
    tries: int = 0
    unanswered_at: datetime | None = None


@dataclass(slots=True)
class Track:
    """The mutable companion of one ScheduledJob."""

    uid: str
    plan_key: tuple[int, str, int] | None = None
    plan: Plan | Problem | None = None
    judged_until: datetime | None = None
    judgements: list[Judgement] = field(default_factory=list)
    creates: dict[datetime, Create] = field(default_factory=dict)
    lost: dict[str, Run] = field(default_factory=dict)
    reading: set[str] = field(default_factory=set)
    deleting: set[str] = field(default_factory=set)
    wanted_status: JsonObject | None = None
    wanted_from: int = 0
    urgency: Urgency = Urgency.NONE
    is_patching: bool = False
    patch_failures: int = 0

    def recall(self) -> Memory:
        """Show what is remembered, for a decision."""
        return Memory(self.judged_until, tuple(self.judgements), frozenset(self.creates), dict(self.lost))

    def remember(self, decision: Decision) -> None:
        """Keep what was decided until it is stored."""
        self.judgements.extend(decision.judgements)
        if decision.judged_until is not None:
            self.judged_until = decision.judged_until
        if isinstance(self.plan, Plan):
            for attempt in decision.starts:
                assert attempt.slot is not None
                self.creates[attempt.slot] = Create(attempt, self.plan.template, self.plan.spec.catch_up)

    def forget_stored(self, cursor: datetime | None, active: Iterable[str]) -> None:
        """Forget what the stored status holds by now."""
        if cursor is None:
            return
        self.judgements = [judgement for judgement in self.judgements if judgement.last > cursor]
        shown = set(active)
        self.lost = {
            run_id: run
            for run_id, run in self.lost.items()
            if run_id in shown or (run.slot is not None and run.slot > cursor)
        }

    def forget_created(self, jobs: Iterable[ObservedJob]) -> None:
        """Forget the creates whose Job has been seen."""
        for job in jobs:
            if job.slot is not None and job.slot in self.creates and job.attempt == 1:
                create = self.creates[job.slot]
                if create.attempt.run_id == job.run_id:
                    del self.creates[job.slot]
