"""GET /events: changed jobs and executions in the order of their commits.

A caller that comes back names the last event it has seen and misses nothing that the rows still show: of
several changes of one row the last. docs/api-contract.md, "Events".
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Header, Query, Request

from sundial_api.auth.tokens import parse_token
from sundial_api.deps import AppServices, CurrentCaller
from sundial_api.events.places import find_beginning
from sundial_api.events.rights import ListenerRights, compute_seconds
from sundial_api.events.schemas import ChangeQuery, StreamedEvent
from sundial_api.events.service import EventService
from sundial_api.events.streams import EventStream, Listener, follow
from sundial_api.http.errors import document_errors
from sundial_api.http.openapi import document_stream

router = APIRouter(tags=["events"])
LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", description="The `id` of the last event that was seen.")
]


async def admit_listener(
    request: Request,
    services: AppServices,
    caller: CurrentCaller,
    query: Annotated[ChangeQuery, Query()],
    last_event_id: LastEventId = None,
) -> AsyncIterator[Listener]:
    """Check the right to listen, hold a place among listeners until the answer ends, find the beginning."""
    rights = ListenerRights(services, parse_token(request.headers.get("authorization")), query.namespace)
    namespaces = await rights.find_namespaces(caller.identity)
    seconds = compute_seconds(caller.identity, services.read_clock().timestamp())
    events = _read_events(request)
    with events.listeners.admit(caller.identity):
        beginning = find_beginning(last_event_id, await events.changes.read_state())
        yield Listener(beginning, namespaces, rights.find_again, seconds)


@router.get(
    "/events",
    status_code=200,
    response_class=EventStream,
    responses=document_errors(429) | document_stream(StreamedEvent, "What changes, until the caller goes."),
)
async def stream_changes(
    request: Request, listener: Annotated[Listener, Depends(admit_listener)]
) -> EventStream:
    """Follow changed jobs and executions as server-sent events.

    After `event: reset` everything has to be read again.
    """
    return EventStream(follow(_read_events(request).changes, listener), listener.seconds)


def _read_events(request: Request) -> EventService:
    return cast(EventService, request.app.state.events)
