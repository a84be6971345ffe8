"""Is it known who made and changed objects, or only claimed? Asks the API server whether the policy works.

The policy refuses a ScheduledJobRun of one name for everybody
(`sundial_core.coordination.marks_policies`); it is only ever sent as a dry run. Without the policy who may
write an object may write anybody's id on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import StrEnum

import structlog

from sundial_core.coordination.marks_policies import PROBE, is_guarded
from sundial_core.resources.raw import JsonObject
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.resources import SCHEDULED_JOB_RUNS

log = structlog.get_logger()

CHECK_SECONDS = 60.0


class Authorship(StrEnum):
    """What `createdBy`, `updatedBy` and `triggeredByUserId` are worth."""

    KNOWN = "known"
    CLAIMED = "claimed"


class SignatureProbe:
    """Looks once a minute; authorship is claimed unless the newest look has seen the policy work.

    It has to work wherever objects are mirrored from: in `watched`, or (none) in all namespaces. `ns` is
    where the look is.
    """

    def __init__(self, client: KubeClient, ns: str, installation: str, watched: Sequence[str]) -> None:
        self._client = client
        self._ns = ns
        self._installation = installation
        self._watched = watched
        self.authorship = Authorship.CLAIMED

    async def run(self) -> None:
        """Look for as long as the process lives."""
        while True:
            found = await self._look()
            if found is not self.authorship:
                log.info("who wrote objects is now", authorship=found.value)
            self.authorship = found
            await asyncio.sleep(CHECK_SECONDS)

    async def _look(self) -> Authorship:
        try:
            await self._client.dry_run_create(SCHEDULED_JOB_RUNS, self._ns, build_probe(self._ns))
        except ApiError as error:
            if is_guarded(error.message, self._installation, self._watched):
                return Authorship.KNOWN
            log.warning("cannot see whether signatures are guarded", error=str(error))
        except ApiUnreachable as error:
            log.warning("cannot see whether signatures are guarded", error=str(error))
        return Authorship.CLAIMED


def build_probe(ns: str) -> JsonObject:
    """Build the ScheduledJobRun that the policy refuses."""
    return {
        "apiVersion": SCHEDULED_JOB_RUNS.api_version,
        "kind": SCHEDULED_JOB_RUNS.kind,
        "metadata": {"namespace": ns, "name": PROBE},
        "spec": {"scheduledJobName": PROBE},
    }
