"""ScheduledJobRuns behind the API server in memory, and what a process knows and does about them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from testkit.api_server import floor, merge
from testkit.scheduled_job_runs import build_request_item
from testkit.scheduled_jobs import CREATED

from sundial_core.decision.run_requests import RunRequestDecision
from sundial_core.resources.objects import ScheduledJobRun, parse_scheduled_job_run
from sundial_core.status.patches import build_patch

if TYPE_CHECKING:
    from testkit.simulation.cluster import Cluster

UIDS = uuid.UUID("5b1f6d2e-0000-4000-8000-000000000000")


@dataclass
class Requests:
    """The API server's side: the objects by UID, and each status ever stored of each."""

    cluster: Cluster
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def create(self, spec: dict[str, Any]) -> None:
        """Let a user ask for a run."""
        uid = str(uuid.uuid5(UIDS, str(len(self.statuses))))
        created = (floor(self.cluster.now) - CREATED).total_seconds()
        self.items[uid] = build_request_item(spec, created=created, uid=uid, name=uid)
        self.statuses[uid] = []
        self._touch(uid)

    def delete(self, uid: str) -> None:
        """Delete one."""
        self.items.pop(uid, None)
        self.cluster.version += 1

    def patch_status(self, request: ScheduledJobRun, patch: dict[str, Any]) -> None:
        """Merge a status patch if it is for the stored resourceVersion."""
        item = self.items.get(request.uid)
        if item is None or item["metadata"]["resourceVersion"] != patch["metadata"]["resourceVersion"]:
            return
        status = merge(item["status"], patch["status"])
        self.items[request.uid] = item | {"status": status}
        self.statuses[request.uid].append(status)
        self._touch(request.uid)

    def _touch(self, uid: str) -> None:
        self.cluster.version += 1
        item = self.items[uid]
        self.items[uid] = item | {
            "metadata": item["metadata"] | {"resourceVersion": str(self.cluster.version)}
        }


class Asking:
    """The operator's side: what it has seen, and the statuses that it has not stored yet."""

    def __init__(self, requests: Requests) -> None:
        self.requests = requests
        self.decided: dict[str, dict[str, Any]] = {}
        self.deleted: list[dict[str, Any]] = []
        self.seen: tuple[ScheduledJobRun, ...] = ()

    def listen(self) -> None:
        """Take the news from the watch."""
        self.seen = tuple(map(parse_scheduled_job_run, self.requests.items.values()))

    def apply(self, answers: RunRequestDecision | None, mode: str) -> None:
        """Store statuses and delete, as `Asking` of the operator does."""
        if answers is None:
            return
        self.decided = dict(answers.statuses)
        for request in self.seen:
            status = answers.statuses.get(request.uid)
            if status is not None and mode not in ("lose", "conflict"):
                self.requests.patch_status(request, build_patch(request, status))
        for request in answers.deletes:
            if request.uid in self.requests.items:
                self.deleted.append(self.requests.items[request.uid])
                self.requests.delete(request.uid)
