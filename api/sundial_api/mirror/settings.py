"""What the mirror has to know of its installation: the operator's own environment variables."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from sundial_api.mirror.feed import WatchScope
from sundial_kube.setting_types import NamespaceName, Namespaces, ReleaseName


class MirrorSettings(BaseSettings):
    """What an installation sets for the operator and the mirror alike."""

    model_config = SettingsConfigDict(env_prefix="SUNDIAL_", frozen=True)

    namespace: NamespaceName = Field("sundial-system", description="The namespace of the installation.")
    release: ReleaseName = Field("sundial", description="The name of the Helm release.")
    watch_namespaces: Namespaces = Field(
        (), description="The namespaces to look after, separated by commas; empty means all."
    )

    @property
    def scope(self) -> WatchScope:
        """What is mirrored."""
        return WatchScope(self.watch_namespaces, self.namespace, self.release)
