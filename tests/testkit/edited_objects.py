"""A ScheduledJob as an API server stores it: what users write, what the operator tells, who wrote what."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from testkit.api_server import floor, merge
from testkit.field_managers import FieldManagers
from testkit.scheduled_jobs import CREATED, build_item

from sundial_clock.instants import format_instant
from sundial_core.resources import names


class Conflict(Exception):
    """The resourceVersion of a patch is not the stored one."""


@dataclass
class Edited:
    """The object, as `item`. `statuses` holds each status ever stored, `changed` is when a user last wrote.

    Users write with kubectl, which has a name for each of its verbs, or all with one `client`.
    """

    spec: dict[str, Any]
    now: datetime = CREATED
    changed: datetime = CREATED
    version: int = 100
    client: str = ""
    statuses: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.item: dict[str, Any] = {}
        self._managers = FieldManagers()
        self._write(build_item(self.spec, changed=None), "create")

    def write_user_change(self, spec: dict[str, Any] | None = None, paused: str | None = None) -> None:
        """Store what a user wrote: the whole spec and the pause annotation."""
        metadata = self.item["metadata"] | {"annotations": {names.PAUSED: paused} if paused else {}}
        if spec is None or spec == self.item["spec"]:
            self._write({"metadata": metadata}, "annotate")
        else:
            metadata["generation"] += 1
            self._write({"metadata": metadata, "spec": spec}, "edit")

    def touch(self) -> None:
        """Let a user change a label."""
        labels = {"number": str(self.version)}
        self._write({"metadata": self.item["metadata"] | {"labels": labels}}, "label")

    def patch_status(self, patch: dict[str, Any]) -> None:
        """Merge a status patch; raises Conflict when it is for another resourceVersion."""
        if patch["metadata"]["resourceVersion"] != self.item["metadata"]["resourceVersion"]:
            raise Conflict
        self._keep({"status": merge(self.item["status"], patch["status"])})
        self.statuses.append(self.item["status"])

    def _write(self, change: dict[str, Any], verb: str) -> None:
        self._managers.update(
            self.client or f"kubectl-{verb}", self.item, self.item | change, floor(self.now)
        )
        self._keep(change)
        self.changed = self.now

    def _keep(self, change: dict[str, Any]) -> None:
        self.version += 1
        item = self.item | change
        told = {"manager": "sundial", "subresource": "status", "time": format_instant(floor(self.now))}
        known = {"resourceVersion": str(self.version), "managedFields": [*self._managers.build(), told]}
        self.item = item | {"metadata": item["metadata"] | known}
