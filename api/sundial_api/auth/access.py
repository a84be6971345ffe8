"""May the caller do that? The cluster's own roles decide; answers are kept for a moment."""

from __future__ import annotations

from dataclasses import dataclass, field

from sundial_api.auth.breaker import Breaker
from sundial_api.auth.kept_answers import KeptAnswers, is_trouble
from sundial_api.auth.tokens import Caller, name_account
from sundial_api.auth.visible_namespaces import Reach, VisibleNamespaces, list_none
from sundial_api.http.errors import HTTPProblem
from sundial_clock.sentences import Sentence, say
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.resources import ACCESS_REVIEWS, Resource

READS = ("get", "list")
"""What a right of before is enough for while the API server cannot be asked: history still reads."""


@dataclass(frozen=True, slots=True)
class Action:
    """A verb on a resource, or on a part of one such as log, in one namespace or (empty) in all."""

    verb: str
    resource: Resource
    ns: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        name = f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural
        return f"{self.verb} {name}"


class AllowAll:
    """Permits everything: where nobody is identified, there is nobody to tell apart."""

    async def may(self, caller: Caller, action: Action) -> bool:  # noqa: ARG002 - as all do
        """Permit."""
        return True

    async def require(self, caller: Caller, action: Action) -> None:
        """Permit."""

    async def find_reach(self, caller: Caller, resource: Resource) -> Reach:
        """Permit to list everywhere."""
        await self.require(caller, Action("list", resource))
        return Reach()


Identity = tuple[str, str, tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...]]
"""All of a caller that answers depend on: name, uid, groups and extra, which each token has of its own."""
Question = tuple[Identity, Action]
"""All that an answer depends on."""


@dataclass(slots=True)
class SubjectAccessReviews:
    """Asks the API server what a caller may do."""

    client: KubeClient
    namespaces: VisibleNamespaces = field(default_factory=lambda: VisibleNamespaces(list_none))
    """Where a caller who may not list everywhere may; without a list of namespaces nowhere."""
    breaker: Breaker = field(default_factory=Breaker)
    """Who asks the same API server about callers otherwise has the same."""
    _answers: KeptAnswers[Question, bool] = field(init=False)

    def __post_init__(self) -> None:
        self._answers = KeptAnswers(
            bool, find_owner=lambda question, _: find_account(question[0]), breaker=self.breaker
        )

    async def may(self, caller: Caller, action: Action) -> bool:
        """Tell whether a caller may do something; raises ApiError and ApiUnreachable."""
        question = build_question(caller, action)
        return await self._answers.get(
            question, lambda: self._ask(caller, action), in_outage=action.verb in READS
        )

    async def require(self, caller: Caller, action: Action) -> None:
        """Check that a caller may do something; raises Problem 403 with what is missing."""
        if not await self.may(caller, action):
            raise HTTPProblem(403, describe_refusal(caller, action))

    async def find_reach(self, caller: Caller, resource: Resource) -> Reach:
        """Find where a caller may list a kind: everywhere, or in which of the known namespaces.

        Raises Problem 403 where it is nowhere.
        """
        anywhere = Action("list", resource)
        identity, _ = build_question(caller, anywhere)

        async def ask_about(ns: str) -> bool:
            return await self._ask(caller, Action("list", resource, ns))

        try:
            if await self.may(caller, anywhere):
                return Reach()
        except (ApiError, ApiUnreachable) as error:
            known = self.namespaces.recall(identity, resource.plural)
            if known is None or not is_trouble(error):
                raise
            return known
        reach = await self.namespaces.find(identity, resource.plural, ask_about)
        if reach.is_complete and not reach.namespaces:
            raise HTTPProblem(
                403,
                say(
                    "{name} may not {action} in all namespaces, nor in any that has something to list;"
                    " name one with namespace=",
                    name=caller.name,
                    action=str(anywhere),
                ),
            )
        return reach

    async def _ask(self, caller: Caller, action: Action) -> bool:
        answer = await self.client.review(ACCESS_REVIEWS, _build_spec(caller, action))
        return bool(answer.get("allowed"))


Access = AllowAll | SubjectAccessReviews


def describe_refusal(caller: Caller, action: Action) -> Sentence:
    """Say who lacks which right; verb and resource are as a role names them."""
    if action.ns:
        return say(
            "{name} may not {action} in namespace {namespace}",
            name=caller.name,
            action=str(action),
            namespace=action.ns,
        )
    return say("{name} may not {action} in all namespaces", name=caller.name, action=str(action))


def find_account(identity: Identity) -> str:
    """Find whose share of what is kept an answer uses up."""
    return name_account(identity[0])


def build_question(caller: Caller, action: Action) -> Question:
    """Build the key of an answer."""
    extra = tuple(sorted((name, tuple(values)) for name, values in caller.extra.items()))
    return (caller.name, caller.cluster_uid, caller.groups, extra), action


def _build_spec(caller: Caller, action: Action) -> dict[str, object]:
    attributes = {
        "verb": action.verb,
        "group": action.resource.group,
        "resource": action.resource.plural,
        "namespace": action.ns,
    } | ({"subresource": action.subresource} if action.subresource else {})
    spec: dict[str, object] = {
        "user": caller.name,
        "groups": list(caller.groups),
        "resourceAttributes": attributes,
    }
    known = {"uid": caller.cluster_uid, "extra": dict(caller.extra)}
    return spec | {name: value for name, value in known.items() if value}
