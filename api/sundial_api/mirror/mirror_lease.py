"""How does the operator know what is mirrored? By a Lease that says up to which version of Jobs and Pods.

The operator keeps finished Jobs until then (`sundial_core.decision.job_deletions`).
"""

from __future__ import annotations

from datetime import datetime

import orjson

from sundial_clock.instants import format_micro_time
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError
from sundial_kube.resources import LEASES


class MirrorLease:
    """The Lease `sundial-mirror` of an installation, renewed by the active mirror."""

    def __init__(self, client: KubeClient, ns: str, holder: str) -> None:
        self._client = client
        self._ns = ns
        self._holder = holder

    async def renew(self, jobs: int, pods: int, now: datetime) -> None:
        """Say up to which versions Jobs and Pods are committed; raises ApiError and ApiUnreachable."""
        manifest = build_mirror_lease(self._holder, jobs, pods, now)
        try:
            await self._client.patch(LEASES, self._ns, names.MIRROR_LEASE, manifest)
        except ApiError as error:
            if error.status != 404:
                raise
            await self._client.create(LEASES, self._ns, manifest)


def build_mirror_lease(holder: str, jobs: int, pods: int, now: datetime) -> JsonObject:
    """Build the Lease; as a merge patch it is the same."""
    mirrored = {"jobs": str(jobs), "pods": str(pods)}
    return {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": {
            "name": names.MIRROR_LEASE,
            "annotations": {names.MIRRORED_UNTIL: orjson.dumps(mirrored).decode()},
        },
        "spec": {"holderIdentity": holder, "renewTime": format_micro_time(now)},
    }
