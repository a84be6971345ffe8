"""What the answers look like that a client asks for first."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel

from sundial_api.http.paging import NamespaceName
from sundial_api.http.wire import WireModel
from sundial_api.settings import AuthMode


class ClientLinks(WireModel):
    """Where else to look; none where the installation names no place."""

    logs: str | None
    docs: str | None


class ClientSettings(WireModel):
    """What a client has to know before anybody has signed in; known to everybody."""

    auth: AuthMode
    """How callers are identified: none, oidc, or kubernetes, by a token of the cluster."""
    oidc_issuer: str | None
    oidc_client_id: str | None
    time_zone: str
    """The zone of jobs that name no other."""
    links: ClientLinks
    version: str


class CallerQuery(BaseModel):
    """Where rights are wanted."""

    namespace: NamespaceName = None


class ScheduledJobRights(WireModel):
    """What the caller may do with jobs; none where the cluster cannot be asked now."""

    list: bool | None
    get: bool | None
    create: bool | None
    patch: bool | None
    delete: bool | None


class RunRights(WireModel):
    """Whether the caller may start runs; none where the cluster cannot be asked now."""

    create: bool | None


class TaskFunctionRights(WireModel):
    """Whether the caller may list task functions; none where the cluster cannot be asked now."""

    list: bool | None


class CallerRights(WireModel):
    """What the caller may do in a namespace, or in all of them."""

    namespace: str | None
    scheduled_jobs: ScheduledJobRights
    scheduled_job_runs: RunRights
    task_functions: TaskFunctionRights


class CallerRead(WireModel):
    """Who asks, and what they may do."""

    id: UUID
    name: str
    groups: list[str]
    rights: list[CallerRights]
    """In all namespaces first, then in the one that was asked for."""
