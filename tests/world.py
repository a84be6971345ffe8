"""One schedule, its Jobs and its status behind an API server in memory, and a process that decides.

Trouble is a mode: what becomes of creates and of status patches, how long Jobs take, whether news arrive.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from edited import Conflict, Edited
from requests_world import Asking, Requests
from serving import floor, merge
from situations import CREATED, UID, build_plan

from sundial_clock.instants import format_instant, parse_instant
from sundial_core import names
from sundial_core.circumstances import Circumstances
from sundial_core.creates import (
    Answer,
    Answered,
    Create,
    Created,
    Denied,
    Purpose,
    Read,
    Refused,
    Request,
    Send,
    Unanswered,
)
from sundial_core.decide import Decision, decide
from sundial_core.endings import Ending, build_ending_patch
from sundial_core.manifests import Creator
from sundial_core.memory import Finding, Orders, Track
from sundial_core.objects import ScheduledJob, parse_scheduled_job
from sundial_core.retention import Limits
from sundial_core.runs import ObservedJob, parse_job
from sundial_core.starts import read_run
from sundial_core.views import View
from sundial_kube.errors import ApiError, ApiUnreachable

TOMBSTONE = timedelta(seconds=60)
LANDINGS = {"land late": timedelta(seconds=40), "land too late": timedelta(seconds=100)}
LONG_AFTER = datetime.max.replace(tzinfo=CREATED.tzinfo)


@dataclass
class Cluster(Edited):
    """The API server's side: the truth. `made` counts creates, `copies` of ours are users', and endless."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    copies: list[dict[str, Any]] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    made_slots: dict[datetime, str] = field(default_factory=dict)
    made_runs: dict[str, str] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    landings: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    are_landings_late: bool = False
    create_mode: str = "ok"
    get_mode: str = "ok"
    most_active: int = 0
    job_seconds: float = 3
    job_result: str = "Complete"
    stop_seconds: float = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.requests = Requests(self)

    def answer(self, request: Request) -> Answer:
        """Answer a request of a Job's creation, or not at all."""
        try:
            return Answered(self.create(request.manifest) if isinstance(request, Send) else self.get(request))
        except ApiUnreachable as error:
            return Unanswered(str(error))
        except ApiError as error:
            return Denied(error.status, error.reason, error.message)

    def create(self, manifest: dict[str, Any]) -> dict[str, Any]:
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

    def get(self, request: Read) -> dict[str, Any]:
        """Read a Job."""
        if self.get_mode == "lose":
            raise ApiUnreachable("connection reset")
        if request.name not in self.jobs:
            raise ApiError(404, "NotFound", "not found")
        return self.jobs[request.name]

    def patch(self, name: str, patch: dict[str, Any]) -> dict[str, Any]:
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

    def mark(self, mark: str, value: str | None) -> None:
        """Let a user change a mark of the newest Job, or remove it; those of its Pods cannot be changed."""
        if self.jobs:
            job = self.jobs[list(self.jobs)[-1]]
            kind = "labels" if mark in job["metadata"]["labels"] else "annotations"
            job["metadata"] = merge(job["metadata"], {kind: {mark: value}})
            self._touch_job(job)

    def copy_job(self, **changes: str) -> None:
        """Let a user create a copy of the newest Job that differs in name or namespace."""
        if self.jobs:
            job = self.jobs[list(self.jobs)[-1]]
            self.version += 1
            own = {"uid": f"copy-{self.version}", "resourceVersion": str(self.version)}
            self.copies.append(job | {"metadata": job["metadata"] | own | changes, "status": {}})

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

    def touch_job(self, name: str) -> None:
        """Let a user change something of a Job."""
        self._touch_job(self.jobs[name])

    def _touch_job(self, job: dict[str, Any]) -> None:
        self.version += 1
        job["metadata"] = job["metadata"] | {"resourceVersion": str(self.version)}


def _ends(plan: dict[str, Any]) -> datetime:
    ends: datetime = plan["ends"]
    return ends


CREATOR = Creator("team.x", "one", 1)
"""A leader of the first term."""


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
        items = (*self.cluster.copies, *self.cluster.jobs.values())
        seen = {item["metadata"]["uid"]: self._parse(item) for item in items}
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
        """Look, and again as long as that has changed something, as the answers of own requests do."""
        for _ in range(10):
            version = self.cluster.version
            has_read = bool(self.look().missing)
            if not has_read and (self.cluster.version == version or self.is_deaf):
                return

    def _find_due(self) -> datetime | None:
        """Find when to look again: when something is due, or when the watch will have news."""
        news = None if self.is_deaf else self.cluster.find_next_end()
        return min((time for time in (self.wake_at, news) if time is not None), default=None)

    def look(self) -> Decision:
        """Decide and act as `Reconciler.look` does, with every request answered at once."""
        if not self.is_deaf:
            self.listen()
        jobs, now = tuple(self.jobs.values()), self.now
        custody = self.track.observe(self.job, jobs, self.asking.seen)
        if self.track.plan is None or self.track.plan_key != (self.job.generation, "", 0):
            self.track.adopt_plan((self.job.generation, "", 0), build_plan(self.job))
        plan = self.track.plan
        assert plan is not None
        memory = replace(self.track.recall(), asked=self.asking.decided)
        view = View(
            self.job,
            plan,
            custody.ours,
            memory,
            circumstances=self.circumstances,
            asked=self.asking.seen,
            strangers=custody.strangers,
        )
        decision = decide(view, now, Limits(TOMBSTONE))
        self.wake_at = decision.wake_at and decision.wake_at - self.circumstances.skew
        assert self.wake_at is None or self.wake_at > self.cluster.now
        self._apply(decision, self.track.remember(self.job, decision, now))
        return decision

    @property
    def now(self) -> datetime:
        """The time by the process's clock."""
        return self.cluster.now + self.circumstances.skew

    def _parse(self, item: dict[str, Any]) -> ObservedJob:
        """Read a Job once for each version of it."""
        metadata = item["metadata"]
        known = self.jobs.get(metadata["uid"])
        is_news = known is None or known.resource_version < int(metadata["resourceVersion"])
        return parse_job(item) if is_news or known is None else known

    def _apply(self, decision: Decision, orders: Orders) -> None:
        """Do what was ordered; what is being created is tried again at every look."""
        for create in sorted(self.track.creates.values(), key=_order):
            self._create(create)
        for ending in orders.endings:
            self._end(ending)
        for finished in orders.deletes:
            self._delete(finished)
        for run in orders.reads:
            answer = self.cluster.answer(Read(run.job_name, Purpose.ADOPT))
            self.track.reading.discard(run.run_id)
            finding = self.track.take_read(run, answer, self.now)
            if finding is Finding.THERE and isinstance(answer, Answered):
                self._see(answer.item)
            elif finding is Finding.GONE:
                self.jobs = {uid: job for uid, job in self.jobs.items() if job.name != run.job_name}
        self._patch()
        self.asking.apply(decision.asked, self.status_mode)

    def _create(self, create: Create) -> None:
        step = self.track.begin(create, CREATOR, self.circumstances, self.now)
        while isinstance(step, Read | Send):
            step = self.track.take(create, step, self.cluster.answer(step), CREATOR, self.now)
        if isinstance(step, Created):
            self._see(step.item)
        elif isinstance(step, Refused) and create.follows is not None:
            self.cluster.results[create.follows.after.name] = "Failed"

    def _see(self, item: dict[str, Any]) -> None:
        """Put a Job that was read or created into the store."""
        job = parse_job(item)
        self.jobs[job.uid] = job

    def _end(self, ending: Ending) -> None:
        assert not ending.job.uid.startswith("copy-")
        with contextlib.suppress(ApiError, ApiUnreachable):
            self._see(self.cluster.patch(ending.job.name, build_ending_patch(ending)))
        self.track.ending.discard(ending.job.uid)

    def _delete(self, job: ObservedJob) -> None:
        assert not job.uid.startswith("copy-")
        if job.name in self.cluster.jobs:
            self.deleted.append((job, self.cluster.item["status"], self.cluster.now))
            del self.cluster.jobs[job.name]
        self.track.deleting.discard(job.uid)

    def _lose(self, job: ObservedJob) -> None:
        now = self.cluster.now
        self.track.lose(job, read_run(job, (), now), now, self.asking.seen)

    def _patch(self) -> None:
        """Patch as `Statuses` does; the answer is taken at once unless it is lost."""
        patch = self.track.build_patch(self.job)
        if patch is None:
            return
        if self.status_mode in ("lose", "refuse"):
            self.track.refusal = "Request entity too large" if self.status_mode == "refuse" else "timed out"
            return
        if self.status_mode == "conflict":
            self.cluster.touch()
        try:
            self.cluster.patch_status(patch)
        except Conflict:
            self.job = parse_scheduled_job(self.cluster.item)
            return
        self.track.refusal = "" if self.status_mode == "store" else "timed out"
        if self.status_mode == "store":
            self.job = parse_scheduled_job(self.cluster.item)


def _order(create: Create) -> tuple[bool, datetime, str]:
    """Order slots before all else, oldest first."""
    return not create.is_slot, create.due_at, create.attempt.run_id
