"""Keeps an eye on what holds for the whole installation: the clock, and whether starts are held."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from sundial_core.decision.installation import (
    InstallationState,
    Trust,
    describe_skew,
    parse_hold,
)
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.resources import CONFIG_MAPS
from sundial_operator.health import Check
from sundial_operator.settings import OperatorSettings

log = structlog.get_logger()

POLL_SECONDS = 1.0
LOOKS_PER_READ = 5
"""The ConfigMap is read at every fifth poll: a hold is in effect after at most five seconds."""


class InstallationWatch:
    """Knows the state of the installation; `on_change` is called when trust or hold have changed."""

    def __init__(self, client: KubeClient, settings: OperatorSettings, on_change: Callable[[], None]) -> None:
        self._client = client
        self._settings = settings
        self._on_change = on_change
        self._starts_held_by = "SUNDIAL_HOLD" if settings.hold else ""
        place = f"the ConfigMap {settings.namespace}/{settings.release}"
        self._until = (
            "the operator is started without SUNDIAL_HOLD" if settings.hold else f"{place} has no hold"
        )
        self._known = (Trust.IN_STEP, "")

    def compute_state(self) -> InstallationState:
        """Compute how far the clock is off, and who holds the starts."""
        skew = timedelta(seconds=self._client.clock.skew_seconds)
        return InstallationState(skew, self._starts_held_by, self._until if self._starts_held_by else "")

    async def learn(self) -> None:
        """Wait until the hold is known: before that nothing may be decided."""
        while True:
            if await self._read_hold():
                return self._notice()
            await asyncio.sleep(POLL_SECONDS)

    async def run(self) -> None:
        """Poll for ever."""
        while True:
            for _ in range(LOOKS_PER_READ):
                await asyncio.sleep(POLL_SECONDS)
                self._notice()
            await self._read_hold()
            self._notice()

    def check_clock(self) -> Check:
        """Tell of the clock; restarting would not mend it, so this never fails."""
        now = self.compute_state()
        words = "agrees with the API server's" if now.trust is Trust.IN_STEP else describe_skew(now.skew)
        return Check(True, words + (": nothing starts" if now.trust is Trust.UNTRUSTED else ""))

    def check_hold(self) -> Check:
        """Tell whether starts are held; that is somebody's wish, so this never fails."""
        return Check(True, f"held by {self._starts_held_by}" if self._starts_held_by else "not held")

    async def _read_hold(self) -> bool:
        """Read the ConfigMap; False when there is no telling, then what was known stays."""
        if self._settings.hold:
            return True
        ns, name = self._settings.namespace, self._settings.release
        try:
            data = (await self._client.get(CONFIG_MAPS, ns, name)).get("data") or {}
        except ApiUnreachable as error:
            log.warning("reading the hold failed", error=str(error))
            return False
        except ApiError as error:
            if error.status != 404:
                log.warning("reading the hold failed", error=str(error))
                return False
            data = {}
        self._starts_held_by = f"the ConfigMap {ns}/{name}" if parse_hold(data.get("hold")) else ""
        return True

    def _notice(self) -> None:
        """Say once what has changed, and have everything decided again."""
        now = self.compute_state()
        (trust, starts_held_by), self._known = self._known, (now.trust, now.starts_held_by)
        if now.trust is not trust:
            log.warning("the clock", trust=now.trust.value, skew_seconds=round(now.skew.total_seconds(), 1))
        if now.starts_held_by != starts_held_by:
            log.warning(
                "starts are held" if now.starts_held_by else "starts are no longer held",
                by=now.starts_held_by,
            )
        if self._known != (trust, starts_held_by):
            self._on_change()
