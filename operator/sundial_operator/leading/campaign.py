"""This replica's candidacy for the Lease that makes a leader; a Lease that is lost ends the process."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid

import structlog
from kubernetes.aio.client import Configuration

from sundial_core.runs.manifests import Creator
from sundial_kube.leader_election import Elector, LeaseLock
from sundial_operator.settings import OperatorSettings

log = structlog.get_logger()

LOST = 3
"""The exit status of a process that lost the leadership."""

SETTLE_SECONDS = 1.0
"""How long a new leader waits after raising the term: longer than a refused or landing request takes."""


class Campaign:
    """Wants to lead from `start` on; made inside the event loop that is told of the election."""

    def __init__(self, settings: OperatorSettings, configuration: Configuration) -> None:
        loop = asyncio.get_running_loop()
        self.instance = str(uuid.uuid4())
        self._installation = settings.installation
        self._elected = asyncio.Event()
        self._has_begun = False
        self._elector = Elector(
            configuration,
            LeaseLock(settings.namespace, settings.release, f"{socket.gethostname()}_{self.instance}"),
            settings.timing,
            on_elected=lambda: loop.call_soon_threadsafe(self._elected.set),
            on_lost=end_process,
        )

    @property
    def is_elected(self) -> bool:
        """Tell whether this replica leads."""
        return self._elected.is_set()

    @property
    def term(self) -> int:
        """The term in which it leads; 0 before."""
        return self._elector.leadership.term

    def gate(self) -> float:
        """Tell for how many seconds a write may go on; raises NotLeading."""
        return self._elector.leadership.gate()

    def describe_creator(self) -> Creator:
        """Describe who creates Jobs."""
        return Creator(self._installation, self.instance, self.term)

    def start(self) -> None:
        """Begin to campaign."""
        self._has_begun = True
        self._elector.start()

    async def wait_elected(self) -> None:
        """Wait until it leads, and until requests of an older leader have landed."""
        await self._elected.wait()
        await asyncio.sleep(SETTLE_SECONDS)

    async def stop(self) -> None:
        """Campaign no more, and give the Lease back."""
        if self._has_begun:
            await asyncio.to_thread(self._elector.stop)


def end_process(reason: str) -> None:
    """End this process at once, from any thread: who has lost the Lease must not write any more."""
    log.error("lost the leadership", reason=reason)
    os._exit(LOST)
