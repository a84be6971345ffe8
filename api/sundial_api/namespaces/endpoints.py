"""GET /namespaces."""

from __future__ import annotations

from fastapi import APIRouter

from sundial_api.deps import AppServices, CurrentCaller
from sundial_api.namespaces import repository
from sundial_api.namespaces.schemas import NamespaceListResponse
from sundial_kube.resources import SCHEDULED_JOBS

router = APIRouter(tags=["namespaces"])


@router.get("/namespaces")
async def list_namespaces(services: AppServices, caller: CurrentCaller) -> NamespaceListResponse:
    """List the namespaces that the caller may list jobs in, of those that have jobs or task functions."""
    reach = await caller.find_reach(SCHEDULED_JOBS, None)
    if reach.namespaces is not None:
        return NamespaceListResponse(namespaces=list(reach.namespaces), is_complete=reach.is_complete)
    async with services.engine.begin() as connection:
        known = await repository.list_namespaces(connection)
    return NamespaceListResponse(namespaces=list(known), is_complete=True)
