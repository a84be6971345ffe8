"""Tokens of an OpenID Connect provider, checked with its keys."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from sundial_api.auth.tokens import Caller, name_uuid, refuse, required
from sundial_api.http.errors import RETRY_SECONDS, HTTPProblem
from sundial_api.settings import is_confidential
from sundial_clock.sentences import say
from sundial_kube.deadline import compute_remaining

log = structlog.get_logger()

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Public-key signatures only: a shared secret would let any holder make tokens."""

LEEWAY_SECONDS = 30
KEYS_SECONDS = 600.0
"""How long a provider's keys are kept; a token of an unknown key asks for them again, this often at most:"""

KEYS_PAUSE_SECONDS = 10.0
PROVIDER_SECONDS = 5.0
PATIENCE_SECONDS = 3.0
"""How long a request waits for the provider; what it answers later is for the requests to come."""

AWAY = say("the OpenID provider cannot be reached, so nobody can be identified")
EMAIL = "email"
RESERVED = "system:"
"""Users and groups of the cluster itself begin so: a provider's words must not make anybody one of them."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider: its tokens must be from `issuer` and for `audience`.

    Names and groups get a prefix, as those of the API server's own `--oidc-username-prefix` do.
    """

    issuer: str
    audience: str
    name_claim: str = "sub"
    groups_claim: str = "groups"
    name_prefix: str = ""
    groups_prefix: str = ""


class ProviderTokens:
    """Checks tokens of an OpenID provider with the keys that it publishes."""

    def __init__(self, provider: Provider, session: aiohttp.ClientSession) -> None:
        self._provider = provider
        self._session = session
        self._keys: tuple[Key, ...] = ()
        self._asked_at, self._is_away = float("-inf"), False
        self._fetching: asyncio.Task[None] | None = None

    async def identify(self, token: str | None, *, is_read: bool) -> Caller:  # noqa: ARG002 - as all do
        """Identify the subject of a token; raises Problem 401, and 503 where no keys are known."""
        claims = self._check(await self._decode(required(token)))
        name, groups, subject = self._read_name(claims), self._list_groups(claims), str(claims["sub"])
        if not all(map(is_writable, (name, subject, *groups))):
            raise refuse(say("a name in the token is no text: it has a NUL, or half of a character"))
        return Caller(
            name=name,
            uid=name_uuid(self._provider.issuer, subject),
            groups=("system:authenticated", *groups),
            expires_at=claims["exp"],
        )

    def _read_name(self, claims: Mapping[str, Any]) -> str:
        claim = self._provider.name_claim
        said = claims.get(claim)
        if not isinstance(said, str) or not said:
            raise refuse(say("the token does not name its user: it has no claim {claim}", claim=claim))
        if claim == EMAIL and claims.get("email_verified", True) is not True:
            raise refuse(say("the provider has not verified the user's email address"))
        name = self._provider.name_prefix + said
        if name.startswith(RESERVED):
            raise refuse(say("the name of a user may not begin with {prefix}", prefix=RESERVED))
        return name

    def _list_groups(self, claims: Mapping[str, Any]) -> list[str]:
        claim = claims.get(self._provider.groups_claim)
        said = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
        names = [self._provider.groups_prefix + str(name) for name in said]
        return [name for name in names if not name.startswith(RESERVED)]

    async def _decode(self, token: str) -> Mapping[str, Any]:
        """Decode with the known keys; once more with fresh ones where none of those fits."""
        for longest in (KEYS_SECONDS, KEYS_PAUSE_SECONDS):
            for key in choose_keys(token, await self._select_keys(longest)):
                with suppress(JoseError, ValueError, TypeError):
                    return jwt.decode(token, key, algorithms=ALGORITHMS).claims
        if self._is_away:
            raise HTTPProblem(503, AWAY, Retry_After=RETRY_SECONDS)
        raise refuse(say("the token's signature is not one of the provider's"))

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
            raise refuse(say("the token has expired, or is not for this API")) from None
        return claims

    async def _select_keys(self, longest: float) -> tuple[Key, ...]:
        """Give the keys, fetched at most `longest` seconds ago; old ones while the provider is away.

        Of many who need fresh ones at once, one fetches. Who may have old ones does not wait for that.
        """
        may_be_old = bool(self._keys) and longest == KEYS_SECONDS
        is_fetching = self._fetching is not None and not self._fetching.done()
        if self._is_young(longest) or (may_be_old and is_fetching):
            return self._known()
        if self._fetching is None or not is_fetching:
            self._fetching = asyncio.create_task(self._ask(), name="keys of the provider")
        done, _ = await asyncio.wait({self._fetching}, timeout=min(PATIENCE_SECONDS, compute_remaining()))
        for fetched in done:
            fetched.result()
        self._is_away = self._is_away or not done
        return self._known()

    def _is_young(self, longest: float) -> bool:
        limit = min(longest, KEYS_PAUSE_SECONDS) if self._is_away else longest
        return time.monotonic() - self._asked_at <= limit

    def _known(self) -> tuple[Key, ...]:
        if self._is_away and not self._keys:
            raise HTTPProblem(503, AWAY, Retry_After=RETRY_SECONDS)
        return self._keys

    async def _ask(self) -> None:
        try:
            self._keys, self._is_away = await self._fetch_keys(), False
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            self._is_away = True
            log.warning("the OpenID provider gave no keys", error=f"{type(error).__name__}: {error}")
        self._asked_at = time.monotonic()

    async def _fetch_keys(self) -> tuple[Key, ...]:
        """Fetch the keys from where the provider's own description says they are."""
        issuer = self._provider.issuer.rstrip("/")
        found = await self._read(f"{issuer}/.well-known/openid-configuration")
        if not isinstance(found, dict) or str(found.get("issuer")).rstrip("/") != issuer:
            raise ValueError("its description is of another issuer")
        place = found.get("jwks_uri")
        if not isinstance(place, str) or not is_confidential(place):
            raise ValueError("its description names no jwks_uri that begins with https://")
        keys = import_keys(await self._read(place))
        if not keys:
            raise ValueError("it publishes no key that can be used")
        return keys

    async def _read(self, url: str) -> Any:
        limit = aiohttp.ClientTimeout(total=PROVIDER_SECONDS)
        async with self._session.get(
            url, timeout=limit, raise_for_status=True, allow_redirects=False
        ) as answer:
            if answer.status != HTTPStatus.OK:
                raise ValueError(f"it answered {answer.status}")
            return await answer.json(content_type=None)


def is_writable(text: str) -> bool:
    """Tell whether a text can be sent and stored."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def choose_keys(token: str, keys: tuple[Key, ...]) -> list[Key]:
    """Choose the keys that may have signed a token: the one that it names, or any where it names none."""
    try:
        part = token.split(".", maxsplit=1)[0]
        header = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        kid = header.get("kid")
    except (ValueError, AttributeError):
        return []
    return [key for key in keys if kid is None or key.kid in (None, kid)]


def import_keys(published: Any) -> tuple[Key, ...]:
    """Import a provider's keys but those of kinds that are not known here, as RFC 7517 asks for."""
    found = published.get("keys") if isinstance(published, dict) else None
    keys: list[Key] = []
    for key in found if isinstance(found, list) else []:
        with suppress(JoseError, ValueError, TypeError, KeyError, AttributeError):
            keys.append(JWKRegistry.import_key(key))
    return tuple(keys)
