"""Starts the API: settings, connections, the routes under one prefix, and uvicorn around it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import structlog
import uvicorn
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from sundial_api.auth.access import Access, AllowAll, SubjectAccessReviews
from sundial_api.auth.cluster_tokens import ClusterTokens
from sundial_api.auth.kept_answers import REVIEW_SECONDS
from sundial_api.auth.middleware import AuthMiddleware
from sundial_api.auth.oidc_tokens import Provider, ProviderTokens
from sundial_api.auth.tokens import Anonymous, Authenticator
from sundial_api.clock import read_clock
from sundial_api.db.engine import UnusableUrl, build_engine, parse_url
from sundial_api.db.probe import DatabaseProbe
from sundial_api.deps import Services
from sundial_api.events.endpoints import router as changes
from sundial_api.events.latest import Newest
from sundial_api.executions.endpoints import router as executions
from sundial_api.health import Stopwatch
from sundial_api.health import router as health
from sundial_api.http.errors import document_errors, install_handlers
from sundial_api.http.openapi import install_document, name_operation
from sundial_api.jobs.endpoints import previews
from sundial_api.jobs.endpoints import router as jobs
from sundial_api.mirror.mirror import Mirror
from sundial_api.mirror.settings import MirrorSettings
from sundial_api.permissions import list_needed, report_missing
from sundial_api.settings import ApiSettings, AuthMode
from sundial_api.signatures import SignatureProbe
from sundial_api.status.endpoints import router as status
from sundial_api.task_functions.endpoints import router as task_functions
from sundial_core.resources.names import build_installation
from sundial_kube.client import KubeClient
from sundial_kube.login import LoginError, load_configuration
from sundial_kube.logs import configure_logs
from sundial_kube.settings_help import describe_settings, explain_unusable

log = structlog.get_logger()

PREFIX = "/api/v1/scheduler"
STOP_SECONDS = 5
"""How long a stop waits for requests: those that stream events do not end by themselves."""


def build_application(settings: ApiSettings) -> FastAPI:
    """Build the ASGI application; it connects when it starts."""

    registry = CollectorRegistry()

    @asynccontextmanager
    async def live(application: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as exits:
            application.state.services = await _assemble(settings, registry, exits)
            yield

    application = FastAPI(
        title="Sundial",
        description="Jobs on a schedule in Kubernetes: the API of the frontend.",
        lifespan=live,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
        generate_unique_id_function=name_operation,
    )
    application.state.registry = registry
    application.add_middleware(
        AuthMiddleware, find_authenticator=lambda: application.state.services.authenticator
    )
    application.add_middleware(Stopwatch, registry=registry)
    install_handlers(application)
    application.include_router(health)
    routes = APIRouter(prefix=PREFIX, responses=document_errors(401, 403, 422, 503))
    for router in (task_functions, previews, jobs, executions, status, changes):
        routes.include_router(router)
    application.include_router(routes)
    install_document(application)
    return application


async def _assemble(settings: ApiSettings, registry: CollectorRegistry, exits: AsyncExitStack) -> Services:
    """Connect, and begin to mirror; everything ends in the opposite order."""
    engine = build_engine(settings)
    exits.push_async_callback(engine.dispose)
    database = DatabaseProbe(build_engine(settings, connections=1))
    exits.push_async_callback(database.close)
    configuration = await load_configuration()
    client = await exits.enter_async_context(KubeClient(configuration, user_agent="sundial-api"))
    reviews = await exits.enter_async_context(
        KubeClient(configuration, user_agent="sundial-api", request_seconds=REVIEW_SECONDS)
    )
    authenticator = await _build_authenticator(settings, reviews, exits)
    access: Access = AllowAll() if settings.auth is AuthMode.NONE else SubjectAccessReviews(reviews)
    scope = MirrorSettings().scope
    needed = list_needed(scope.installation_ns, scope.watched_ns or None, settings.auth)
    exits.push_async_callback(_cancel, asyncio.create_task(report_missing(client, needed)))
    mirror = Mirror(engine, client, scope, settings, registry)
    mirror.start()
    exits.push_async_callback(mirror.stop)
    newest = Newest(engine)
    exits.push_async_callback(_cancel, asyncio.create_task(newest.run(), name="newest change"))
    installation = build_installation(scope.installation_ns, scope.release)
    signatures = SignatureProbe(client, scope.watched_ns or scope.installation_ns, installation)
    exits.push_async_callback(_cancel, asyncio.create_task(signatures.run(), name="signatures"))
    return Services(
        settings=settings,
        engine=engine,
        database=database,
        client=client,
        authenticator=authenticator,
        access=access,
        mirror=mirror,
        newest=newest,
        signatures=signatures,
        registry=registry,
        read_clock=read_clock,
    )


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _build_authenticator(
    settings: ApiSettings, client: KubeClient, exits: AsyncExitStack
) -> Authenticator:
    if settings.auth is AuthMode.NONE:
        return Anonymous()
    if settings.auth is AuthMode.KUBERNETES:
        return ClusterTokens(client, settings.token_audience)
    session = await exits.enter_async_context(aiohttp.ClientSession())
    provider = Provider(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        name_claim=settings.oidc_name_claim,
        groups_claim=settings.oidc_groups_claim,
        name_prefix=settings.oidc_name_prefix,
        groups_prefix=settings.oidc_groups_prefix,
    )
    if not (settings.oidc_name_prefix and settings.oidc_groups_prefix):
        log.info(
            "the provider's names are used as they are: a user or group of the same name in the cluster has"
            " the same rights; to tell them apart, set SUNDIAL_API_OIDC_NAME_PREFIX and _OIDC_GROUPS_PREFIX,"
            " and name them so in role bindings"
        )
    return ProviderTokens(provider, session)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the API as a command."""
    parser = argparse.ArgumentParser(
        prog="sundial-api",
        description="Serve the scheduler's REST API. Logs in by KUBECONFIG, else as its Pod.",
        epilog=describe_settings(ApiSettings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
    try:
        settings = ApiSettings()
    except ValidationError as error:
        sys.exit(f"sundial-api: {explain_unusable(ApiSettings, error)}")
    configure_logs(settings.log_format)
    try:
        parse_url(settings.database_url.get_secret_value())
        asyncio.run(load_configuration())
    except (UnusableUrl, LoginError) as error:
        sys.exit(f"sundial-api: {error}")
    uvicorn.run(
        build_application(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
