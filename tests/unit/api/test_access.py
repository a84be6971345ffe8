"""What a caller may do, asked of the API server: by all that an answer depends on, and anew for a write."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from sundial_api.auth import kept_answers
from sundial_api.auth.access import Action, SubjectAccessReviews
from sundial_api.auth.tokens import Caller
from sundial_api.auth.visible_namespaces import Reach, VisibleNamespaces
from sundial_api.http.errors import HTTPProblem
from sundial_kube.errors import ApiUnreachable
from sundial_kube.resources import SCHEDULED_JOBS

UID = UUID("3f6d9b0e-8a51-4c7e-b1a7-2f1f5a0c9d11")
ZOE = Caller("zoe", UID, ("ops",), "uid-1", {"scopes": ["read"]})


class Reviews:
    """Permits what it is told to, and notes what it was asked."""

    def __init__(self) -> None:
        self.allowed, self.is_away = True, False
        self.asked: list[dict[str, Any]] = []

    async def review(self, _resource: object, spec: dict[str, Any]) -> dict[str, Any]:
        if self.is_away:
            raise ApiUnreachable("no answer")
        self.asked.append(spec)
        return {"allowed": self.allowed}


@pytest.fixture
def reviews() -> Reviews:
    return Reviews()


@pytest.fixture
def access(reviews: Reviews) -> SubjectAccessReviews:
    client: Any = reviews
    return SubjectAccessReviews(client)


@pytest.mark.parametrize(
    ("verb", "reads_on"),
    [("get", True), ("list", True), ("create", False), ("patch", False), ("delete", False)],
)
async def test_a_right_of_before_is_enough_for_reading_only(
    reviews: Reviews,
    access: SubjectAccessReviews,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    reads_on: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(kept_answers, "FRESH_SECONDS", 0.0)
    action = Action(verb, SCHEDULED_JOBS, "team")
    await access.require(ZOE, action)
    reviews.is_away = True
    if reads_on:
        await access.require(ZOE, action)
    else:
        with pytest.raises(ApiUnreachable):
            await access.require(ZOE, action)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Caller("zoe", UID, ("ops",), "uid-2", {"scopes": ["read"]}), id="uid"),
        pytest.param(Caller("zoe", UID, ("ops", "dev"), "uid-1", {"scopes": ["read"]}), id="groups"),
        pytest.param(Caller("zoe", UID, ("ops",), "uid-1", {"scopes": ["read", "write"]}), id="extra"),
        pytest.param(Caller("adam", UID, ("ops",), "uid-1", {"scopes": ["read"]}), id="name"),
    ],
)
async def test_an_answer_is_of_one_caller(
    reviews: Reviews, access: SubjectAccessReviews, other: Caller
) -> None:
    action = Action("get", SCHEDULED_JOBS, "team")
    await access.require(ZOE, action)
    await access.require(ZOE, action)
    reviews.allowed = False
    with pytest.raises(HTTPProblem, match="may not get scheduledjobs in namespace team"):
        await access.require(other, action)
    assert len(reviews.asked) == 2


def build_many(kind: str, number: int) -> Caller:
    """Build who asks for the so-many-th time."""
    if kind == "a user":
        return Caller("mallory", UID)
    if kind == "tokens of an account":
        return Caller("system:serviceaccount:dark:mallory", UID, extra={"credential-id": [str(number)]})
    return Caller(f"system:serviceaccount:dark:mallory-{number}", UID)


@pytest.mark.parametrize("kind", ["a user", "tokens of an account", "accounts of a namespace"])
async def test_one_caller_drives_no_others_answers_out(
    reviews: Reviews, access: SubjectAccessReviews, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(kept_answers, "MAX_GOOD", 20)
    await access.require(ZOE, Action("get", SCHEDULED_JOBS, "team"))
    for number in range(100):
        await access.require(build_many(kind, number), Action("get", SCHEDULED_JOBS, f"ns-{number}"))
    reviews.asked.clear()
    await access.require(ZOE, Action("get", SCHEDULED_JOBS, "team"))
    assert reviews.asked == []


class Roles(Reviews):
    """Permits to list in some namespaces."""

    def __init__(self, *namespaces: str) -> None:
        super().__init__()
        self.namespaces = namespaces

    async def review(self, resource: object, spec: dict[str, Any]) -> dict[str, Any]:
        await super().review(resource, spec)
        return {"allowed": spec["resourceAttributes"]["namespace"] in self.namespaces}


async def list_known() -> tuple[str, ...]:
    return ("team-a", "team-b", "team-c")


def build_access(roles: Roles) -> SubjectAccessReviews:
    client: Any = roles
    return SubjectAccessReviews(client, VisibleNamespaces(list_known))


async def test_who_may_list_everywhere_is_asked_about_nothing_else() -> None:
    roles = Roles("")
    assert await build_access(roles).find_reach(ZOE, SCHEDULED_JOBS) == Reach()
    assert len(roles.asked) == 1


async def test_who_may_list_in_some_namespaces_reaches_those() -> None:
    roles = Roles("team-a", "team-c", "unknown")
    assert await build_access(roles).find_reach(ZOE, SCHEDULED_JOBS) == Reach(("team-a", "team-c"))
    asked = [spec["resourceAttributes"]["namespace"] for spec in roles.asked]
    assert sorted(asked) == ["", "team-a", "team-b", "team-c"]
    assert all((spec["uid"], spec["extra"]) == ("uid-1", {"scopes": ["read"]}) for spec in roles.asked)


async def test_who_may_list_nowhere_is_told_what_is_missing() -> None:
    with pytest.raises(HTTPProblem, match="may not list scheduledjobs in all namespaces, nor in any"):
        await build_access(Roles()).find_reach(ZOE, SCHEDULED_JOBS)


async def test_in_an_outage_a_reach_of_before_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_answers, "FRESH_SECONDS", 0.0)
    roles = Roles("team-a")
    access = build_access(roles)
    await access.find_reach(ZOE, SCHEDULED_JOBS)
    roles.is_away = True
    assert await access.find_reach(ZOE, SCHEDULED_JOBS) == Reach(("team-a",))
    with pytest.raises(ApiUnreachable):
        await access.find_reach(Caller("adam", UID), SCHEDULED_JOBS)


async def test_a_reach_is_of_one_caller() -> None:
    roles = Roles("team-a")
    access = build_access(roles)
    await access.find_reach(ZOE, SCHEDULED_JOBS)
    roles.namespaces = ("team-b",)
    other = Caller("zoe", UID, ("ops", "dev"), "uid-1", {"scopes": ["read"]})
    assert await access.find_reach(other, SCHEDULED_JOBS) == Reach(("team-b",))
