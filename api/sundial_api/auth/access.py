"""May the caller do that? The cluster's own roles decide; answers are kept for a moment."""

from __future__ import annotations

from dataclasses import dataclass, field

from sundial_api.auth.kept_answers import KeptAnswers
from sundial_api.auth.tokens import Caller
from sundial_api.http.errors import HTTPProblem
from sundial_kube.client import KubeClient
from sundial_kube.resources import ACCESS_REVIEWS, Resource

READS = ("get", "list")
"""What a right of before is enough for while the API server cannot be asked: history still reads."""


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


Question = tuple[str, str, tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...], Action]
"""All that an answer depends on: name, uid, groups and extra of the caller, and the action."""


@dataclass(slots=True)
class SubjectAccessReviews:
    """Asks the API server what a caller may do."""

    client: KubeClient
    _answers: KeptAnswers[Question, bool] = field(default_factory=lambda: KeptAnswers(bool))

    async def require(self, caller: Caller, action: Action) -> None:
        """Check that a caller may do something; raises Problem 403 with what is missing."""

        async def ask() -> bool:
            answer = await self.client.review(ACCESS_REVIEWS, _build_spec(caller, action))
            return bool(answer.get("allowed"))

        may = await self._answers.get(build_question(caller, action), ask, in_outage=action.verb in READS)
        if not may:
            raise HTTPProblem(403, f"{caller.name} may not {action}")


Access = AllowAll | SubjectAccessReviews


def build_question(caller: Caller, action: Action) -> Question:
    """Build the key of an answer."""
    extra = tuple(sorted((name, tuple(values)) for name, values in caller.extra.items()))
    return caller.name, caller.cluster_uid, caller.groups, extra, action


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
