"""Which tokens of an OpenID provider are believed? Against a real one on loopback, with keys of its own."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from sundial_api.auth import oidc_tokens
from sundial_api.auth.oidc_tokens import Provider, ProviderTokens
from sundial_api.auth.tokens import Caller, name_uuid
from sundial_api.http.errors import HTTPProblem

AUDIENCE = "sundial"
SUBJECT = "0b8f4e0e-5d0c-4c8e-9a26-7d3b6f6f5a01"


class Issuer:
    """A provider that publishes keys and signs tokens."""

    def __init__(self) -> None:
        self.url = ""
        self.key: Any = RSAKey.generate_key(2048, {"kid": "first"})
        self.published: list[dict[str, Any]] = [self.key.as_dict(private=False)]
        self.fetched = 0

    async def describe(self, _request: web.Request) -> web.Response:
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})

    async def publish(self, _request: web.Request) -> web.Response:
        self.fetched += 1
        return web.json_response({"keys": self.published})

    def sign(self, key: Any = None, algorithm: str = "RS256", **changes: Any) -> str:
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": SUBJECT, "exp": int(time.time()) + 60}
        chosen = key or self.key
        header = {"alg": algorithm} | ({"kid": chosen.kid} if chosen.kid else {})
        kept = {name: value for name, value in (claims | changes).items() if value is not None}
        return jwt.encode(header, kept, chosen, algorithms=[algorithm])

    def rotate(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "second"})
        self.published = [self.key.as_dict(private=False)]


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    one = Issuer()
    application = web.Application()
    application.router.add_get("/.well-known/openid-configuration", one.describe)
    application.router.add_get("/keys", one.publish)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield one
    await runner.cleanup()


@pytest.fixture
async def tokens(issuer: Issuer) -> AsyncIterator[ProviderTokens]:
    async with aiohttp.ClientSession() as session:
        yield ProviderTokens(Provider(issuer.url, AUDIENCE, "email", "roles"), session)


async def refuse(tokens: ProviderTokens, token: str | None) -> HTTPProblem:
    with pytest.raises(HTTPProblem) as refused:
        await tokens.identify(token)
    return refused.value


async def test_subject_and_groups_are_the_callers(tokens: ProviderTokens, issuer: Issuer) -> None:
    caller = await tokens.identify(issuer.sign(email="mona@example.org", roles=["ops", "system:masters"]))
    assert caller == Caller("mona@example.org", UUID(SUBJECT), ("system:authenticated", "ops"))


async def test_subject_that_is_no_uuid_becomes_one(tokens: ProviderTokens, issuer: Issuer) -> None:
    one, two = [await tokens.identify(issuer.sign(sub="mona")) for _ in range(2)]
    other = await tokens.identify(issuer.sign(sub="adam"))
    assert one.uid == two.uid == name_uuid(issuer.url, "mona") != other.uid
    assert one.name == "mona"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"exp": int(time.time()) - 120}, id="expired"),
        pytest.param({"exp": None}, id="never expires"),
        pytest.param({"aud": "another"}, id="wrong audience"),
        pytest.param({"aud": None}, id="no audience"),
        pytest.param({"iss": "https://elsewhere.example"}, id="wrong issuer"),
        pytest.param({"nbf": int(time.time()) + 600}, id="not yet valid"),
        pytest.param({"sub": None}, id="no subject"),
        pytest.param({"email": "system:admin"}, id="a name of the cluster's own"),
        pytest.param({"sub": "system:kube-scheduler"}, id="a subject of the cluster's own"),
    ],
)
async def test_claims_are_checked(tokens: ProviderTokens, issuer: Issuer, changes: dict[str, Any]) -> None:
    refused = await refuse(tokens, issuer.sign(**changes))
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="sundial"')


async def test_audience_may_be_one_of_several(tokens: ProviderTokens, issuer: Issuer) -> None:
    assert (await tokens.identify(issuer.sign(aud=["another", AUDIENCE]))).uid == UUID(SUBJECT)


@pytest.mark.parametrize("token", [None, "", "nonsense", "a.b.c"], ids=repr)
async def test_what_is_no_signed_token_is_refused(tokens: ProviderTokens, token: str | None) -> None:
    assert (await refuse(tokens, token)).status == 401


async def test_token_without_a_signature_is_refused(tokens: ProviderTokens, issuer: Issuer) -> None:
    claims = issuer.sign().split(".")[1]
    for algorithm in ("none", "None"):
        header = base64.urlsafe_b64encode(f'{{"alg":"{algorithm}","kid":"first"}}'.encode()).decode()
        assert (await refuse(tokens, f"{header.rstrip('=')}.{claims}.")).status == 401


async def test_key_that_was_not_published_is_refused(tokens: ProviderTokens, issuer: Issuer) -> None:
    for kid in ("first", "stranger"):
        stranger = RSAKey.generate_key(2048, {"kid": kid})
        assert (await refuse(tokens, issuer.sign(stranger))).status == 401


async def test_shared_secret_made_of_the_public_key_is_refused(
    tokens: ProviderTokens, issuer: Issuer
) -> None:
    secret = OctKey.import_key(issuer.key.as_pem(private=False).hex(), {"kid": "first"})
    assert (await refuse(tokens, issuer.sign(secret, "HS256"))).status == 401


async def test_published_secret_is_refused(tokens: ProviderTokens, issuer: Issuer) -> None:
    secret = OctKey.import_key("a secret that everybody can read now", {"kid": "shared"})
    issuer.published.append(secret.as_dict())
    assert (await refuse(tokens, issuer.sign(secret, "HS256"))).status == 401


async def test_rotated_key_is_fetched(
    tokens: ProviderTokens, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc_tokens, "KEYS_PAUSE_SECONDS", 0.0)
    old = issuer.sign()
    await tokens.identify(old)
    issuer.rotate()
    assert (await tokens.identify(issuer.sign(algorithm="ES256"))).uid == UUID(SUBJECT)
    assert (await refuse(tokens, old)).status == 401


async def test_unknown_keys_do_not_make_the_provider_be_asked_again_and_again(
    tokens: ProviderTokens, issuer: Issuer
) -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "stranger"})
    for _ in range(5):
        await refuse(tokens, issuer.sign(stranger))
    assert issuer.fetched == 1


async def test_keys_of_unknown_kinds_are_passed_over(tokens: ProviderTokens, issuer: Issuer) -> None:
    issuer.published += [{"kty": "XYZ", "kid": "new"}, {"kid": "broken"}]
    assert (await tokens.identify(issuer.sign())).uid == UUID(SUBJECT)


async def test_provider_that_is_away_is_503(issuer: Issuer) -> None:
    async with aiohttp.ClientSession() as session:
        away = ProviderTokens(Provider("http://127.0.0.1:1", AUDIENCE), session)
        refused = await refuse(away, issuer.sign())
    assert refused.status == 503
    assert "127.0.0.1" not in refused.detail
