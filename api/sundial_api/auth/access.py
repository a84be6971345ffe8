"""May the caller do that? The cluster's own roles decide; answers are kept for a moment."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from sundial_api.auth.tokens import Caller
from sundial_api.http.errors import HTTPProblem
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.resources import ACCESS_REVIEWS, Resource

KEPT_SECONDS = 10.0
"""How long an answer is believed: a role that is taken away works for this much longer."""
OUTAGE_SECONDS = 3600.0
"""How long it is believed, for reading only, while the API server cannot be asked: history still reads."""
READS = ("get", "list")
MAX_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Action:
    """A verb on a resource, in one namespace or (empty) in all."""

    verb: str
    resource: Resource
    ns: str = ""

    def __str__(self) -> str:
        where = f"in namespace {self.ns}" if self.ns else "in all namespaces"
        return f"{self.verb} {self.resource.plural} {where}"


class AllowAll:
    """Permits everything: where nobody is identified, there is nobody to tell apart."""

    async def require(self, caller: Caller, action: Action) -> None:
        """Permit."""


@dataclass(slots=True)
class SubjectAccessReviews:
    """Asks the API server what a caller may do."""

    client: KubeClient
    _kept: dict[tuple[str, tuple[str, ...], Action], tuple[float, bool]] = field(default_factory=dict)

    async def require(self, caller: Caller, action: Action) -> None:
        """Check that a caller may do something; raises Problem 403 with what is missing."""
        if not await self._is_allowed(caller, action):
            raise HTTPProblem(403, f"{caller.name} may not {action}")

    async def _is_allowed(self, caller: Caller, action: Action) -> bool:
        key = (caller.name, caller.groups, action)
        asked_at, known = self._kept.get(key, (float("-inf"), False))
        age = time.monotonic() - asked_at
        if age < KEPT_SECONDS:
            return known
        try:
            answer = await self.client.review(ACCESS_REVIEWS, _build_spec(caller, action))
        except (ApiError, ApiUnreachable):
            if action.verb in READS and age < OUTAGE_SECONDS:
                return known
            raise
        allowed = bool(answer.get("allowed"))
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[key] = (time.monotonic(), allowed)
        return allowed


Access = AllowAll | SubjectAccessReviews


def _build_spec(caller: Caller, action: Action) -> dict[str, object]:
    attributes = {
        "verb": action.verb,
        "group": action.resource.group,
        "resource": action.resource.plural,
        "namespace": action.ns,
    }
    spec: dict[str, object] = {
        "user": caller.name,
        "groups": list(caller.groups),
        "resourceAttributes": attributes,
    }
    known = {"uid": caller.cluster_uid, "extra": dict(caller.extra)}
    return spec | {name: value for name, value in known.items() if value}
