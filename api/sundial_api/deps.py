"""What do endpoints need? A connection, the cluster, the caller, and what the caller may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol, cast

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from sundial_api.auth.access import Access, Action
from sundial_api.auth.tokens import Authenticator, Caller
from sundial_api.clock import Clock
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


class LatestChange(Protocol):
    """What event streams wait for."""

    @property
    def number(self) -> int:
        """The number of the newest change."""

    async def pass_by(self, number: int) -> None:
        """Wait until there is a newer change than that."""


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
    newest: LatestChange
    signatures: Signatures
    registry: CollectorRegistry
    read_clock: Clock


def read_services(request: Request) -> Services:
    """Read what the API that serves a request consists of."""
    return cast(Services, request.app.state.services)


@dataclass(frozen=True, slots=True)
class CallerAccess:
    """The caller together with what decides about its rights."""

    identity: Caller
    access: Access

    async def require(self, verb: str, resource: Resource, ns: str | None) -> None:
        """Check that the caller may do something, in one namespace or (None) in all; raises Problem 403."""
        await self.access.require(self.identity, Action(verb, resource, ns or ""))


def read_caller(request: Request) -> CallerAccess:
    """Read who asks."""
    return CallerAccess(cast(Caller, request.state.caller), read_services(request).access)


CurrentCaller = Annotated[CallerAccess, Depends(read_caller)]
AppServices = Annotated[Services, Depends(read_services)]
