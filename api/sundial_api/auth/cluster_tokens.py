"""Tokens of the cluster, reviewed by the API server."""

from __future__ import annotations

import base64
import hashlib
import time
from contextlib import suppress

import orjson

from sundial_api.auth.tokens import Caller, name_uuid, refuse, required
from sundial_api.http.errors import HTTPProblem
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.resources import TOKEN_REVIEWS

OUTAGE_SECONDS = 3600.0
"""How long a token of the cluster that was good is believed while the API server cannot be asked."""

MAX_KNOWN = 10_000


class ClusterTokens:
    """Asks the API server about tokens (TokenReview): service accounts, or whatever it knows."""

    def __init__(self, client: KubeClient, audience: str = "") -> None:
        self._client = client
        self._spec = {"audiences": [audience]} if audience else {}
        self._known: dict[bytes, tuple[float, Caller]] = {}

    async def identify(self, token: str | None) -> Caller:
        """Identify the owner of a token; while the cluster is away, of one that was good within the hour."""
        text = required(token)
        key = hashlib.sha256(text.encode()).digest()
        try:
            caller = await self._review(text)
        except (ApiError, ApiUnreachable):
            seen_at, known = self._known.get(key, (float("-inf"), None))
            if known is None or time.monotonic() - seen_at > OUTAGE_SECONDS or has_expired(text, time.time()):
                raise
            return known
        except HTTPProblem:
            self._known.pop(key, None)
            raise
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[key] = (time.monotonic(), caller)
        return caller

    async def _review(self, token: str) -> Caller:
        answer = await self._client.review(TOKEN_REVIEWS, self._spec | {"token": token})
        if not answer.get("authenticated"):
            raise refuse("the token is not valid in this cluster")
        user = answer["user"]
        return Caller(
            name=user["username"],
            uid=name_uuid("kubernetes", user.get("uid") or user["username"]),
            groups=tuple(user.get("groups") or ()),
            cluster_uid=user.get("uid", ""),
            extra=user.get("extra") or {},
        )


def has_expired(token: str, now: float) -> bool:
    """Tell whether a token says that it has ended; `now` in Unix seconds, one without an end has not."""
    with suppress(ValueError, IndexError, AttributeError):
        part = token.split(".")[1]
        end = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))).get("exp")
        return isinstance(end, int | float) and end <= now
    return False
