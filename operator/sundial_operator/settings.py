"""The operator's settings: environment variables that begin with SUNDIAL_."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sundial_core.coordination.leader_record import Timing
from sundial_core.resources.names import build_installation
from sundial_kube.logs import LogFormat
from sundial_kube.setting_types import NamespaceName, Namespaces, ReleaseName


class OperatorSettings(BaseSettings):
    """What an installation sets; the same for all its replicas."""

    model_config = SettingsConfigDict(env_prefix="SUNDIAL_", frozen=True)

    namespace: NamespaceName = Field("sundial-system", description="The namespace of the installation.")
    release: ReleaseName = Field("sundial", description="The name of the Helm release.")
    role: str = Field(
        "",
        max_length=253,
        description="The operator's own role, a ClusterRole unless it watches some namespaces: runners go"
        " with it; empty: RELEASE-operator.",
    )
    runner_config_maps: bool = Field(
        True, description="Whether the operator creates the runner's ConfigMaps; false: you apply them."
    )
    watch_namespaces: Namespaces = Field(
        (), description="The namespaces to look after, separated by commas; empty means all."
    )
    image: str = Field(
        "sundial", description="The operator's own image; it is only named, in dry runs that show the fence."
    )
    hold: bool = Field(False, description="Start nothing; slots meanwhile are Missed, reason Held.")
    tombstone_seconds: int = Field(
        0, ge=0, description="How long a finished Job stays at least; 0: 60 with a working fence, else 600."
    )
    most_finished_jobs: int = Field(
        100, ge=1, description="How many finished Jobs one schedule keeps, whatever its history."
    )
    most_finished_jobs_in_all: int = Field(
        5000, ge=1, description="How many finished Jobs the installation keeps; the oldest go first."
    )
    health_host: str = Field("127.0.0.1", description="Where health and metrics are served.")
    health_port: int = Field(8080, ge=0, le=65535, description="On which port; 0 takes a free one.")
    minimum_period_seconds: float = Field(
        1.0, ge=1.0, description="The shortest period that a schedule may have."
    )
    lease_seconds: int = Field(15, ge=2, description="How long a Lease that is not renewed is respected.")
    renew_deadline_seconds: float = Field(
        10.0, gt=0, description="How long a leader goes on without renewing; less than the Lease."
    )
    renew_period_seconds: float = Field(2.0, gt=0, description="How often the Lease is renewed or tried.")
    member_seconds: float = Field(
        120.0, ge=1, description="How long a replica that gives no sign of life is still listed."
    )
    forbidden_seconds: float = Field(
        60.0, gt=0, description="How long a leader may be refused to write statuses before it ends."
    )
    concurrent_writes: int = Field(
        16,
        ge=1,
        le=64,
        description="How many Jobs are created at once; up to four times as many while some take long.",
    )
    log_format: LogFormat = Field(
        LogFormat.AUTO, description="console or json; auto takes console on a terminal."
    )

    @model_validator(mode="after")
    def check_lease(self) -> Self:
        """Check that a leader stops before another one may begin."""
        if not 2 * self.renew_period_seconds < self.renew_deadline_seconds < self.lease_seconds:
            raise ValueError(
                "SUNDIAL_RENEW_DEADLINE_SECONDS must be more than twice SUNDIAL_RENEW_PERIOD_SECONDS"
                " and less than SUNDIAL_LEASE_SECONDS"
            )
        return self

    @property
    def timing(self) -> Timing:
        """How the Lease is kept; a request takes at most half of the renew deadline."""
        return Timing(
            duration=float(self.lease_seconds),
            renew_deadline=self.renew_deadline_seconds,
            retry=self.renew_period_seconds,
            request=min(3.0, self.renew_deadline_seconds / 2),
        )

    @property
    def own_role(self) -> str:
        """The name of the operator's role."""
        return self.role or f"{self.release}-operator"

    @property
    def installation(self) -> str:
        """The label value that keeps installations apart."""
        return build_installation(self.namespace, self.release)
