"""Is the API alive and ready, and what has it counted? For probes and Prometheus; open to everybody."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sundial_api.db.probe import AWAY
from sundial_api.deps import read_services

DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNKNOWN = "unknown"

router = APIRouter(include_in_schema=False)


@router.get("/livez")
async def tell_alive() -> PlainTextResponse:
    """Tell that the process answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
async def tell_ready(request: Request) -> JSONResponse:
    """Tell whether requests can be answered: reads need the database and its tables only.

    A database that goes away later makes nobody unready: all would be at once, and callers would be refused
    a connection where they are told what is away.
    """
    services = read_services(request)
    problem = await services.database.find_problem()
    if problem is not None and not (problem == AWAY and services.database.has_answered):
        return JSONResponse({"database": problem}, 503)
    return JSONResponse({"database": problem or "ok", "mirror": services.mirror.state})


@router.get("/metrics")
async def show_metrics(request: Request) -> PlainTextResponse:
    """Show all metrics in Prometheus' text format."""
    return PlainTextResponse(generate_latest(read_services(request).registry))


class Stopwatch:
    """ASGI middleware that measures requests by route; answers that stream count until they begin."""

    def __init__(self, application: ASGIApp, registry: CollectorRegistry) -> None:
        self._application = application
        self._durations = Histogram(
            "sundial_api_request_seconds",
            "From a request to the beginning of its answer.",
            ["method", "route", "status"],
            buckets=DURATIONS,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure a request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        began = time.perf_counter()

        async def send_measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in METHODS else UNKNOWN
                labels = (method, name_route(scope), str(message["status"]))
                self._durations.labels(*labels).observe(time.perf_counter() - began)
            await send(message)

        await self._application(scope, receive, send_measured)


def name_route(scope: Scope) -> str:
    """Find the pattern of the route that took a request: never a path, of which there are too many."""
    return str(getattr(scope.get("route"), "path", UNKNOWN))
