"""The API on a real database, with or without a cluster: for tests of what it reads and writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from kubernetes.aio import client, config

from sundial_api.auth.access import AllowAll
from sundial_api.auth.tokens import Anonymous
from sundial_api.clock import read_clock
from sundial_api.db.engine import build_engine
from sundial_api.db.probe import DatabaseProbe
from sundial_api.deps import Services
from sundial_api.events.service import run_events
from sundial_api.main import PREFIX, build_application
from sundial_api.mirror.mirrored_until import MirroredUntil
from sundial_api.settings import ApiSettings
from sundial_devcluster.cluster import Cluster
from sundial_kube.client import KubeClient


class NoMirror:
    """Stands by for ever."""

    state = "standing by"


class NoPolicy:
    """Has never seen the policy work."""

    authorship = "claimed"


@asynccontextmanager
async def build_services(database: str, **how: Any) -> AsyncIterator[FastAPI]:
    """Give an application that needs no start; `how` replaces parts of it, such as the authenticator.

    `settings` of it are those that differ.
    """
    limits = how.pop("settings", {})
    settings = ApiSettings(database_url=database, auth="none", time_zone="Africa/Cairo", **limits)
    application = build_application(settings)
    engine = build_engine(settings)
    database = DatabaseProbe(build_engine(settings, connections=1))
    mirrored = how.setdefault("mirrored", MirroredUntil(engine))
    services: dict[str, Any] = {
        "database": database,
        "client": None,
        "authenticator": Anonymous(),
        "access": AllowAll(),
        "mirror": NoMirror(),
        "signatures": NoPolicy(),
        "registry": application.state.registry,
        "read_clock": read_clock,
    }
    application.state.services = Services(settings, engine, **(services | how))
    looking = asyncio.create_task(mirrored.run())
    async with run_events(application.state.services) as application.state.events:
        yield application
    looking.cancel()
    await asyncio.wait([looking])
    await database.close()
    await engine.dispose()


@asynccontextmanager
async def serve_reads(database: str, **how: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of an API without a cluster."""
    async with build_services(database, **how) as application, open_client(application) as caller:
        yield caller


def open_client(application: FastAPI) -> httpx.AsyncClient:
    """Give a client of an application in this process; what it fails with is an answer."""
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=f"http://api{PREFIX}")


@asynccontextmanager
async def serve(cluster: Cluster, database: str, **how: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of an API on a cluster."""
    configuration = client.Configuration()
    await config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    async with (
        KubeClient(configuration, user_agent="sundial-api") as kube,
        serve_reads(database, **({"client": kube} | how)) as caller,
    ):
        yield caller
