"""The leader's probe of the fence: a Job of its term passes, one of the term before is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from sundial_core.coordination.fence import FenceState, build_probe, classify_probe
from sundial_core.decision.create_error_kinds import is_fence_refusal
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.resources import JOBS
from sundial_operator.settings import OperatorSettings

log = structlog.get_logger()

PROBE_SECONDS = 60.0
SOON_SECONDS = 5.0
"""How soon a probe that found no working fence is repeated: the policy takes a moment to reach the server."""


class FenceProbe:
    """Knows the state of the fence; `run` keeps looking while this process leads."""

    def __init__(self, client: KubeClient, settings: OperatorSettings, read_term: Callable[[], int]) -> None:
        self._client = client
        self._settings = settings
        self._read_term = read_term
        self.state = FenceState.UNKNOWN

    async def run(self) -> None:
        """Probe for ever, and log each change."""
        while True:
            await self._probe()
            await asyncio.sleep(PROBE_SECONDS if self.state is FenceState.OK else SOON_SECONDS)

    async def _probe(self) -> None:
        term = self._read_term()
        try:
            found = classify_probe(await self._passes(term), await self._passes(term - 1))
        except (ApiError, ApiUnreachable, NotLeading) as error:
            log.debug("the fence could not be probed", error=str(error))
            found = FenceState.UNKNOWN
        if found is not self.state:
            log.info("fence", state=found.value)
        self.state = found

    async def _passes(self, term: int) -> bool:
        """Tell whether a Job of that term would pass; raises what is not the fence's answer."""
        settings = self._settings
        probe = build_probe(settings.installation, settings.namespace, term, settings.image)
        try:
            await self._client.dry_run_create(JOBS, settings.namespace, probe)
        except ApiError as error:
            if is_fence_refusal(error.message):
                return False
            raise
        return True
