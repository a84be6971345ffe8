"""Who is the caller? By mode: nobody is asked (loopback only), or a token of a provider or the cluster."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sundial_api.http.errors import HTTPProblem
from sundial_clock.sentences import Sentence, say


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the name and groups that the cluster's roles speak of, and a UUID for the records."""

    name: str
    uid: uuid.UUID
    groups: tuple[str, ...] = ()
    cluster_uid: str = ""
    extra: Mapping[str, list[str]] = field(default_factory=dict)
    expires_at: float | None = field(default=None, compare=False)
    """When the token ends that the caller came with, in Unix seconds; it is no part of who the caller is."""


class Authenticator(Protocol):
    """Tells who is behind a token."""

    async def identify(self, token: str | None, /, *, is_read: bool) -> Caller:
        """Identify a caller; raises Problem 401 where that fails, 503 where it cannot be found out.

        `is_read`: for a request that changes nothing, what was known before is enough in an outage.
        """


class Anonymous:
    """Takes everybody for one local user; only for an API that listens on loopback."""

    async def identify(self, _token: str | None, *, is_read: bool) -> Caller:  # noqa: ARG002 - as all do
        """Identify everybody."""
        return Caller("local", uuid.uuid5(uuid.NAMESPACE_DNS, "local.sundial.dev"))


SERVICE_ACCOUNT = "system:serviceaccount:"


def name_account(name: str) -> str:
    """Name whose share of a limit a caller uses up, whatever its token: of a service account its namespace's.

    Whoever may make service accounts in a namespace, or tokens of one, makes as many as it likes.
    """
    return name.rpartition(":")[0] if name.startswith(SERVICE_ACCOUNT) else name


def name_uuid(issuer: str, subject: str) -> uuid.UUID:
    """Find the UUID of a user: the subject when it is one, else one made of issuer and subject."""
    try:
        return uuid.UUID(subject)
    except ValueError:
        return uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, issuer), subject)


def parse_token(header: str | None) -> str | None:
    """Read the token from an Authorization header."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def required(token: str | None) -> str:
    """Give the token; raises Problem 401 where there is none."""
    if token is None:
        raise refuse(say("a token is needed: Authorization: Bearer ..."))
    return token


def refuse(detail: Sentence) -> HTTPProblem:
    """Build the 401 that says what is wrong with a token."""
    return HTTPProblem(401, detail, WWW_Authenticate='Bearer realm="sundial"')
