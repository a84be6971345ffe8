"""How does the operator know what is mirrored? By a Lease that says up to which version of Jobs and Pods.

The operator keeps finished Jobs until then (`sundial_core.decision.job_deletions`). The Lease also says which
step of the mirror was committed, which a database that was restored has not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import orjson

from sundial_api.mirror.feed import WatchScope
from sundial_clock.instants import format_micro_time
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject
from sundial_kube.client import METADATA_LIST, KubeClient
from sundial_kube.errors import ApiError
from sundial_kube.resources import LEASES

STEP = re.compile(r"[0-9]{1,18}", re.ASCII)
"""A step; what is longer fits no column when it is counted on."""


@dataclass(frozen=True, slots=True)
class LeaseProgress:
    """Up to which versions Jobs and Pods are committed, and the step of the mirror that was."""

    jobs: int
    pods: int
    step: int


NO_PROGRESS = LeaseProgress(jobs=0, pods=0, step=0)


class MirrorLease:
    """The Lease `<release>-mirror` of an installation, renewed by the active mirror."""

    def __init__(self, client: KubeClient, scope: WatchScope, holder: str) -> None:
        self._client = client
        self._ns = scope.installation_ns
        self._name = names.build_mirror_lease_name(scope.release)
        self._holder = holder

    async def read_step(self) -> int:
        """Read the step that was told last, 0 where none is; raises ApiError and ApiUnreachable.

        By a list, to which the mirror has the right for the replicas' Leases.
        """
        query = {"fieldSelector": f"metadata.name={self._name}"}
        page = await self._client.list_page(LEASES.path(self._ns), query, METADATA_LIST)
        return max((parse_step(item) for item in page["items"]), default=0)

    async def announce(self, now: datetime) -> None:
        """Say that somebody mirrors, or is about to, and nothing else; raises ApiError and ApiUnreachable.

        The operator waits for nobody where there is no Lease, or one that has not changed for long.
        """
        renewal = {"spec": {"renewTime": format_micro_time(now)}}
        await self._write(renewal, self._build(NO_PROGRESS, now))

    async def ensure(self, now: datetime) -> None:
        """Say so again where somebody has deleted the Lease; raises ApiError and ApiUnreachable."""
        try:
            await self._client.create(LEASES, self._ns, self._build(NO_PROGRESS, now))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise

    async def renew(self, progress: LeaseProgress, now: datetime) -> None:
        """Say what is committed; raises ApiError and ApiUnreachable."""
        manifest = self._build(progress, now)
        await self._write(manifest, manifest)

    def _build(self, progress: LeaseProgress, now: datetime) -> JsonObject:
        return build_mirror_lease(self._name, self._holder, progress, now)

    async def _write(self, patch: JsonObject, manifest: JsonObject) -> None:
        """Patch the Lease, or create it where there is none."""
        try:
            await self._client.patch(LEASES, self._ns, self._name, patch)
        except ApiError as error:
            if error.status != 404:
                raise
            await self._client.create(LEASES, self._ns, manifest)


def parse_step(item: JsonObject) -> int:
    """Read the step that a Lease tells; 0 where it tells none, or nonsense."""
    text = (item["metadata"].get("annotations") or {}).get(names.MIRROR_STEP, "")
    return int(text) if STEP.fullmatch(text) else 0


def build_mirror_lease(name: str, holder: str, progress: LeaseProgress, now: datetime) -> JsonObject:
    """Build the Lease; as a merge patch it is the same."""
    mirrored = {"jobs": str(progress.jobs), "pods": str(progress.pods)}
    marks = {
        names.MIRRORED_UNTIL: orjson.dumps(mirrored).decode(),
        names.MIRROR_STEP: str(progress.step),
    }
    return {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": {"name": name, "annotations": marks},
        "spec": {"holderIdentity": holder, "renewTime": format_micro_time(now)},
    }
