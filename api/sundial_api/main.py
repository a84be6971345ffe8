"""Starts the API: settings, connections, the routes under one prefix, and uvicorn around it."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import aiohttp
import structlog
import uvicorn
from fastapi import APIRouter, Depends, FastAPI
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from sundial_api.actions.endpoints import router as actions
from sundial_api.addresses import find_obstacle
from sundial_api.auth.access import Access, AllowAll, SubjectAccessReviews, find_account
from sundial_api.auth.breaker import Breaker
from sundial_api.auth.cluster_tokens import ClusterTokens
from sundial_api.auth.kept_answers import REVIEW_SECONDS
from sundial_api.auth.middleware import AuthMiddleware
from sundial_api.auth.oidc_tokens import Provider, ProviderTokens
from sundial_api.auth.tokens import Anonymous, Authenticator
from sundial_api.auth.visible_namespaces import VisibleNamespaces
from sundial_api.changes.endpoints import router as change_log
from sundial_api.clients.endpoints import router as clients
from sundial_api.clock import read_clock
from sundial_api.db.engine import UnusableUrl, build_engine, parse_url
from sundial_api.db.probe import DatabaseProbe
from sundial_api.deps import Services
from sundial_api.events.endpoints import router as changes
from sundial_api.events.schemas import StreamedEvent
from sundial_api.events.service import run_events
from sundial_api.executions.endpoints import router as executions
from sundial_api.exports.endpoints import router as exports
from sundial_api.forecast.endpoints import router as forecast
from sundial_api.forecast.forecaster import Forecaster
from sundial_api.health import Stopwatch
from sundial_api.health import router as health
from sundial_api.http.conditional import ConditionalReads
from sundial_api.http.connections import ConnectionLimits, build_protocol
from sundial_api.http.errors import document_errors, install_handlers
from sundial_api.http.languages import LanguageMiddleware
from sundial_api.http.mirrored_at import MirroredAtHeader
from sundial_api.http.openapi import install_document, name_operation
from sundial_api.http.paths import PREFIX
from sundial_api.http.query_names import check_query_names
from sundial_api.http.turnstile import Timekeeper, Turnstile
from sundial_api.jobs.endpoints import router as jobs
from sundial_api.mirror.mirror import Mirror
from sundial_api.mirror.mirrored_until import MirroredUntil
from sundial_api.mirror.settings import MirrorSettings
from sundial_api.namespaces.endpoints import router as namespaces
from sundial_api.namespaces.repository import KnownNamespaces
from sundial_api.permissions import list_needed, report_missing
from sundial_api.previews.endpoints import router as previews
from sundial_api.server import ApiServer
from sundial_api.settings import ApiSettings, AuthMode
from sundial_api.signatures import SignatureProbe
from sundial_api.statistics.endpoints import router as statistics
from sundial_api.status.endpoints import router as status
from sundial_api.task_functions.endpoints import router as task_functions
from sundial_core.resources.names import build_installation
from sundial_kube.client import KubeClient
from sundial_kube.login import LoginError, load_configuration
from sundial_kube.logs import configure_logs
from sundial_kube.metrics import build_registry
from sundial_kube.settings_help import describe_settings, explain_unusable

log = structlog.get_logger()

ROUTERS = (
    *(clients, task_functions, previews, jobs, statistics, exports, executions),
    *(namespaces, actions, change_log, status, forecast, changes),
)
ANSWERED_SECONDS = 5
"""How long the connection of a request whose body was too slow stays, for the answer that says so."""

STOP_SECONDS = 5
"""How long a stop waits for requests; streams of events are ended at once."""


def build_application(settings: ApiSettings) -> FastAPI:
    """Build the ASGI application; it connects when it starts."""

    registry = build_registry()

    @asynccontextmanager
    async def live(application: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as exits:
            application.state.services = await _assemble(settings, registry, exits)
            application.state.events = await exits.enter_async_context(run_events(application.state.services))
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
    application.state.forecaster = Forecaster()
    application.add_middleware(ConditionalReads)
    application.add_middleware(Turnstile, most=settings.requests_at_work, registry=registry)
    application.add_middleware(
        AuthMiddleware,
        find_authenticator=lambda: application.state.services.authenticator,
        body_seconds=settings.body_seconds,
    )
    application.add_middleware(Timekeeper)
    application.add_middleware(Stopwatch, registry=registry)
    application.add_middleware(
        MirroredAtHeader, find_instant=lambda: application.state.services.mirrored.instant
    )
    application.add_middleware(LanguageMiddleware, prefix=PREFIX)
    install_handlers(application)
    application.include_router(health)
    routes = APIRouter(
        prefix=PREFIX,
        responses=document_errors(401, 403, 408, 422, 503),
        dependencies=[Depends(check_query_names)],
    )
    for router in ROUTERS:
        routes.include_router(router)
    application.include_router(routes)
    install_document(application, StreamedEvent)
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
    breaker = Breaker()
    authenticator = await _build_authenticator(settings, reviews, breaker, exits)
    visible = VisibleNamespaces(KnownNamespaces(engine).list, find_account=find_account)
    exits.push_async_callback(visible.close)
    access: Access = AllowAll()
    if settings.auth is not AuthMode.NONE:
        access = SubjectAccessReviews(reviews, visible, breaker)
    scope = MirrorSettings().scope
    needed = list_needed(
        scope.installation_ns, scope.release, scope.watched, settings.auth, reads_logs=settings.logs
    )
    exits.push_async_callback(_cancel, asyncio.create_task(report_missing(client, needed)))
    mirror = Mirror(engine, client, scope, settings, registry)
    mirror.start()
    exits.push_async_callback(mirror.stop)
    mirrored = MirroredUntil(engine)
    exits.push_async_callback(_cancel, asyncio.create_task(mirrored.run(), name="mirrored until"))
    installation = build_installation(scope.installation_ns, scope.release)
    probed_ns = scope.watched[0] if scope.watched else scope.installation_ns
    signatures = SignatureProbe(client, probed_ns, installation, scope.watched)
    exits.push_async_callback(_cancel, asyncio.create_task(signatures.run(), name="signatures"))
    return Services(
        settings=settings,
        engine=engine,
        database=database,
        client=client,
        authenticator=authenticator,
        access=access,
        mirror=mirror,
        mirrored=mirrored,
        signatures=signatures,
        registry=registry,
        read_clock=read_clock,
    )


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _build_authenticator(
    settings: ApiSettings, client: KubeClient, breaker: Breaker, exits: AsyncExitStack
) -> Authenticator:
    if settings.auth is AuthMode.NONE:
        return Anonymous()
    if settings.auth is AuthMode.KUBERNETES:
        return ClusterTokens(client, settings.token_audience, breaker)
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


def read_limits(settings: ApiSettings) -> ConnectionLimits:
    """Read how many clients may be connected, and how long each is waited for."""
    return ConnectionLimits(
        most=settings.connections,
        head_seconds=settings.head_seconds,
        body_seconds=settings.body_seconds + ANSWERED_SECONDS,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the API as a command."""
    parser = argparse.ArgumentParser(
        prog="sundial-api",
        description="Serve the scheduler's REST API. Logs in by KUBECONFIG, else as its Pod.",
        epilog=describe_settings(ApiSettings, MirrorSettings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
    for kind in (ApiSettings, MirrorSettings):
        try:
            kind()
        except ValidationError as error:
            sys.exit(f"sundial-api: {explain_unusable(kind, error)}")
    settings = ApiSettings()
    configure_logs(settings.log_format)
    if obstacle := find_obstacle(settings.host, settings.port):
        sys.exit(f"sundial-api: {obstacle}")
    try:
        parse_url(settings.database_url.get_secret_value())
        asyncio.run(load_configuration())
    except (UnusableUrl, LoginError) as error:
        sys.exit(f"sundial-api: {error}")
    application = build_application(settings)
    config = uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        # uvicorn believes everybody on loopback else, and a port-forward comes from there
        forwarded_allow_ips=os.environ.get("FORWARDED_ALLOW_IPS", ""),
        http=build_protocol(read_limits(settings)),
        ws="none",
    )
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the server takes it, and sends it on once it has stopped
    ApiServer(config, partial(_end_streams, application)).run()


def _end_streams(application: FastAPI) -> None:
    application.state.events.changes.end()
