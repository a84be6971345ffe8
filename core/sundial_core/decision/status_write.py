"""The status of one object that is to be written, and how far that has come."""

from __future__ import annotations

from dataclasses import dataclass

from sundial_core.resources.raw import JsonObject
from sundial_core.status.patches import Reported, build_patch
from sundial_core.status.urgency import Urgency


@dataclass(slots=True)
class StatusWrite:
    """The newest status that was decided for one object, and how far it is written; mutable."""

    uid: str
    wanted_status: JsonObject | None = None
    wanted_from: int = 0
    """The resourceVersion that the wanted status was computed from."""
    is_patching: bool = False
    patch_failures: int = 0
    refusal: str = ""
    """What became of the newest patch that failed; empty once one succeeds."""

    def want(self, item: Reported, status: JsonObject | None, urgency: Urgency) -> None:
        """Take the status that was decided for an object as it was seen."""
        self.wanted_status = status if urgency is not Urgency.NONE else None
        self.wanted_from = item.resource_version

    def build_patch(self, item: Reported) -> JsonObject | None:
        """Build the patch to the wanted status; None without one, or when it is of another version."""
        if self.wanted_status is None or item.resource_version != self.wanted_from:
            return None
        return build_patch(item, self.wanted_status)
