"""Tokens of an OpenID Connect provider, checked with its keys."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet

from sundial_api.auth.tokens import Caller, name_uuid, refuse, required
from sundial_api.http.errors import HTTPProblem

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Public-key signatures only: a shared secret would let any holder make tokens."""

LEEWAY_SECONDS = 30
KEYS_SECONDS = 600.0
"""How long a provider's keys are kept; a token of an unknown key asks for them again, this often at most:"""

KEYS_PAUSE_SECONDS = 10.0
PROVIDER_SECONDS = 5.0
RESERVED = "system:"
"""Users and groups of the cluster itself begin so: a provider's words must not make anybody one of them."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider: its tokens must be from `issuer` and for `audience`."""

    issuer: str
    audience: str
    name_claim: str = "sub"
    groups_claim: str = "groups"


class ProviderTokens:
    """Checks tokens of an OpenID provider with the keys that it publishes."""

    def __init__(self, provider: Provider, session: aiohttp.ClientSession) -> None:
        self._provider = provider
        self._session = session
        self._keys: KeySet | None = None
        self._fetched_at = float("-inf")

    async def identify(self, token: str | None) -> Caller:
        """Identify the subject of a token."""
        claims = self._check(await self._decode(required(token)))
        name = str(claims.get(self._provider.name_claim) or claims["sub"])
        if name.startswith(RESERVED):
            raise refuse(f"the name of a user may not begin with {RESERVED}")
        return Caller(
            name=name,
            uid=name_uuid(self._provider.issuer, str(claims["sub"])),
            groups=("system:authenticated", *_parse_groups(claims.get(self._provider.groups_claim))),
        )

    async def _decode(self, token: str) -> Mapping[str, Any]:
        """Decode with the known keys; once more with fresh ones where those do not fit."""
        for longest in (KEYS_SECONDS, KEYS_PAUSE_SECONDS):
            keys = await self._select_keys(longest)
            with suppress(JoseError, ValueError):
                return jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        raise refuse("the token's signature is not one of the provider's")

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
            raise refuse("the token has expired, or is not for this API") from None
        return claims

    async def _select_keys(self, longest: float) -> KeySet:
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
            raise HTTPProblem(
                503, "the OpenID provider cannot be reached, so nobody can be identified"
            ) from None

    async def _read(self, url: str) -> Any:
        limit = aiohttp.ClientTimeout(total=PROVIDER_SECONDS)
        async with self._session.get(url, timeout=limit, raise_for_status=True) as answer:
            return await answer.json(content_type=None)


def import_keys(published: Any) -> KeySet:
    """Import a provider's keys but those of kinds that are not known here, as RFC 7517 asks for."""
    found = published.get("keys") if isinstance(published, dict) else None
    keys: list[Any] = []
    for key in found if isinstance(found, list) else []:
        with suppress(JoseError, ValueError, TypeError, KeyError, AttributeError):
            keys.append(JWKRegistry.import_key(key))
    return KeySet(keys)


def _parse_groups(claim: object) -> list[str]:
    names = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return [str(name) for name in names if not str(name).startswith(RESERVED)]
