"""What the mirror has to know of its installation: the operator's own environment variables."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from sundial_api.mirror.feed import WatchScope


class MirrorSettings(BaseSettings):
    """What an installation sets for the operator and the mirror alike."""

    model_config = SettingsConfigDict(env_prefix="SUNDIAL_", frozen=True)

    namespace: str = Field("sundial-system", description="The namespace of the installation.")
    release: str = Field("sundial", description="The name of the Helm release.")
    watch_namespace: str = Field("", description="The only namespace to look after; empty means all.")

    @property
    def scope(self) -> WatchScope:
        """What is mirrored."""
        return WatchScope(self.watch_namespace, self.namespace, self.release)
