"""One schedule, its Jobs and its status behind an API server in memory, and a process that decides.

Trouble is a mode: what becomes of creates and of status patches, how long Jobs take, whether news arrive.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from testkit.api_server import floor, merge
from testkit.edited_objects import Edited
from testkit.scheduled_jobs import CREATED
from testkit.simulation.run_requests import Requests

from sundial_clock.instants import format_instant, parse_instant
from sundial_core.decision.job_creation import (
    Answer,
    Answered,
    CreateRequest,
    Denied,
    Read,
    Send,
    Unanswered,
)
from sundial_core.resources import names
from sundial_core.runs.manifests import Creator
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
    gone: dict[str, dict[str, Any]] = field(default_factory=dict)
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

    def answer(self, request: CreateRequest) -> Answer:
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

    def delete(self, name: str) -> None:
        """Delete a Job; a watch tells its last state with the version of the deletion."""
        job = self.jobs.pop(name)
        self.version += 1
        own = {"resourceVersion": str(self.version)}
        self.gone[name] = job | {"metadata": job["metadata"] | own}

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
