"""Tokens of the cluster, reviewed by the API server."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Hashable
from contextlib import suppress

import orjson

from sundial_api.auth.breaker import Breaker
from sundial_api.auth.kept_answers import KeptAnswers
from sundial_api.auth.tokens import Caller, name_account, name_uuid, refuse, required
from sundial_clock.sentences import say
from sundial_kube.client import KubeClient
from sundial_kube.resources import TOKEN_REVIEWS


class ClusterTokens:
    """Asks the API server about tokens (TokenReview): service accounts, or whatever it knows.

    An answer is believed for a moment, and while the API server is away it is believed for an hour, for
    reading, that a token was good; never past the end that the token names.
    """

    def __init__(self, client: KubeClient, audience: str = "", breaker: Breaker | None = None) -> None:
        self._client = client
        self._spec = {"audiences": [audience]} if audience else {}
        self._answers: KeptAnswers[bytes, Caller | None] = KeptAnswers(
            lambda known: known is not None, find_owner=_find_owner, breaker=breaker
        )

    async def identify(self, token: str | None, *, is_read: bool) -> Caller:
        """Identify the owner of a token; raises Problem 401, ApiError and ApiUnreachable."""
        text = required(token)
        if has_expired(text, time.time()):
            raise refuse(say("the token has expired"))
        key = hashlib.sha256(text.encode()).digest()
        caller = await self._answers.get(key, lambda: self._review(text), in_outage=is_read)
        if caller is None:
            raise refuse(say("the token is not valid in this cluster"))
        return caller

    async def _review(self, token: str) -> Caller | None:
        answer = await self._client.review(TOKEN_REVIEWS, self._spec | {"token": token})
        if not answer.get("authenticated"):
            return None
        user = answer["user"]
        return Caller(
            name=user["username"],
            uid=name_uuid("kubernetes", user.get("uid") or user["username"]),
            groups=tuple(user.get("groups") or ()),
            cluster_uid=user.get("uid", ""),
            extra=user.get("extra") or {},
            expires_at=read_end(token),
        )


def _find_owner(key: bytes, caller: Caller | None) -> Hashable:
    """Find whose token it is; nobody's is its own."""
    return key if caller is None else name_account(caller.name)


def read_end(token: str) -> float | None:
    """Read when a token says that it ends, in Unix seconds; None for one that does not say."""
    with suppress(ValueError, IndexError, AttributeError):
        part = token.split(".")[1]
        end = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))).get("exp")
        return float(end) if isinstance(end, int | float) else None
    return None


def has_expired(token: str, now: float) -> bool:
    """Tell whether a token says that it has ended; `now` in Unix seconds, one without an end has not."""
    end = read_end(token)
    return end is not None and end <= now
