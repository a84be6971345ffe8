"""GET /settings, which needs no token, and GET /me."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

from fastapi import APIRouter, Query, Response

from sundial_api.clients.rights import find_rights
from sundial_api.clients.schemas import CallerQuery, CallerRead, ClientLinks, ClientSettings
from sundial_api.deps import AppServices, CurrentCaller
from sundial_api.settings import ApiSettings, AuthMode

KEPT = "public, max-age=60"
"""How long a client may keep the settings: they change when the API is started anew."""

router = APIRouter(tags=["clients"])


@router.get("/settings", openapi_extra={"security": []})
async def get_settings(response: Response, services: AppServices) -> ClientSettings:
    """Tell how to sign in, and what else a client has to know; needs no token."""
    response.headers["Cache-Control"] = KEPT
    return describe_settings(services.settings)


@router.get("/me")
async def get_caller(caller: CurrentCaller, query: Annotated[CallerQuery, Query()]) -> CallerRead:
    """Tell who asks, and what they may do in all namespaces and in the one asked for."""
    places = [None, query.namespace] if query.namespace is not None else [None]
    identity = caller.identity
    return CallerRead(
        id=identity.uid,
        name=identity.name,
        groups=list(identity.groups),
        rights=[await find_rights(caller, ns) for ns in places],
    )


def describe_settings(settings: ApiSettings) -> ClientSettings:
    """Choose what everybody may know of an installation: never more than is written here."""
    is_oidc = settings.auth is AuthMode.OIDC
    return ClientSettings(
        auth=settings.auth,
        oidc_issuer=settings.oidc_issuer if is_oidc else None,
        oidc_client_id=(settings.oidc_client_id or None) if is_oidc else None,
        time_zone=settings.time_zone,
        links=ClientLinks(logs=settings.logs_link or None, docs=settings.docs_link or None),
        version=metadata.version("sundial"),
    )
