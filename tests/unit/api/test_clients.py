"""What does a client learn before sign-in? Nothing secret. After it? Who they are and what they may do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from testkit.api_apps import build_services, open_client, serve_reads

from sundial_api.auth import kept_answers
from sundial_api.auth.access import SubjectAccessReviews
from sundial_api.auth.cluster_tokens import ClusterTokens
from sundial_api.clients.endpoints import describe_settings
from sundial_api.http.paths import PREFIX
from sundial_api.main import build_application
from sundial_api.settings import ApiSettings
from sundial_kube.errors import ApiError, ApiUnreachable

AWAY = "postgresql://sundial:hidden@127.0.0.1:1/sundial"
OPEN = {("GET", path) for path in ("/livez", "/readyz", "/metrics", "/api/v1/scheduler/settings")}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
OIDC = {
    "auth": "oidc",
    "oidc_issuer": "https://sso.example.org",
    "oidc_audience": "hidden-audience",
    "oidc_client_id": "sundial-console",
}
RIGHTS = {
    "scheduledJobs": dict.fromkeys(("list", "get", "create", "patch", "delete"), True),
    "scheduledJobRuns": {"create": True},
    "taskFunctions": {"list": True},
}


class Reviews:
    """Permits reading, and notes what it was asked and how much of it at once."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.under_way = self.most = 0
        self.error: Exception | None = None

    async def review(self, _resource: object, spec: dict[str, Any]) -> dict[str, Any]:
        wanted = spec["resourceAttributes"]
        self.asked.append((wanted["namespace"], wanted["verb"], wanted["resource"]))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if self.error is not None:
            raise self.error
        return {"allowed": wanted["verb"] in ("get", "list")}


@pytest.fixture
def reviews() -> Reviews:
    return Reviews()


async def ask(path: str, reviews: Reviews | None = None) -> Any:
    client: Any = reviews
    how = {"access": SubjectAccessReviews(client)} if reviews else {}
    async with serve_reads(AWAY, **how) as api:
        return await api.get(path)


async def test_settings_need_no_token_and_no_database() -> None:
    answer = await ask("/settings")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    version = answer.json().pop("version")
    assert version[:1].isdigit()
    assert answer.json() == {
        "auth": "none",
        "oidcIssuer": None,
        "oidcClientId": None,
        "timeZone": "Africa/Cairo",
        "links": {"logs": None, "docs": None},
        "version": version,
    }


def test_settings_of_a_provider_name_it_and_the_client() -> None:
    links = {"logs_link": "https://logs.example.org/?job={name}", "docs_link": "https://docs.example.org"}
    shown = describe_settings(ApiSettings(database_url=AWAY, **OIDC, **links))
    assert (shown.oidc_issuer, shown.oidc_client_id) == ("https://sso.example.org", "sundial-console")
    assert shown.links.model_dump() == {"logs": links["logs_link"], "docs": links["docs_link"]}
    assert "hidden" not in shown.model_dump_json()


def test_a_provider_that_is_not_in_use_is_not_named() -> None:
    settings = ApiSettings(database_url=AWAY, **(OIDC | {"auth": "kubernetes"}))
    shown = describe_settings(settings)
    assert (shown.auth, shown.oidc_issuer, shown.oidc_client_id) == ("kubernetes", None, None)


def list_paths(application: FastAPI) -> set[str]:
    """List every path that there is, shown in the document or not."""
    paths = [str(context.path) for context in iter_route_contexts(application.routes)]
    assert len(paths) > len(application.openapi()["paths"])
    return {path.replace("{", "").replace("}", "") for path in paths}


def test_what_needs_no_token_is_not_documented_to_refuse_one() -> None:
    """Who reads the settings is not asked who they are: 401 and 403 are answers of all else."""
    application = build_application(ApiSettings(database_url=AWAY, auth="none"))
    named = {
        (path.removeprefix(PREFIX), method): {"401", "403"} & set(operation["responses"])
        for path, methods in application.openapi()["paths"].items()
        for method, operation in methods.items()
    }
    assert [key for key, refusals in named.items() if not refusals] == [("/settings", "get")]
    assert all(refusals == {"401", "403"} for key, refusals in named.items() if key != ("/settings", "get"))


async def test_nothing_but_probes_and_settings_is_open() -> None:
    nobody: Any = None
    gate = {"authenticator": ClusterTokens(nobody)}
    async with build_services(AWAY, **gate) as application, open_client(application) as api:
        paths = list_paths(application)
        paths |= {path + odd for _, path in OPEN for odd in ("/", "/x", "%2f", ".", ";a", "%00")}
        asked = [(method, path) for path in paths for method in METHODS]
        answers = {one: await api.request(one[0], f"http://api{one[1]}") for one in asked}
    passed = {one for one, answer in answers.items() if answer.status_code != 401}
    probes = {(method, path) for method in METHODS for path in ("/livez", "/readyz", "/metrics")}
    assert passed == OPEN | probes


async def test_caller_is_told_with_all_rights_where_nobody_is_told_apart() -> None:
    answer = (await ask("/me?namespace=team")).json()
    assert (answer["name"], answer["groups"]) == ("local", [])
    assert answer["rights"] == [{"namespace": None} | RIGHTS, {"namespace": "team"} | RIGHTS]


async def test_rights_are_asked_for_in_a_namespace_and_in_all(reviews: Reviews) -> None:
    everywhere, inside = (await ask("/me?namespace=team", reviews)).json()["rights"]
    reader = {"list": True, "get": True, "create": False, "patch": False, "delete": False}
    assert everywhere["scheduledJobs"] == inside["scheduledJobs"] == reader
    assert (inside["scheduledJobRuns"], inside["taskFunctions"]) == ({"create": False}, {"list": True})
    assert (len(set(reviews.asked)), len(reviews.asked)) == (14, 14)
    assert {ns for ns, _, _ in reviews.asked} == {"", "team"}
    assert reviews.most <= 7


async def test_rights_are_asked_for_once_in_a_while(reviews: Reviews) -> None:
    client: Any = reviews
    async with serve_reads(AWAY, access=SubjectAccessReviews(client)) as api:
        answers = [(await api.get("/me")).json() for _ in range(3)]
    assert (len(reviews.asked), answers[0]) == (7, answers[2])


async def test_rights_are_unknown_while_the_cluster_is_away(
    reviews: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = reviews
    async with serve_reads(AWAY, access=SubjectAccessReviews(client)) as api:
        await api.get("/me")
        monkeypatch.setattr(kept_answers, "FRESH_SECONDS", 0.0)
        reviews.error = ApiUnreachable("no answer")
        answer = await api.get("/me")
    assert answer.status_code == 200
    jobs = answer.json()["rights"][0]["scheduledJobs"]
    assert jobs == {"list": True, "get": True, "create": None, "patch": None, "delete": None}


async def test_an_api_that_may_not_ask_is_not_hidden(reviews: Reviews) -> None:
    reviews.error = ApiError(403, "Forbidden", "subjectaccessreviews is forbidden")
    assert (await ask("/me", reviews)).status_code == 503


async def test_a_namespace_that_is_no_name_is_422(reviews: Reviews) -> None:
    answer = await ask("/me?namespace=Team%00", reviews)
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", "namespace"])
    assert reviews.asked == []
