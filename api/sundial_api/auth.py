"""Who is the caller? By mode: nobody is asked (loopback only), or a token of a provider or the cluster."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet

from sundial_api.errors import Problem
from sundial_kube.client import TOKEN_REVIEWS, KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Public-key signatures only: a shared secret would let any holder make tokens."""

LEEWAY_SECONDS = 30
KEYS_SECONDS = 600.0
"""How long a provider's keys are kept; a token of an unknown key asks for them again, this often at most:"""
KEYS_PAUSE_SECONDS = 10.0
PROVIDER_SECONDS = 5.0

OUTAGE_SECONDS = 3600.0
"""How long a token of the cluster that was good is believed while the API server cannot be asked."""
MOST_KNOWN = 10_000

RESERVED = "system:"
"""Users and groups of the cluster itself begin so: a provider's words must not make anybody one of them."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the name and groups that the cluster's roles speak of, and a UUID for the records."""

    name: str
    uid: uuid.UUID
    groups: tuple[str, ...] = ()
    cluster_uid: str = ""
    extra: Mapping[str, list[str]] = field(default_factory=dict)


class Authenticator(Protocol):
    """Tells who is behind a token."""

    async def identify(self, token: str | None, /) -> Caller:
        """Identify a caller; raises Problem 401 where that fails, 503 where it cannot be found out."""


class Anonymous:
    """Takes everybody for one local user; only for an API that listens on loopback."""

    async def identify(self, _token: str | None) -> Caller:
        """Identify everybody."""
        return Caller("local", uuid.uuid5(uuid.NAMESPACE_DNS, "local.sundial.dev"))


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider: its tokens must be from `issuer` and for `audience`."""

    issuer: str
    audience: str
    name_claim: str = "sub"
    groups_claim: str = "groups"


class ClusterTokens:
    """Asks the API server about tokens (TokenReview): service accounts, or whatever it knows."""

    def __init__(self, client: KubeClient, audience: str = "") -> None:
        self._client = client
        self._spec = {"audiences": [audience]} if audience else {}
        self._known: dict[bytes, tuple[float, Caller]] = {}

    async def identify(self, token: str | None) -> Caller:
        """Identify the owner of a token; while the cluster is away, of one that was good within the hour."""
        text = _required(token)
        key = hashlib.sha256(text.encode()).digest()
        try:
            caller = await self._review(text)
        except (ApiError, ApiUnreachable):
            seen_at, known = self._known.get(key, (float("-inf"), None))
            if known is None or time.monotonic() - seen_at > OUTAGE_SECONDS or has_expired(text, time.time()):
                raise
            return known
        except Problem:
            self._known.pop(key, None)
            raise
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[key] = (time.monotonic(), caller)
        return caller

    async def _review(self, token: str) -> Caller:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": self._spec | {"token": token},
        }
        answer = (await self._client.review(TOKEN_REVIEWS, review)).get("status") or {}
        if not answer.get("authenticated"):
            raise _refuse("the token is not valid in this cluster")
        user = answer["user"]
        return Caller(
            name=user["username"],
            uid=name_uuid("kubernetes", user.get("uid") or user["username"]),
            groups=tuple(user.get("groups") or ()),
            cluster_uid=user.get("uid", ""),
            extra=user.get("extra") or {},
        )


class ProviderTokens:
    """Checks tokens of an OpenID provider with the keys that it publishes."""

    def __init__(self, provider: Provider, session: aiohttp.ClientSession) -> None:
        self._provider = provider
        self._session = session
        self._keys: KeySet | None = None
        self._fetched_at = float("-inf")

    async def identify(self, token: str | None) -> Caller:
        """Identify the subject of a token."""
        claims = self._check(await self._decode(_required(token)))
        name = str(claims.get(self._provider.name_claim) or claims["sub"])
        if name.startswith(RESERVED):
            raise _refuse(f"the name of a user may not begin with {RESERVED}")
        return Caller(
            name=name,
            uid=name_uuid(self._provider.issuer, str(claims["sub"])),
            groups=("system:authenticated", *_read_groups(claims.get(self._provider.groups_claim))),
        )

    async def _decode(self, token: str) -> Mapping[str, Any]:
        """Decode with the known keys; once more with fresh ones where those do not fit."""
        for longest in (KEYS_SECONDS, KEYS_PAUSE_SECONDS):
            keys = await self._find_keys(longest)
            with suppress(JoseError, ValueError):
                return jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        raise _refuse("the token's signature is not one of the provider's")

    def _check(self, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._provider.issuer},
            aud={"essential": True, "value": self._provider.audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            registry.validate(dict(claims))
        except JoseError:
            raise _refuse("the token has expired, or is not for this API") from None
        return claims

    async def _find_keys(self, longest: float) -> KeySet:
        if self._keys is None or time.monotonic() - self._fetched_at > longest:
            self._keys = import_keys(await self._fetch_keys())
            self._fetched_at = time.monotonic()
        return self._keys

    async def _fetch_keys(self) -> Any:
        issuer = self._provider.issuer.rstrip("/")
        try:
            found = await self._read(f"{issuer}/.well-known/openid-configuration")
            return await self._read(found["jwks_uri"])
        except (aiohttp.ClientError, TimeoutError, KeyError, ValueError):
            raise Problem(503, "the OpenID provider cannot be reached, so nobody can be identified") from None

    async def _read(self, url: str) -> Any:
        limit = aiohttp.ClientTimeout(total=PROVIDER_SECONDS)
        async with self._session.get(url, timeout=limit, raise_for_status=True) as answer:
            return await answer.json(content_type=None)


def has_expired(token: str, now: float) -> bool:
    """Tell whether a token says that it has ended; `now` in Unix seconds, one without an end has not."""
    with suppress(ValueError, IndexError, AttributeError):
        part = token.split(".")[1]
        end = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))).get("exp")
        return isinstance(end, int | float) and end <= now
    return False


def import_keys(published: Any) -> KeySet:
    """Import a provider's keys but those of kinds that are not known here, as RFC 7517 asks for."""
    found = published.get("keys") if isinstance(published, dict) else None
    keys: list[Any] = []
    for key in found if isinstance(found, list) else []:
        with suppress(JoseError, ValueError, TypeError, KeyError, AttributeError):
            keys.append(JWKRegistry.import_key(key))
    return KeySet(keys)


def name_uuid(issuer: str, subject: str) -> uuid.UUID:
    """Find the UUID of a user: the subject when it is one, else one made of issuer and subject."""
    try:
        return uuid.UUID(subject)
    except ValueError:
        return uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, issuer), subject)


def read_token(header: str | None) -> str | None:
    """Read the token from an Authorization header."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _read_groups(claim: object) -> list[str]:
    names = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return [str(name) for name in names if not str(name).startswith(RESERVED)]


def _required(token: str | None) -> str:
    if token is None:
        raise _refuse("a token is needed: Authorization: Bearer ...")
    return token


def _refuse(detail: str) -> Problem:
    return Problem(401, detail, WWW_Authenticate='Bearer realm="sundial"')
