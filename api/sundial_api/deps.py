"""What do endpoints need? A connection, the cluster, the caller, and what the caller may do."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Protocol, cast

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from sundial_api.auth.access import Access, Action
from sundial_api.auth.tokens import Authenticator, Caller
from sundial_api.auth.visible_namespaces import Reach
from sundial_api.clock import Clock
from sundial_api.computations import Computations
from sundial_api.db.probe import DatabaseProbe
from sundial_api.settings import ApiSettings
from sundial_kube.client import KubeClient
from sundial_kube.resources import Resource


class MirrorHealth(Protocol):
    """What the API asks the mirror in its process."""

    @property
    def state(self) -> str:
        """What the mirror of this process does; that of another replica may be the active one."""


class Signatures(Protocol):
    """What the API asks about who wrote objects."""

    @property
    def authorship(self) -> str:
        """Whether it is known or only claimed."""


class MirrorReach(Protocol):
    """What the API asks about how old its rows are."""

    @property
    def instant(self) -> datetime | None:
        """Up to when all that the cluster had is in the database; None while that is not known."""


@dataclass(slots=True)
class Services:
    """What a running API consists of; made when it starts."""

    settings: ApiSettings
    engine: AsyncEngine
    database: DatabaseProbe
    client: KubeClient
    authenticator: Authenticator
    access: Access
    mirror: MirrorHealth
    mirrored: MirrorReach
    signatures: Signatures
    registry: CollectorRegistry
    read_clock: Clock
    computations: Computations = field(default_factory=Computations)


def read_services(request: Request) -> Services:
    """Read what the API that serves a request consists of."""
    return cast(Services, request.app.state.services)


@dataclass(frozen=True, slots=True)
class CallerAccess:
    """The caller together with what decides about its rights."""

    identity: Caller
    access: Access
    address: str | None = None
    """Where the request came from, as the server tells; behind a proxy that is the proxy, unless trusted."""

    async def require(self, verb: str, resource: Resource, ns: str | None, subresource: str = "") -> None:
        """Check that the caller may do something, in one namespace or (None) in all; raises Problem 403."""
        await self.access.require(self.identity, Action(verb, resource, ns or "", subresource))

    async def may(self, verb: str, resource: Resource, ns: str | None) -> bool:
        """Tell whether the caller may do something, in one namespace or (None) in all."""
        return await self.access.may(self.identity, Action(verb, resource, ns or ""))

    async def find_reach(self, resource: Resource, ns: str | None) -> Reach:
        """Find over which namespaces a list goes: the one asked for, else all that the caller may list.

        docs/api-contract.md, "Lists over several namespaces". Raises Problem 403.
        """
        if ns is None:
            return await self.access.find_reach(self.identity, resource)
        await self.require("list", resource, ns)
        return Reach((ns,))


def read_caller(request: Request) -> CallerAccess:
    """Read who asks."""
    return CallerAccess(
        cast(Caller, request.state.caller), read_services(request).access, read_address(request)
    )


def read_address(request: Request) -> str | None:
    """Read from which address a request came; what is none is not known."""
    try:
        return str(ipaddress.ip_address(request.client.host)) if request.client else None
    except ValueError:
        return None


CurrentCaller = Annotated[CallerAccess, Depends(read_caller)]
AppServices = Annotated[Services, Depends(read_services)]
