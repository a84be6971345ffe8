"""Which tokens of an OpenID provider are believed? Against a real one on loopback, with keys of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web
from joserfc import jws
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
        self.is_away = False
        self.is_asked, self.pause = asyncio.Event(), asyncio.Event()
        self.pause.set()
        self.description: dict[str, Any] = {}

    async def describe(self, _request: web.Request) -> web.Response:
        self.is_asked.set()
        await self.pause.wait()
        if self.is_away:
            return web.Response(status=502)
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | self.description)

    async def publish(self, _request: web.Request) -> web.Response:
        self.fetched += 1
        return web.json_response({"keys": self.published})

    def sign(self, key: Any = None, algorithm: str = "RS256", **changes: Any) -> str:
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": SUBJECT, "exp": int(time.time()) + 60}
        claims |= {"email": "mona@example.org"}
        chosen = key or self.key
        header = {"alg": algorithm} | ({"kid": chosen.kid} if chosen.kid else {})
        kept = {name: value for name, value in (claims | changes).items() if value is not None}
        payload = json.dumps(kept).encode()  # half of a character is written as an escape
        return jws.serialize_compact(header, payload, chosen, algorithms=[algorithm])

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
        await tokens.identify(token, is_read=True)
    return refused.value


async def test_subject_and_groups_are_the_callers(tokens: ProviderTokens, issuer: Issuer) -> None:
    token = issuer.sign(email="mona@example.org", roles=["ops", "system:masters"])
    caller = await tokens.identify(token, is_read=True)
    assert caller == Caller("mona@example.org", UUID(SUBJECT), ("system:authenticated", "ops"))


async def test_caller_ends_with_the_token(tokens: ProviderTokens, issuer: Issuer) -> None:
    end = int(time.time()) + 60
    assert (await tokens.identify(issuer.sign(exp=end), is_read=True)).expires_at == end


async def test_subject_that_is_no_uuid_becomes_one(tokens: ProviderTokens, issuer: Issuer) -> None:
    one, two = [await tokens.identify(issuer.sign(sub="mona"), is_read=True) for _ in range(2)]
    other = await tokens.identify(issuer.sign(sub="adam"), is_read=True)
    assert one.uid == two.uid == name_uuid(issuer.url, "mona") != other.uid
    assert one.name == "mona@example.org"


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
        pytest.param({"email": None}, id="no name"),
        pytest.param({"email": ["mona"]}, id="a name that is no text"),
        pytest.param({"email": "mo\ud800na"}, id="a name with half of a character"),
        pytest.param({"sub": "\udfff"}, id="a subject of half a character"),
        pytest.param({"roles": ["dev", "\ud83d"]}, id="a group of half a character"),
        pytest.param({"email": "mona\x00"}, id="a name with a NUL"),
        pytest.param({"email_verified": False}, id="an address that is not verified"),
        pytest.param({"email_verified": "true"}, id="an address of which that is not clear"),
    ],
)
async def test_claims_are_checked(tokens: ProviderTokens, issuer: Issuer, changes: dict[str, Any]) -> None:
    refused = await refuse(tokens, issuer.sign(**changes))
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="sundial"')


async def test_audience_may_be_one_of_several(tokens: ProviderTokens, issuer: Issuer) -> None:
    token = issuer.sign(aud=["another", AUDIENCE])
    assert (await tokens.identify(token, is_read=True)).uid == UUID(SUBJECT)


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


async def test_token_that_names_no_key_may_be_of_any(tokens: ProviderTokens, issuer: Issuer) -> None:
    second = RSAKey.generate_key(2048, {"kid": "second"})
    issuer.published.append(second.as_dict(private=False))
    nameless = RSAKey.import_key(second.as_pem(private=True))
    assert (await tokens.identify(issuer.sign(nameless), is_read=True)).uid == UUID(SUBJECT)


async def test_names_and_groups_get_their_prefix(issuer: Issuer) -> None:
    provider = Provider(issuer.url, AUDIENCE, "email", "roles", "oidc:", "oidc/")
    async with aiohttp.ClientSession() as session:
        token = issuer.sign(roles=["ops", "system:masters"])
        caller = await ProviderTokens(provider, session).identify(token, is_read=True)
    assert (caller.name, caller.groups) == (
        "oidc:mona@example.org",
        ("system:authenticated", "oidc/ops", "oidc/system:masters"),
    )
    assert caller.uid == UUID(SUBJECT)


async def test_old_keys_serve_while_the_provider_is_away(
    tokens: ProviderTokens, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tokens.identify(issuer.sign(), is_read=True)
    issuer.is_away = True
    monkeypatch.setattr(oidc_tokens, "KEYS_SECONDS", 0.0)
    assert (await tokens.identify(issuer.sign(), is_read=True)).uid == UUID(SUBJECT)


async def test_of_many_with_unknown_keys_one_asks_the_provider(
    tokens: ProviderTokens, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tokens.identify(issuer.sign(), is_read=True)
    monkeypatch.setattr(oidc_tokens, "KEYS_PAUSE_SECONDS", 0.05)
    await asyncio.sleep(0.1)
    strangers = [issuer.sign(RSAKey.generate_key(2048, {"kid": f"stranger {n}"})) for n in range(5)]
    await asyncio.sleep(0.1)
    await asyncio.gather(*(refuse(tokens, token) for token in strangers))
    assert issuer.fetched == 2


async def test_known_keys_serve_while_others_are_fetched(
    tokens: ProviderTokens, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tokens.identify(issuer.sign(), is_read=True)
    monkeypatch.setattr(oidc_tokens, "KEYS_PAUSE_SECONDS", 0.0)
    issuer.is_asked.clear()
    issuer.pause.clear()
    stranger = issuer.sign(RSAKey.generate_key(2048, {"kid": "stranger"}))
    waiting = asyncio.create_task(refuse(tokens, stranger))
    await issuer.is_asked.wait()
    monkeypatch.setattr(oidc_tokens, "KEYS_SECONDS", -1.0)
    assert (await tokens.identify(issuer.sign(), is_read=True)).uid == UUID(SUBJECT)
    assert not waiting.done()
    issuer.pause.set()
    assert (await waiting).status == 401


@pytest.mark.parametrize("published", [[], [{"kty": "XYZ"}]], ids=["none", "unknown"])
async def test_good_keys_stay_where_the_provider_publishes_none(
    tokens: ProviderTokens,
    issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
    published: list[dict[str, Any]],
) -> None:
    await tokens.identify(issuer.sign(), is_read=True)
    issuer.published = published
    monkeypatch.setattr(oidc_tokens, "KEYS_SECONDS", -1.0)
    assert (await tokens.identify(issuer.sign(), is_read=True)).uid == UUID(SUBJECT)


@pytest.mark.parametrize(
    "description",
    [
        pytest.param({"issuer": "https://elsewhere.example"}, id="another issuer"),
        pytest.param({"issuer": None}, id="no issuer"),
        pytest.param({"jwks_uri": 7}, id="no place"),
    ],
)
async def test_odd_description_gives_no_keys(
    tokens: ProviderTokens, issuer: Issuer, description: dict[str, Any]
) -> None:
    issuer.description = description
    assert (await refuse(tokens, issuer.sign())).status == 503


async def test_keys_are_not_taken_from_a_place_that_anybody_can_change(
    tokens: ProviderTokens, issuer: Issuer
) -> None:
    issuer.description = {"jwks_uri": issuer.url.replace("127.0.0.1", "0.0.0.0") + "/keys"}
    assert (await refuse(tokens, issuer.sign())).status == 503
    assert issuer.fetched == 0


async def test_rotated_key_is_fetched(
    tokens: ProviderTokens, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc_tokens, "KEYS_PAUSE_SECONDS", 0.0)
    old = issuer.sign()
    await tokens.identify(old, is_read=True)
    issuer.rotate()
    assert (await tokens.identify(issuer.sign(algorithm="ES256"), is_read=True)).uid == UUID(SUBJECT)
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
    assert (await tokens.identify(issuer.sign(), is_read=True)).uid == UUID(SUBJECT)


async def test_provider_that_is_away_is_503(issuer: Issuer) -> None:
    async with aiohttp.ClientSession() as session:
        away = ProviderTokens(Provider("http://127.0.0.1:1", AUDIENCE), session)
        refused = await refuse(away, issuer.sign())
    assert refused.status == 503
    assert "127.0.0.1" not in refused.detail.english


async def test_what_a_slow_provider_answers_is_for_the_requests_to_come(
    tokens: ProviderTokens, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc_tokens, "PATIENCE_SECONDS", 0.05)
    issuer.pause.clear()
    refused = [await refuse(tokens, issuer.sign()) for _ in range(2)]
    assert {(problem.status, problem.detail) for problem in refused} == {(503, oidc_tokens.AWAY)}
    issuer.pause.set()
    monkeypatch.undo()
    assert (await tokens.identify(issuer.sign(), is_read=True)).uid == UUID(SUBJECT)
    assert issuer.fetched == 1


async def test_an_unknown_key_waits_for_a_slow_provider_no_longer_than_others(
    tokens: ProviderTokens, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = issuer.sign()
    await tokens.identify(known, is_read=True)
    monkeypatch.setattr(oidc_tokens, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(oidc_tokens, "KEYS_PAUSE_SECONDS", 0.0)
    issuer.pause.clear()
    issuer.rotate()
    assert (await refuse(tokens, issuer.sign(algorithm="ES256"))).status == 503
    assert (await tokens.identify(known, is_read=True)).uid == UUID(SUBJECT)
    issuer.pause.set()
