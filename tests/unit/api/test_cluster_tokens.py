"""Whose a token of the cluster is: asked once in a while, never believed past its own end."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from sundial_api.auth import cluster_tokens, kept_answers
from sundial_api.auth.cluster_tokens import ClusterTokens
from sundial_api.http.errors import HTTPProblem
from sundial_kube.errors import ApiUnreachable

USER = {"username": "system:serviceaccount:team:zoe", "uid": "uid-1", "groups": ["ops"]}


class Reviews:
    """Knows one token, and counts how often it was asked."""

    def __init__(self) -> None:
        self.is_away, self.asked = False, 0

    async def review(self, _resource: object, spec: dict[str, Any]) -> dict[str, Any]:
        if self.is_away:
            raise ApiUnreachable("no answer")
        self.asked += 1
        is_good = not spec["token"].startswith("bad")
        return {"authenticated": True, "user": USER} if is_good else {"authenticated": False}


@pytest.fixture
def reviews() -> Reviews:
    return Reviews()


@pytest.fixture
def tokens(reviews: Reviews) -> ClusterTokens:
    client: Any = reviews
    return ClusterTokens(client)


def sign(seconds: float) -> str:
    """Build a token that ends so many seconds from now; nobody looks at its signature here."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + seconds}).encode()).decode()
    return f"x.{claims.rstrip('=')}.x"


async def test_a_token_is_asked_about_once(reviews: Reviews, tokens: ClusterTokens) -> None:
    token = sign(60)
    one, two = [await tokens.identify(token, is_read=False) for _ in range(2)]
    assert (one.name, one.groups, one == two) == (USER["username"], ("ops",), True)
    assert reviews.asked == 1


@pytest.mark.parametrize("token", ["bad", "bad.token.x"])
async def test_so_is_a_bad_one(reviews: Reviews, tokens: ClusterTokens, token: str) -> None:
    for _ in range(3):
        with pytest.raises(HTTPProblem, match="not valid in this cluster"):
            await tokens.identify(token, is_read=True)
    assert reviews.asked == 1


async def test_none_is_believed_past_its_end(
    reviews: Reviews, tokens: ClusterTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = sign(60)
    await tokens.identify(token, is_read=True)
    later = time.time() + 61
    monkeypatch.setattr(cluster_tokens.time, "time", lambda: later)
    with pytest.raises(HTTPProblem, match="has expired"):
        await tokens.identify(token, is_read=True)


@pytest.mark.parametrize(("is_read", "is_known"), [(True, True), (False, False)])
async def test_in_an_outage_it_is_believed_for_reading(
    reviews: Reviews,
    tokens: ClusterTokens,
    monkeypatch: pytest.MonkeyPatch,
    is_read: bool,  # noqa: FBT001
    is_known: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(kept_answers, "FRESH_SECONDS", 0.0)
    token = sign(60)
    await tokens.identify(token, is_read=True)
    reviews.is_away = True
    if is_known:
        assert (await tokens.identify(token, is_read=is_read)).name == USER["username"]
    else:
        with pytest.raises(ApiUnreachable):
            await tokens.identify(token, is_read=is_read)


async def test_who_has_many_tokens_drives_nobody_elses_out(
    tokens: ClusterTokens, reviews: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_answers, "MAX_GOOD", 20)
    adam = USER | {"username": "adam", "uid": "uid-2"}
    monkeypatch.setitem(globals(), "USER", adam)
    await tokens.identify("of-adam", is_read=True)
    monkeypatch.setitem(globals(), "USER", USER | {"username": "mallory", "uid": "uid-3"})
    for number in range(100):
        await tokens.identify(f"mint-{number}", is_read=True)
    reviews.asked = 0
    await tokens.identify("of-adam", is_read=True)
    assert reviews.asked == 0
