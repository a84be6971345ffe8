"""What one process knows of a schedule beyond its stored state; a restart finds it anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sundial_core.decide import Decision, Memory
from sundial_core.manifests import Attempt
from sundial_core.model import CatchUp, CatchUpPolicy, JsonObject
from sundial_core.plans import Plan, Problem
from sundial_core.report import Urgency
from sundial_core.runs import ObservedJob, Run
from sundial_core.verdicts import Judgement


@dataclass(slots=True)
class Create:
    """A Job's creation under way, as it was decided: later edits do not change it.

    `unanswered_at` is when the newest request that got no answer was given up; `is_refused` while every
    request was answered, the newest with a refusal that may pass.
    """

    attempt: Attempt
    template: JsonObject
    catch_up: CatchUp
    tries: int = 0
    unanswered_at: datetime | None = None
    is_refused: bool = False

    @property
    def may_yield(self) -> bool:
        """Tell whether a newer slot takes this one's place: under Latest, and nothing can still land."""
        return self.is_refused and self.catch_up.policy is CatchUpPolicy.LATEST


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
        return Memory(
            judged_until=self.judged_until,
            judgements=tuple(self.judgements),
            creating=frozenset(self.creates),
            yielding=frozenset(slot for slot, create in self.creates.items() if create.may_yield),
            lost=dict(self.lost),
            decided=self.wanted_status or {},
        )

    def adopt_plan(self, key: tuple[int, str, int], plan: Plan | Problem) -> None:
        """Take a compiled spec; of another schedule nothing is judged yet but what has a judgement."""
        if self.plan is not None and self.plan.schedule_hash != plan.schedule_hash:
            self.judged_until = max((judgement.last for judgement in self.judgements), default=None)
        self.plan_key, self.plan = key, plan

    def remember(self, decision: Decision) -> None:
        """Keep what was decided until it is stored."""
        for judgement in decision.judgements:
            self.judgements.append(judgement)
            self.creates.pop(judgement.first, None)
        if decision.judged_until is not None:
            self.judged_until = max(decision.judged_until, self.judged_until or decision.judged_until)
        if isinstance(self.plan, Plan):
            for attempt in decision.starts:
                assert attempt.slot is not None
                self.creates[attempt.slot] = Create(attempt, self.plan.template, self.plan.spec.catch_up)

    def conclude(self, slot: datetime, judgement: Judgement) -> None:
        """Keep the judgement of a slot whose create failed for good, unless its Job was seen meanwhile."""
        if self.creates.pop(slot, None) is not None:
            self.judgements.append(judgement)

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
