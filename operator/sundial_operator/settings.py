"""The operator's settings: environment variables that begin with SUNDIAL_."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from sundial_core.names import build_installation


class LogFormat(StrEnum):
    """How log lines look."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class Settings(BaseSettings):
    """What an installation sets; the same for all its replicas."""

    model_config = SettingsConfigDict(env_prefix="SUNDIAL_", frozen=True)

    namespace: str = Field("sundial-system", description="The namespace of the installation.")
    release: str = Field("sundial", description="The name of the Helm release.")
    watch_namespace: str = Field("", description="The only namespace to look after; empty means all.")
    tombstone_seconds: int = Field(
        600, ge=0, description="How long a finished Job stays at least, so that its name stays taken."
    )
    minimum_period_seconds: float = Field(
        1.0, ge=1.0, description="The shortest period that a schedule may have."
    )
    concurrent_writes: int = Field(16, ge=1, le=64, description="How many writes may be under way at once.")
    log_format: LogFormat = Field(
        LogFormat.AUTO, description="console or json; auto takes console on a terminal."
    )

    @property
    def installation(self) -> str:
        """The label value that keeps installations apart."""
        return build_installation(self.namespace, self.release)
