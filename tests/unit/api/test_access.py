"""What a caller may do, asked of the API server: by all that an answer depends on, and anew for a write."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from sundial_api.auth import kept_answers
from sundial_api.auth.access import Action, SubjectAccessReviews
from sundial_api.auth.tokens import Caller
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
