"""A leader of the start protocol as a frozen value: each step runs the operator's own code on a copy.

What decides is real: `decide`, `ScheduleMemory`, `PendingCreate`, `decide_deletions`, the names, the
manifests. Left out is how requests are queued and when they are sent again: any time is possible here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from testkit.scheduled_jobs import (
    UID,
    at,
    build_item,
    build_plan,
    build_spec,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import decide
from sundial_core.decision.installation import InstallationState
from sundial_core.decision.job_creation import (
    MIN_TRIES,
    Answer,
    Answered,
    Created,
    Denied,
    PendingCreate,
    Read,
    Send,
    Step,
    Unanswered,
)
from sundial_core.decision.job_deletions import Limits
from sundial_core.decision.schedule_memory import ScheduleMemory
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources.objects import parse_scheduled_job
from sundial_core.resources.plans import Plan, Problem
from sundial_core.runs import state
from sundial_core.runs.jobs import ObservedJob, parse_job
from sundial_core.runs.manifests import Creator
from sundial_core.runs.run import Run

TICK = timedelta(seconds=30)
"""A request lands within two ticks or never; two are also the floor with a fence, and UNANSWERED_FOR."""

FLEETING = ("uid", "plan_key", "plan", "stored_status", "deleting", "reading", "wanted_from", "is_patching")


class Job(NamedTuple):
    """A Job at the API server: `manifest` is a handle, times are ticks, `ended` is -1 while it is active."""

    manifest: int
    created: int
    ended: int


class Request(NamedTuple):
    """A write under way: `waits` while its sender waits for the answer.

    `body` is the handle of a Job's manifest or of a status; `about` guards it, or names what a create is for.
    """

    kind: str
    term: int
    body: Any
    about: str
    sent: int
    waits: bool


class Leader(NamedTuple):
    """What a leader has seen and remembers: the newest status and Jobs that it heard of, and its Track."""

    term: int
    version: int
    status: int
    jobs: tuple[Job, ...]
    memory: int


@dataclass(frozen=True)
class Rules:
    """One configuration of the world, and which rules hold in it; ticks count from the creation.

    Attempts up to number `failures` of a run fail. `terms`: how many leaders there may be; `troubles`: how
    many answers are lost; `most_under_way`: how many requests before all but first creates wait. With
    `capped_ticks`, the floor of Jobs beyond a cap, every finished Job is beyond one.
    """

    spec: dict[str, Any]
    last_tick: int = 3
    terms: int = 2
    failures: int = 0
    has_fence: bool = True
    has_guard: bool = True
    lists_consistently: bool = True
    floor_ticks: int = 2
    capped_ticks: int | None = None
    most_under_way: int = 2
    troubles: int = 1


class Kept:
    """Values by handle; equal ones, as their keys tell, have the same."""

    def __init__(self) -> None:
        self._handles: dict[Any, int] = {}
        self._values: list[Any] = []

    def keep(self, value: Any, key: Any = None) -> int:
        key = repr(value) if key is None else key
        if key not in self._handles:
            self._handles[key] = len(self._values)
            self._values.append(value)
        return self._handles[key]

    def __getitem__(self, handle: int) -> Any:
        return self._values[handle]


def tell(tick: int) -> datetime:
    """Name the instant of a tick."""
    return at(tick * TICK.total_seconds())


class Leaders:
    """The steps of leaders; each is computed once for equal input."""

    def __init__(self, rules: Rules) -> None:
        self.kept = Kept()
        self._rules = rules
        self._steps: dict[Any, Any] = {}
        self._limits = _build_limits(rules)
        self._plan: Plan | Problem = build_plan(parse_scheduled_job(build_item(rules.spec, changed=None)))
        self.now = tell(0)

    def begin(self, term: int, version: int, status: int, jobs: tuple[Job, ...]) -> Leader:
        """Begin to lead: nothing is remembered."""
        return Leader(term, version, status, jobs, self._freeze(ScheduleMemory(UID)))

    def look(self, leader: Leader, clock: int, truth: tuple[Job, ...]) -> tuple[Leader, tuple[Request, ...]]:
        """Decide and send, as `Reconciler.reconcile` and `JobWriter.apply` do."""
        return self._once(self._look, leader, clock, truth)

    def send_again(
        self, leader: Leader, clock: int, truth: tuple[Job, ...], about: str
    ) -> tuple[Leader, tuple[Request, ...]]:
        """Send a create again that was not answered, or find out what has become of it."""
        return self._once(self._send_again, leader, clock, truth, about)

    def hear(self, leader: Leader, clock: int, truth: tuple[Job, ...]) -> Leader:
        """Take the news of Jobs; of one that is gone, remember how its run ended."""
        return self._once(self._hear, leader, clock, truth)

    def answer(
        self, leader: Leader, clock: int, truth: tuple[Job, ...], request: Request, outcome: Answer | Job
    ) -> Leader:
        """Take the answer to a create: the Job, an error, or none."""
        return self._once(self._answer, leader, clock, truth, request, outcome)  # type: ignore[no-any-return]

    def list_creates(self, leader: Leader) -> list[str]:
        """List the creates that are not known to be done."""
        return sorted(self.kept[leader.memory].creates)

    def _once(self, step: Callable[..., Any], *inputs: Any) -> Any:
        key = (step.__name__, *inputs)
        if key not in self._steps:
            self._steps[key] = step(*inputs)
        return self._steps[key]

    def _look(self, leader: Leader, clock: int, truth: tuple[Job, ...]) -> Any:
        self.now, memory = tell(clock), self._thaw(leader)
        item = build_item(self._rules.spec, self.kept[leader.status], changed=None)
        item["metadata"]["resourceVersion"] = str(leader.version)
        job = parse_scheduled_job(item)
        seen = tuple(map(self._observe, leader.jobs))
        ours = memory.observe(job, seen).ours
        decision = decide(Snapshot(job, self._plan, ours, memory.recall()), self.now, self._limits)
        orders = memory.remember(job, decision, self.now)
        leader = self._read_missing(leader, memory, orders.reads, truth)
        requests = []
        for run_id in orders.creates:
            leader, sent = self._begin(leader, memory, truth, run_id)
            requests += sent
        patch = memory.build_patch(job)
        if patch is not None:
            status = self.kept.keep(merge(job.status, patch["status"]))
            requests.append(Request("patch", leader.term, status, str(leader.version), clock, True))
        requests += [Request("delete", leader.term, 0, one.uid, clock, False) for one in orders.deletes]
        return self._freeze_into(leader, memory), tuple(requests)

    def _read_missing(
        self, leader: Leader, memory: ScheduleMemory, missing: Iterable[Run], truth: tuple[Job, ...]
    ) -> Leader:
        """Read the Jobs of active runs that no store has, as `Effects._read` does."""
        for run in missing:
            answer = self._read(truth, run.job_name)
            memory.take_read(run, answer, self.now)
            leader = _see(leader, answer)
        return leader

    def _send_again(self, leader: Leader, clock: int, truth: tuple[Job, ...], about: str) -> Any:
        self.now, memory = tell(clock), self._thaw(leader)
        leader, requests = self._begin(leader, memory, truth, about)
        return self._freeze_into(leader, memory), requests

    def _begin(
        self, leader: Leader, memory: ScheduleMemory, truth: tuple[Job, ...], run_id: str
    ) -> tuple[Leader, tuple[Request, ...]]:
        """Begin a create as `JobCreator` does, up to what goes on the wire."""
        create = memory.creates[run_id]
        step = memory.begin(create, self._creator(leader), InstallationState(), self.now)
        leader, step = self._finish(leader, memory, truth, create, step)
        if not isinstance(step, Send):
            return leader, ()
        manifest, clock = self.kept.keep(step.manifest), int((self.now - tell(0)) / TICK)
        return leader, (Request("create", leader.term, manifest, run_id, clock, True),)

    def _answer(
        self, leader: Leader, clock: int, truth: tuple[Job, ...], request: Request, outcome: Answer | Job
    ) -> Leader:
        self.now, memory = tell(clock), self._thaw(leader)
        create, sent = memory.creates.get(request.about), Send(self.kept[request.body])
        if create is None:
            return leader
        answer = Answered(self.show(outcome)) if isinstance(outcome, Job) else outcome
        step = memory.take(create, sent, answer, self._creator(leader), self.now)
        leader, _ = self._finish(leader, memory, truth, create, step)
        return self._freeze_into(leader, memory)

    def _finish(
        self,
        leader: Leader,
        memory: ScheduleMemory,
        truth: tuple[Job, ...],
        create: PendingCreate,
        step: Step,
    ) -> tuple[Leader, Step]:
        """Answer reads at once, until a create is to be sent or something has come of it."""
        while isinstance(step, Read):
            answer = self._read(truth, step.name)
            step = memory.take(create, step, answer, self._creator(leader), self.now)
        return (_see(leader, Answered(step.item)) if isinstance(step, Created) else leader), step

    def _read(self, truth: tuple[Job, ...], name: str) -> Answer:
        found = [self.show(job) for job in truth if self._observe(job).name == name]
        return Answered(found[0]) if found else NOT_FOUND

    def _creator(self, leader: Leader) -> Creator:
        return Creator("team.x", f"leader {leader.term}", leader.term)

    def _hear(self, leader: Leader, clock: int, truth: tuple[Job, ...]) -> Leader:
        self.now, memory = tell(clock), self._thaw(leader)
        present = {self._observe(job).uid for job in truth}
        for job in map(self._observe, leader.jobs):
            if job.uid not in present:
                memory.lose(job, state.build_run(job, (), self.now), self.now)
        return self._freeze_into(leader._replace(jobs=truth), memory)

    def show(self, job: Job) -> dict[str, Any]:
        """Show a Job as the API server does."""
        manifest = self.kept[job.manifest]
        metadata = manifest["metadata"] | {
            "uid": f"{manifest['metadata']['name']} of {job.created}",
            "resourceVersion": str(1 + job.ended),
            "creationTimestamp": format_instant(tell(job.created)),
        }
        shown = manifest | {"metadata": metadata, "model": job}
        if job.ended < 0:
            return shown | {"status": {}, "metadata": metadata | {"resourceVersion": "0"}}
        is_failure = parse_job(shown).attempt <= self._rules.failures
        condition = {
            "type": "Failed" if is_failure else "Complete",
            "reason": "BackoffLimitExceeded" if is_failure else "",
            "status": "True",
            "lastTransitionTime": format_instant(tell(job.ended)),
        }
        return shown | {"status": {"conditions": [condition]}}

    def _observe(self, job: Job) -> ObservedJob:
        return self._once(self._parse, job)  # type: ignore[no-any-return]

    def _parse(self, job: Job) -> ObservedJob:
        return parse_job(self.show(job))

    observe = _observe

    def _thaw(self, leader: Leader) -> ScheduleMemory:
        memory: ScheduleMemory = copy.deepcopy(self.kept[leader.memory])
        memory.plan, memory.stored_status = self._plan, self.kept[leader.status]
        memory.plan_key = (1, "", 0)
        return memory

    def _freeze_into(self, leader: Leader, memory: ScheduleMemory) -> Leader:
        return leader._replace(memory=self._freeze(memory))

    def _freeze(self, memory: ScheduleMemory) -> int:
        memory.plan, memory.stored_status = None, {}
        memory.deleting.clear()
        memory.reading.clear()
        for create in memory.creates.values():
            create.tries = min(create.tries, MIN_TRIES)  # more only make the back-off longer
            create.begun_at = None  # the window of a retry is longer than the search
        key = tuple(_key(getattr(memory, one.name)) for one in fields(memory) if one.name not in FLEETING)
        return self.kept.keep(memory, key)


def _build_limits(rules: Rules) -> Limits:
    floor = rules.floor_ticks * TICK
    if rules.capped_ticks is None:
        return Limits(floor)
    return Limits(floor, capped_tombstone=rules.capped_ticks * TICK, most_finished=0)


def _see(leader: Leader, answer: Answer) -> Leader:
    """Put a Job that was read or created into the store."""
    if not isinstance(answer, Answered):
        return leader
    return leader._replace(jobs=tuple(sorted({*leader.jobs, answer.item["model"]})))


def _key(value: Any) -> str:
    if isinstance(value, set | frozenset):
        return repr(sorted(map(repr, value)))
    if isinstance(value, dict):
        return repr(sorted((repr(key), repr(item)) for key, item in value.items()))
    return repr(value)


def merge(old: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Merge a patch as the API server does, in an order that makes equal statuses equal in print."""
    merged = old | patch
    return {name: merged[name] for name in sorted(merged) if merged[name] is not None}


NO_ANSWER = Unanswered()
NOT_FOUND = Denied(404, "NotFound", "not found")
TAKEN = Denied(409, "AlreadyExists", "exists")
FENCED = Denied(403, "Forbidden", "sundial-fence.team.x: this Job is of another term than the leader's")
ONE_SLOT = build_spec(
    schedule={"at": format_instant(tell(1))},
    history={"successful": 0, "failed": 0},
    catchUp={"graceSeconds": 5},
    concurrency={"policy": "Allow"},
)
TWO_SLOTS = ONE_SLOT | {"schedule": {"interval": {"seconds": 30}, "endsAt": format_instant(tell(2))}}
ONE_RETRY = ONE_SLOT | {"retry": {"count": 1, "delaySeconds": 0}}
NO_CATCH_UP = ONE_SLOT | {"catchUp": {"graceSeconds": 5, "policy": "None"}}
