"""GET /events: changed jobs and executions in the order of their commits.

A caller that comes back names the last event it has seen and misses nothing that the rows still show: of
several changes of one row the last.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from sundial_api.deps import CurrentCaller, read_services
from sundial_api.events.repository import list_changed, read_newest
from sundial_api.events.schemas import ChangeQuery, order_changes
from sundial_kube.resources import SCHEDULED_JOBS

router = APIRouter(tags=["events"])


async def compute_beginning(
    request: Request,
    caller: CurrentCaller,
    query: Annotated[ChangeQuery, Query()],
    last_event_id: Annotated[
        int | None, Header(ge=0, lt=2**63, description="The last event that was seen.")
    ] = None,
) -> int:
    """Find after which change a caller listens; what refuses does so here, before the answer begins."""
    await caller.require("list", SCHEDULED_JOBS, query.namespace)
    if last_event_id is not None:
        return last_event_id
    async with read_services(request).engine.connect() as connection:
        return await read_newest(connection)


@router.get("/events", response_class=EventSourceResponse)
async def stream_changes(
    request: Request,
    query: Annotated[ChangeQuery, Query()],
    number: Annotated[int, Depends(compute_beginning)],
) -> AsyncIterator[ServerSentEvent]:
    """Follow changed jobs and executions (`event: job` and `event: execution`)."""
    services = read_services(request)
    while True:
        newest = (
            services.newest.number
        )  # before the list: what is committed behind it is then not passed over
        async with services.engine.connect() as connection:
            rows = await list_changed(connection, number, query.namespace)
        for change in order_changes(rows):
            data = change.data.model_dump(mode="json", by_alias=True)
            yield ServerSentEvent(data=data, event=change.event, id=str(change.number))
            number = change.number
        if rows.is_complete:
            number = max(number, newest)
            await services.newest.pass_by(number)
