"""The API's settings: environment variables that begin with SUNDIAL_API_."""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sundial_clock.zones import load_zone
from sundial_kube.logs import LogFormat
from sundial_kube.setting_types import NamespaceName


class DatabaseSettings(BaseSettings):
    """Where the database is, and how long it may be asked and remembered for."""

    model_config = SettingsConfigDict(env_prefix="SUNDIAL_API_", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr = Field(description="postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    database_connections: int = Field(
        10, ge=1, le=200, description="How many connections a process may hold."
    )
    database_connect_seconds: int = Field(5, ge=1, le=60, description="How long connecting may take.")
    statement_seconds: float = Field(
        4.0, gt=0, le=600, description="How long a statement of a request may take; all of a request 4.5 s."
    )
    lock_seconds: float = Field(3.0, gt=0, le=600, description="How long a statement may wait for a lock.")

    migration_seconds: float = Field(
        600.0, gt=0, description="How long one statement of a migration may take."
    )
    migration_lock_seconds: float = Field(
        5.0, gt=0, le=600, description="How long a migration may wait for a lock that the API holds."
    )
    migration_turn_seconds: float = Field(
        900.0, gt=0, description="How long to wait while another replica migrates."
    )
    history_days: int = Field(90, ge=1, le=36_500, description="How many days executions are kept.")
    history_runs: int = Field(50_000, ge=1, description="How many ended executions a job keeps at most.")
    logs: bool = Field(
        True, description="Whether logs of Pods are read; false: nobody reads one through the API."
    )
    log_tail_bytes: int = Field(
        0, ge=0, le=16_384, description="How much of a failed attempt's log is kept, redacted; 0 keeps none."
    )

    results_from_logs: bool = Field(
        False,
        description="Whether a result too large for its message is read from the end of the log.",
    )

    @model_validator(mode="after")
    def check_room(self) -> Self:
        """Check that logs may be read, and that a connection is left for them beside the mirror's own."""
        names = {"LOG_TAIL_BYTES": self.log_tail_bytes, "RESULTS_FROM_LOGS": self.results_from_logs}
        name = next((name for name, value in names.items() if value), None)
        if name is not None and not self.logs:
            raise ValueError(f"SUNDIAL_API_{name} needs SUNDIAL_API_LOGS=true")
        if name is not None and self.database_connections < 2:
            raise ValueError(f"SUNDIAL_API_{name} needs SUNDIAL_API_DATABASE_CONNECTIONS of 2 or more")
        return self


class AuthMode(StrEnum):
    """How callers are identified."""

    NONE = "none"
    OIDC = "oidc"
    KUBERNETES = "kubernetes"


class ApiSettings(DatabaseSettings):
    """What an installation of the API sets; the same for all its replicas."""

    host: str = Field("127.0.0.1", description="Where the API listens.")
    port: int = Field(8000, ge=0, le=65535, description="On which port.")
    connections: int = Field(
        800, ge=10, le=100_000, description="How many clients may be connected; a new one ends the idlest."
    )
    requests_at_work: int = Field(
        200, ge=1, le=10_000, description="How many requests may be at work at once; one more gets 503."
    )
    head_seconds: float = Field(10.0, gt=0, le=600, description="How long the head of a request may take.")
    body_seconds: float = Field(20.0, gt=0, le=600, description="How long the body of a request may take.")
    auth: AuthMode = Field(
        AuthMode.KUBERNETES, description="none (loopback only), oidc, or kubernetes (TokenReview)."
    )
    token_audience: str = Field(
        "", description="The audience that a cluster's token must have; empty means the API server's."
    )
    oidc_issuer: str = Field("", description="The OpenID provider: the https URL of its issuer.")
    oidc_audience: str = Field("", description="The audience that a provider's token must have.")
    oidc_name_claim: str = Field("sub", description="The claim with the name that roles speak of.")
    oidc_groups_claim: str = Field("groups", description="The claim with the names of groups.")
    oidc_name_prefix: str = Field(
        "", description="What is put before a user's name, as --oidc-username-prefix of the API server."
    )
    oidc_groups_prefix: str = Field(
        "", description="What is put before a group's name, as --oidc-groups-prefix of the API server."
    )
    oidc_client_id: str = Field(
        "", max_length=500, description="The client that a browser signs in as; everybody is told it."
    )
    logs_link: str = Field(
        "", max_length=2000, description="Where logs are read, for clients; everybody is told it."
    )
    docs_link: str = Field(
        "", max_length=2000, description="Where the documentation is, for clients; everybody is told it."
    )
    namespace: NamespaceName = Field("default", description="The namespace of jobs that name no other.")
    time_zone: str = Field("UTC", description="The IANA zone of jobs that name no other.")
    log_format: LogFormat = Field(
        LogFormat.AUTO, description="console or json; auto takes console on a terminal."
    )
    instance_seconds: float = Field(
        60.0, gt=0, description="How long after its last heartbeat a replica counts as running."
    )

    event_listeners: int = Field(
        500, ge=1, le=100_000, description="How many event streams a process serves at a time."
    )
    event_listeners_per_caller: int = Field(
        50, ge=1, le=100_000, description="How many of them one caller may have."
    )

    @model_validator(mode="after")
    def check_auth(self) -> Self:
        """Check that everybody who can reach the API is identified."""
        if self.auth is AuthMode.NONE and not is_loopback(self.host):
            raise ValueError(
                "SUNDIAL_API_AUTH=none is for loopback only; set SUNDIAL_API_HOST=127.0.0.1,"
                " or SUNDIAL_API_AUTH to oidc or kubernetes"
            )
        if self.auth is AuthMode.OIDC and not (self.oidc_issuer and self.oidc_audience):
            raise ValueError("SUNDIAL_API_AUTH=oidc needs SUNDIAL_API_OIDC_ISSUER and _OIDC_AUDIENCE")
        if self.oidc_issuer and not is_confidential(self.oidc_issuer):
            raise ValueError("SUNDIAL_API_OIDC_ISSUER must begin with https://")
        return self

    @field_validator("logs_link", "docs_link")
    @classmethod
    def check_link(cls, link: str) -> str:
        """Check that a link leads somewhere, and that everybody may know it."""
        parts = urlsplit(link)
        if link and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("must be a URL that begins with https:// or http://")
        if "@" in parts.netloc:
            raise ValueError("must not have a user or a password: everybody is told the link")
        return link

    @field_validator("time_zone")
    @classmethod
    def check_zone(cls, zone: str) -> str:
        """Check that the zone exists."""
        load_zone(zone)
        return zone


def is_confidential(url: str) -> bool:
    """Tell whether nobody between here and a URL can change what is read there."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
