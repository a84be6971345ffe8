"""A leader of the start protocol as a frozen value: each step runs the operator's own code on a copy.

What decides is real: `decide`, `Track`, `JobCreator`, `choose_deletable`, the names, the manifests. Left out
is how requests are queued and when they are sent again: any time is possible here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from serving import run_now
from situations import UID, at, build_item, build_plan, build_spec

from sundial_core import runs
from sundial_core.attempts import NextAttempt
from sundial_core.decide import Decision, decide
from sundial_core.instants import format_instant
from sundial_core.manifests import Creator
from sundial_core.objects import parse_scheduled_job
from sundial_core.plans import Plan, Problem
from sundial_core.report import Urgency
from sundial_core.retention import Limits
from sundial_core.runs import ObservedJob, parse_job
from sundial_core.stored import parse_stored
from sundial_core.views import View
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_operator.creates import Created, JobCreator, Refused
from sundial_operator.statuses import build_patch
from sundial_operator.tracks import Create, Track

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
    track: int


@dataclass(frozen=True)
class Rules:
    """One configuration of the world, and which rules hold in it; ticks count from the creation.

    Attempts up to number `failures` of a run fail. `terms`: how many leaders there may be; `troubles`: how
    many answers are lost; `most_under_way`: how many requests before all but first creates wait.
    """

    spec: dict[str, Any]
    last_tick: int = 3
    terms: int = 2
    failures: int = 0
    has_fence: bool = True
    has_guard: bool = True
    lists_consistently: bool = True
    floor_ticks: int = 2
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


class Sent(Exception):
    """A create goes on the wire."""


class Answer:
    """An API server that JobCreator talks to: a create has one outcome, reads see the Jobs.

    What JobCreator does before it sends was done when it sent: what is known only since is put back after.
    """

    def __init__(
        self, world: Leaders, jobs: tuple[Job, ...], create: Create, outcome: Exception | Job | None
    ) -> None:
        self._items = {job["metadata"]["name"]: job for job in map(world.show, jobs)}
        self._outcome = outcome if outcome is None or isinstance(outcome, Exception) else world.show(outcome)
        self._create, self._unanswered_at = create, create.unanswered_at
        if outcome is not None:
            create.unanswered_at = None

    async def create_for_metadata(self, _resource: object, _ns: str, _manifest: object) -> Any:
        self._create.unanswered_at = self._unanswered_at
        if isinstance(self._outcome, dict):
            return self._outcome
        raise self._outcome or Sent

    async def get(self, _resource: object, _ns: str, name: str) -> Any:
        if name not in self._items:
            raise ApiError(404, "NotFound", "not found")
        return self._items[name]


class Leaders:
    """The steps of leaders; each is computed once for equal input."""

    def __init__(self, rules: Rules) -> None:
        self.kept = Kept()
        self._rules = rules
        self._steps: dict[Any, Any] = {}
        self._limits = Limits(rules.floor_ticks * TICK)
        self._plan: Plan | Problem = build_plan(parse_scheduled_job(build_item(rules.spec, changed=None)))
        self.now = tell(0)

    def begin(self, term: int, version: int, status: int, jobs: tuple[Job, ...]) -> Leader:
        """Begin to lead: nothing is remembered."""
        return Leader(term, version, status, jobs, self._freeze(Track(UID)))

    def look(self, leader: Leader, clock: int, truth: tuple[Job, ...]) -> tuple[Leader, tuple[Request, ...]]:
        """Decide and send, as `Reconciler.look` and `Effects.apply` do."""
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
        self, leader: Leader, clock: int, truth: tuple[Job, ...], about: str, outcome: Exception | Job
    ) -> Leader:
        """Take the answer to a create: the Job, or an error."""
        key = (repr(outcome), leader, clock, truth, about)
        if key not in self._steps:
            self._steps[key] = self._answer(leader, clock, truth, about, outcome)
        return self._steps[key]

    def list_creates(self, leader: Leader) -> list[str]:
        """List the creates that are not known to be done."""
        return sorted(_creates(self.kept[leader.track]))

    def _once(self, step: Callable[..., Any], *inputs: Any) -> Any:
        key = (step.__name__, *inputs)
        if key not in self._steps:
            self._steps[key] = step(*inputs)
        return self._steps[key]

    def _look(self, leader: Leader, clock: int, truth: tuple[Job, ...]) -> Any:
        self.now, track = tell(clock), self._thaw(leader)
        item = build_item(self._rules.spec, self.kept[leader.status], changed=None)
        item["metadata"]["resourceVersion"] = str(leader.version)
        job = parse_scheduled_job(item)
        seen = tuple(map(self._observe, leader.jobs))
        track.forget_created(seen)
        track.forget_stored(parse_stored(job.status))
        decision = decide(View(job, self._plan, seen, track.recall()), self.now, self._limits)
        track.remember(decision)
        for following in decision.retries:
            track.begin_retry(job, following)
            self._copy_previous(track, following, truth)
        track.wanted_status = decision.status if decision.urgency is not Urgency.NONE else None
        leader = self._read_missing(leader, track, decision, truth)
        creates = [attempt.slot for attempt in decision.starts if attempt.slot]
        starts = [f"{slot}" for slot in creates] + [
            run for run in (one.after.run_id for one in decision.retries) if run in track.retries
        ]
        requests = [self._send(leader.term, track, about, clock) for about in starts]
        if track.wanted_status is not None:
            status = merge(job.status, build_patch(job, track.wanted_status)["status"])
            about = str(leader.version)
            requests.append(Request("patch", leader.term, self.kept.keep(status), about, clock, True))
        requests += [
            Request("delete", leader.term, 0, one.uid, clock, False) for one in decision.deletes.jobs
        ]
        return self._freeze_into(leader, track), tuple(requests)

    def _read_missing(
        self, leader: Leader, track: Track, decision: Decision, truth: tuple[Job, ...]
    ) -> Leader:
        """Read the Jobs of active runs that no store has, as `Effects._read` does."""
        found = {self._observe(job).name: job for job in truth}
        for run in decision.missing:
            if run.job_name not in found:
                track.lost[run.run_id] = runs.build_lost_run(run, self.now)
        read = {found[run.job_name] for run in decision.missing if run.job_name in found}
        return leader._replace(jobs=tuple(sorted({*leader.jobs, *read})))

    def _copy_previous(self, track: Track, following: NextAttempt, truth: tuple[Job, ...]) -> None:
        """Read the Job of the attempt before, as `Effects._fetch_previous` does."""
        previous = [job for job in truth if self._observe(job).uid == following.after.uid]
        if previous:
            track.retries[following.after.run_id].template = self.show(previous[0])
        else:
            del track.retries[following.after.run_id]

    def _send(self, term: int, track: Track, about: str, clock: int) -> Request:
        manifest = _creates(track)[about].build(Creator("team.x", f"leader {term}", term))
        return Request("create", term, self.kept.keep(manifest), about, clock, True)

    def _send_again(self, leader: Leader, clock: int, truth: tuple[Job, ...], about: str) -> Any:
        self.now, track = tell(clock), self._thaw(leader)
        try:
            create = _creates(track)[about]
            return self._finish(leader, track, create, Answer(self, truth, create, None)), ()
        except Sent:
            return self._freeze_into(leader, track), (self._send(leader.term, track, about, clock),)

    def _answer(self, leader: Leader, clock: int, truth: tuple[Job, ...], about: str, outcome: Any) -> Leader:
        self.now, track = tell(clock), self._thaw(leader)
        create = _creates(track).get(about)
        if create is None:
            return leader
        return self._finish(leader, track, create, Answer(self, truth, create, outcome))

    def _finish(self, leader: Leader, track: Track, create: Create, answer: Answer) -> Leader:
        """Let JobCreator judge an answer, and do what `Effects._create` and `_retry` do with its result."""
        result = run_now(JobCreator(answer, lambda: Creator("", "", 0)).create(create))  # type: ignore[arg-type]
        if isinstance(result, Created):
            track.forget_created([parse_job(result.job)])
            leader = leader._replace(jobs=tuple(sorted({*leader.jobs, result.job["model"]})))
        elif isinstance(result, Refused) and create.follows is None:
            assert create.attempt.slot is not None
            track.conclude(create.attempt.slot, result.judgement)
        elif isinstance(result, Refused) and create.follows is not None:
            track.retries.pop(create.attempt.run_id)
            track.fail_retry(create.follows.after, result.judgement, self.now)
        return self._freeze_into(leader, track)

    def _hear(self, leader: Leader, clock: int, truth: tuple[Job, ...]) -> Leader:
        self.now, track = tell(clock), self._thaw(leader)
        present = {self._observe(job).uid for job in truth}
        for job in map(self._observe, leader.jobs):
            if job.uid not in present:
                track.lose(job, runs.build_run(job, (), self.now), self.now)
        return self._freeze_into(leader._replace(jobs=truth), track)

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

    def _thaw(self, leader: Leader) -> Track:
        track: Track = copy.deepcopy(self.kept[leader.track])
        track.plan, track.stored_status = self._plan, self.kept[leader.status]
        track.plan_key = (1, "", 0)
        return track

    def _freeze_into(self, leader: Leader, track: Track) -> Leader:
        return leader._replace(track=self._freeze(track))

    def _freeze(self, track: Track) -> int:
        track.plan, track.stored_status = None, {}
        for create in _creates(track).values():
            create.tries = 0  # only the back-off reads it
        key = tuple(_key(getattr(track, one.name)) for one in fields(track) if one.name not in FLEETING)
        return self.kept.keep(track, key)


def _creates(track: Track) -> dict[str, Create]:
    return {str(slot): create for slot, create in track.creates.items()} | track.retries


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


NO_ANSWER = ApiUnreachable("timed out")
TAKEN = ApiError(409, "AlreadyExists", "exists")
FENCED = ApiError(403, "Forbidden", "sundial-fence.team.x: this Job is of another term than the leader's")
ONE_SLOT = build_spec(
    schedule={"at": format_instant(tell(1))},
    history={"successful": 0, "failed": 0},
    catchUp={"graceSeconds": 5},
    concurrency={"policy": "Allow"},
)
TWO_SLOTS = ONE_SLOT | {"schedule": {"interval": {"seconds": 30}, "endsAt": format_instant(tell(2))}}
ONE_RETRY = ONE_SLOT | {"retry": {"count": 1, "delaySeconds": 0}}
NO_CATCH_UP = ONE_SLOT | {"catchUp": {"graceSeconds": 5, "policy": "None"}}
