"""One schedule, its Jobs and its status behind an API server in memory, and a process that decides.

Trouble is a mode: what becomes of creates and of status patches, how long Jobs take, whether news arrive.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from requests_world import Asking, Requests
from serving import floor, merge, run_now
from situations import CREATED, UID, build_item, build_plan

from sundial_core import names, runs
from sundial_core.attempts import NextAttempt
from sundial_core.circumstances import Circumstances
from sundial_core.decide import Decision, decide
from sundial_core.endings import Ending, build_ending_patch, is_ending
from sundial_core.instants import format_instant, parse_instant
from sundial_core.manifests import Creator
from sundial_core.objects import ScheduledJob, parse_scheduled_job
from sundial_core.retention import Limits
from sundial_core.runs import ObservedJob, parse_job
from sundial_core.starts import read_run
from sundial_core.stored import parse_stored
from sundial_core.views import View
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_operator.creates import Created, JobCreator, Refused
from sundial_operator.statuses import build_patch
from sundial_operator.tracks import Create, Track

TOMBSTONE = timedelta(seconds=60)
LANDINGS = {"land late": timedelta(seconds=40), "land too late": timedelta(seconds=100)}
LONG_AFTER = datetime.max.replace(tzinfo=CREATED.tzinfo)


class Conflict(Exception):
    """The resourceVersion of a patch is not the stored one."""


@dataclass
class Cluster:
    """The API server's side: the truth. `statuses` holds each status ever stored, `made` counts creates."""

    spec: dict[str, Any]
    now: datetime = CREATED
    changed: datetime = CREATED
    version: int = 100
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    made_slots: dict[datetime, str] = field(default_factory=dict)
    made_runs: dict[str, str] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    landings: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    are_landings_late: bool = False
    create_mode: str = "ok"
    most_active: int = 0
    job_seconds: float = 3
    job_result: str = "Complete"
    stop_seconds: float = 2

    def __post_init__(self) -> None:
        self.requests = Requests(self)
        self.item = build_item(self.spec)
        self._touch()

    def write_user_change(self, spec: dict[str, Any] | None = None, paused: str | None = None) -> None:
        """Store what a user wrote: the whole spec and the pause annotation."""
        metadata = self.item["metadata"] = dict(self.item["metadata"])
        if spec is not None and spec != self.item["spec"]:
            self.item["spec"] = spec
            metadata["generation"] += 1
        metadata["annotations"] = {names.PAUSED: paused} if paused else {}
        metadata["managedFields"] = [{"time": format_instant(floor(self.now))}]
        self.changed = self.now
        self._touch()

    def touch(self) -> None:
        """Let a user change a label."""
        self.write_user_change(paused=self.item["metadata"].get("annotations", {}).get(names.PAUSED))

    def patch_status(self, patch: dict[str, Any]) -> None:
        """Merge a status patch; raises Conflict when it is for another resourceVersion."""
        if patch["metadata"]["resourceVersion"] != self.item["metadata"]["resourceVersion"]:
            raise Conflict
        self.item["status"] = merge(self.item["status"], patch["status"])
        self._touch()
        self.statuses.append(self.item["status"])

    async def create_for_metadata(
        self, _resource: object, _ns: str, manifest: dict[str, Any]
    ) -> dict[str, Any]:
        """Create a Job, or fail in the way that the mode says."""
        if self.create_mode == "refuse":
            raise ApiError(403, "Forbidden", "exceeded quota: jobs")
        if self.create_mode == "reject":
            raise ApiError(422, "Invalid", "spec.template: Invalid value")
        if self.create_mode == "lose":
            raise ApiUnreachable("connection reset")
        if self.create_mode in LANDINGS:
            self.landings.append((self.now + LANDINGS[self.create_mode], manifest))
            self.are_landings_late |= self.create_mode == "land too late"
            raise ApiUnreachable("timed out")
        item = self._store(manifest)
        if self.create_mode == "land":
            raise ApiUnreachable("connection reset")
        return item

    async def get(self, _resource: object, _ns: str, name: str) -> dict[str, Any]:
        """Read a Job."""
        if name not in self.jobs:
            raise ApiError(404, "NotFound", "not found")
        return self.jobs[name]

    async def patch(self, _resource: object, _ns: str, name: str, patch: dict[str, Any]) -> dict[str, Any]:
        """Patch a Job; one that gets a deadline that has passed ends soon."""
        if self.create_mode == "lose":
            raise ApiUnreachable("connection reset")
        if name not in self.jobs:
            raise ApiError(404, "NotFound", "not found")
        job = self.jobs[name]
        if patch["metadata"]["resourceVersion"] != job["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "the object has been modified")
        if patch["metadata"]["annotations"][names.ENDED] == "Replaced":
            is_asked = any("verdict" not in item["status"] for item in self.requests.items.values())
            is_stored = is_asked or self.item["status"].get("queued")
            assert is_stored, "a run is ended for what nobody has stored"
        job |= merge({"metadata": job["metadata"], "spec": job["spec"]}, patch)
        self._touch_job(job)
        if "spec" in patch and not job["status"]:
            ends = self.now + timedelta(seconds=self.stop_seconds)
            job["plan"] = min(job["plan"], {"ends": ends, "result": "DeadlineExceeded"}, key=_ends)
        elif job["metadata"]["annotations"][names.ENDED] != "RetriesStopped":
            self.results[name] = "Cancelled"
        if self.create_mode == "land":
            raise ApiUnreachable("connection reset")
        return job

    def cancel(self) -> None:
        """Let a user mark the newest Job, to end its run."""
        if self.jobs:
            job = self.jobs[list(self.jobs)[-1]]
            job["metadata"] = merge(job["metadata"], {"annotations": {names.CANCEL: "true"}})
            self._touch_job(job)

    def find_next_end(self) -> datetime | None:
        """Find when the next Job will end."""
        return min((job["plan"]["ends"] for job in self.jobs.values() if not job["status"]), default=None)

    def pass_to(self, instant: datetime) -> None:
        """Let time pass: what is under way lands, Jobs end."""
        self.now = max(self.now, instant)
        self.land(self.now)
        for job in self.jobs.values():
            self._progress(job)

    def land(self, until: datetime) -> None:
        """Store the creates that land up to an instant, but for those whose Job there is, or (late) was.

        No request is assumed to outlive a tombstone (creates.UNANSWERED_FOR, `tombstoneSeconds`).
        """
        for when, manifest in list(self.landings):
            if when <= until:
                self.landings.remove((when, manifest))
                if manifest["metadata"]["name"] not in (self.made if self.are_landings_late else self.jobs):
                    self._store(manifest)

    def _store(self, manifest: dict[str, Any]) -> dict[str, Any]:
        name = manifest["metadata"]["name"]
        if name in self.jobs:
            raise ApiError(409, "AlreadyExists", f"jobs.batch {name!r} already exists")
        self.version += 1
        self.made[name] += 1
        labels, annotations = (manifest["metadata"][kind] for kind in ("labels", "annotations"))
        self.made_runs[labels[names.RUN]] = name
        if labels[names.TRIGGER] == "schedule":
            self.made_slots[parse_instant(annotations[names.SCHEDULED_FOR])] = name
        plan = {"ends": self.now + timedelta(seconds=self.job_seconds), "result": self.job_result}
        metadata = manifest["metadata"] | {
            "uid": f"{name}-{self.version}",
            "resourceVersion": str(self.version),
            "creationTimestamp": format_instant(floor(self.now)),
        }
        self.jobs[name] = manifest | {"metadata": metadata, "status": {}, "plan": plan}
        active = sum(not job["status"] for job in self.jobs.values())
        self.most_active = max(self.most_active, active)
        return self.jobs[name]

    def _progress(self, job: dict[str, Any]) -> None:
        if job["plan"]["ends"] > self.now or job["status"]:
            return
        is_cut_short = job["plan"]["result"] == "DeadlineExceeded"
        condition = {
            "type": "Failed" if is_cut_short else job["plan"]["result"],
            "reason": "DeadlineExceeded" if is_cut_short else "",
            "status": "True",
            "lastTransitionTime": format_instant(floor(job["plan"]["ends"])),
        }
        job["status"] = {"conditions": [condition]}
        self._touch_job(job)
        results = {"Complete": "Succeeded", "DeadlineExceeded": "Cancelled"}
        self.results[job["metadata"]["name"]] = results.get(job["plan"]["result"], "Failed")

    def _touch_job(self, job: dict[str, Any]) -> None:
        self.version += 1
        job["metadata"] = job["metadata"] | {"resourceVersion": str(self.version)}

    def _touch(self) -> None:
        self.version += 1
        self.item = self.item | {"metadata": self.item["metadata"] | {"resourceVersion": str(self.version)}}


def _ends(plan: dict[str, Any]) -> datetime:
    ends: datetime = plan["ends"]
    return ends


def describe_creator() -> Creator:
    """Describe a leader of the first term."""
    return Creator("team.x", "one", 1)


class Process:
    """The operator's side: what it has seen and remembers; everything here is lost in a crash."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.deleted: list[tuple[ObservedJob, dict[str, Any], datetime]] = []
        self.status_mode = "store"
        self.is_deaf = False
        self.circumstances = Circumstances()
        self.restart()

    def restart(self) -> None:
        """Forget everything and list."""
        self.track = Track(UID)
        self.asking = Asking(self.cluster.requests)
        self.jobs: dict[str, ObservedJob] = {}
        self.wake_at: datetime | None = CREATED
        self.listen()

    def listen(self) -> None:
        """Take the news from the watches."""
        self.job: ScheduledJob = parse_scheduled_job(self.cluster.item)
        seen = {item["metadata"]["uid"]: self._parse(item) for item in self.cluster.jobs.values()}
        for uid, gone in self.jobs.items():
            if uid not in seen:
                self._lose(gone)
        self.jobs = seen
        self.asking.listen()

    def pass_time(self, seconds: float) -> None:
        """Look whenever something is due, up to the end of that time."""
        end = self.cluster.now + timedelta(seconds=seconds)
        while (due := self._find_due()) is not None and due <= end:
            self.cluster.pass_to(due)
            self.settle()
        self.cluster.pass_to(end)
        self.settle()

    def settle(self) -> None:
        """Look, and again as long as that has changed something, as the answers of own writes do."""
        for _ in range(10):
            version = self.cluster.version
            self.look()
            if self.cluster.version == version or self.is_deaf:
                return

    def _find_due(self) -> datetime | None:
        """Find when to look again: when something is due, or when the watch will have news."""
        news = None if self.is_deaf else self.cluster.find_next_end()
        return min((time for time in (self.wake_at, news) if time is not None), default=None)

    def look(self) -> Decision:
        """Decide and act as `Reconciler.look` does, with every request answered at once."""
        if not self.is_deaf:
            self.listen()
        jobs = tuple(self.jobs.values())
        self.track.forget_created(jobs)
        self.track.stored_status = self.job.status
        self.track.forget_answered(self.asking.seen)
        self.track.forget_stored(parse_stored(self.job.status))
        if self.track.plan is None or self.track.plan_key != (self.job.generation, "", 0):
            self.track.adopt_plan((self.job.generation, "", 0), build_plan(self.job))
        plan = self.track.plan
        assert plan is not None
        memory = replace(self.track.recall(), asked=self.asking.decided)
        view = View(self.job, plan, jobs, memory, circumstances=self.circumstances, asked=self.asking.seen)
        skew = self.circumstances.skew
        decision = decide(view, self.cluster.now + skew, Limits(TOMBSTONE))
        self.track.remember(decision)
        self.wake_at = decision.wake_at and decision.wake_at - skew
        assert self.wake_at is None or self.wake_at > self.cluster.now
        self._apply(decision)
        return decision

    def _parse(self, item: dict[str, Any]) -> ObservedJob:
        """Read a Job once for each version of it."""
        metadata = item["metadata"]
        known = self.jobs.get(metadata["uid"])
        is_news = known is None or known.resource_version < int(metadata["resourceVersion"])
        return parse_job(item) if is_news or known is None else known

    def _apply(self, decision: Decision) -> None:
        self.track.wanted_status = decision.status if decision.urgency else None
        self.track.wanted_from = self.job.resource_version
        wanted_status = decision.status
        for slot in sorted(self.track.creates):
            self._create(slot)
        for following in decision.retries:
            self.track.begin_retry(self.job, following)
        for attempt in decision.asked.starts if decision.asked else ():
            self.track.begin_run(attempt, self.cluster.now)
        for run_id in list(self.track.retries):
            self._retry(self.track.retries[run_id])
        for ending in decision.endings:
            self._end(ending)
        for finished in decision.deletes.jobs:
            self._delete(finished)
        for run in decision.missing:
            if run.job_name in self.cluster.jobs:
                found = parse_job(self.cluster.jobs[run.job_name])
                self.jobs[found.uid] = found
            else:
                self.track.lost[run.run_id] = runs.build_lost_run(run, self.cluster.now)
        if self.track.wanted_status is not None and wanted_status is not None:
            self._patch(wanted_status)
        self.asking.apply(decision.asked, self.status_mode)

    def _create(self, slot: datetime) -> None:
        creator = JobCreator(self.cluster, describe_creator, lambda: self.circumstances)  # type: ignore[arg-type]
        result = run_now(creator.create(self.track.creates[slot]))
        if isinstance(result, Created):
            job = parse_job(result.job)
            self.jobs[job.uid] = job
            self.track.forget_created([job])
        elif isinstance(result, Refused):
            self.track.conclude(slot, result.judgement)

    def _retry(self, create: Create) -> None:
        """Create a run's next attempt, or its first one, as `Effects` does."""
        run_id, follows = create.attempt.run_id, create.follows
        if follows is not None:
            item = self.cluster.jobs.get(follows.after.name)
            if item is None or is_ending(parse_job(item)):
                del self.track.retries[run_id]
                return
            create.template = item
        creator = JobCreator(self.cluster, describe_creator, lambda: self.circumstances)  # type: ignore[arg-type]
        result = run_now(creator.create(create))
        if isinstance(result, Created):
            job = parse_job(result.job)
            self.jobs[job.uid] = job
            self.track.forget_created([job])
        elif isinstance(result, Refused):
            del self.track.retries[run_id]
            self._give_up(run_id, follows, result)

    def _give_up(self, run_id: str, follows: NextAttempt | None, refused: Refused) -> None:
        if follows is None:
            self.track.rejected[run_id] = refused.judgement
            return
        self.track.fail_retry(follows.after, refused.judgement, self.cluster.now)
        self.cluster.results[follows.after.name] = "Failed"

    def _end(self, ending: Ending) -> None:
        self.track.begin_ending(ending)
        patch = self.cluster.patch(None, "team", ending.job.name, build_ending_patch(ending))
        with contextlib.suppress(ApiError, ApiUnreachable):
            job = parse_job(run_now(patch))
            self.jobs[job.uid] = job
        self.track.ending.discard(ending.job.uid)

    def _delete(self, job: ObservedJob) -> None:
        if job.name in self.cluster.jobs:
            self.deleted.append((job, self.cluster.item["status"], self.cluster.now))
            del self.cluster.jobs[job.name]

    def _lose(self, job: ObservedJob) -> None:
        now = self.cluster.now
        self.track.lose(job, read_run(job, (), now), now)

    def _patch(self, status: dict[str, Any]) -> None:
        """Patch as `Effects` does; the answer is taken at once unless it is lost."""
        if self.status_mode == "lose":
            return
        if self.status_mode == "conflict":
            self.cluster.touch()
        try:
            self.cluster.patch_status(build_patch(self.job, status))
        except Conflict:
            self.job = parse_scheduled_job(self.cluster.item)
            return
        if self.status_mode == "store":
            self.job = parse_scheduled_job(self.cluster.item)
