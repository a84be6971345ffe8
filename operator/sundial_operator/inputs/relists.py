"""Lists our own kinds anew every ten minutes, and repairs what their watches have lost.

The Jobs' and Pods' reflectors tell their silence themselves; of kopf's watches only this tells something.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

import structlog

from sundial_kube.relist import Relist
from sundial_operator.health import Check
from sundial_operator.metrics import Metrics

log = structlog.get_logger()

RELIST_SECONDS = 600.0
SETTLE_SECONDS = 5.0
"""How late a watch may be; in a storm of changes it is."""

LOSSES_IN_A_ROW = 2
"""A watch may lose something; one that has lost something twice in a row does not work."""


class Relists:
    """Repairs the stores of our own kinds while this process leads."""

    def __init__(self, relists: Iterable[Relist], metrics: Metrics) -> None:
        self._relists = tuple(relists)
        self._metrics = metrics
        self._losses: Counter[Relist] = Counter()

    async def run(self) -> None:
        """Compare every kind again and again."""
        while True:
            await asyncio.sleep(RELIST_SECONDS)
            for relist in self._relists:
                await self.compare(relist, SETTLE_SECONDS)

    async def compare(self, relist: Relist, settle_seconds: float) -> None:
        """Repair one kind; trouble is left to the next time."""
        try:
            found = await relist.repair(settle_seconds)
        except Exception as error:  # noqa: BLE001 - the next one will do
            log.warning("listing again failed", kind=relist.kind, error=repr(error))
            return
        self._losses[relist] = self._losses[relist] + 1 if found else 0
        if found:
            self._metrics.lost_by_watch.labels(relist.kind).inc(found)
            log.warning("a watch had lost changes", kind=relist.kind, objects=found)

    def check(self) -> Check:
        """Tell whether the watches of our own kinds work: a new process has new ones."""
        dead = {relist.kind for relist, losses in self._losses.items() if losses >= LOSSES_IN_A_ROW}
        said = f"losing changes of {', '.join(sorted(dead))}" if dead else "nothing is lost lately"
        return Check(not dead, said)
