"""The status that is to be written for one object, and how far that is.

How soon it is written is in `status/urgency.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sundial_core.resources.raw import JsonObject
from sundial_core.status.patches import Reported, build_patch
from sundial_core.status.urgency import Urgency


@dataclass(slots=True)
class PendingStatus:
    """The newest status that was decided for one object, and how far it is written; mutable."""

    uid: str
    wanted_status: JsonObject | None = None
    wanted_from: int = 0
    """The resourceVersion that the wanted status was computed from."""
    is_patching: bool = False
    patch_failures: int = 0
    refusal: str = ""
    """The error of the last patch that failed; empty after one succeeds."""

    def want(self, item: Reported, status: JsonObject | None, urgency: Urgency) -> None:
        """Remember the new status, and the version of the object it is from; NONE: nothing to write."""
        self.wanted_status = status if urgency is not Urgency.NONE else None
        self.wanted_from = item.resource_version

    def build_patch(self, item: Reported) -> JsonObject | None:
        """Build the patch; None if there is nothing to write, or if the object has changed since."""
        if self.wanted_status is None or item.resource_version != self.wanted_from:
            return None
        return build_patch(item, self.wanted_status)
