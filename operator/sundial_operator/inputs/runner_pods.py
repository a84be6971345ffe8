"""Which Pods wait for the runner of this release, and where one has got it."""

from __future__ import annotations

import time
from collections.abc import Callable

from sundial_core.runs.pods import USUAL_WAITS, ObservedPod

STUCK_SECONDS = 10.0
"""After so long a Pod that creates its containers may be waiting for the ConfigMap."""


class RunnerPods:
    """The Pods that mount the ConfigMap of that name; `proved` are namespaces where it was there."""

    def __init__(self, config_map: str, read_clock: Callable[[], float] = time.monotonic) -> None:
        self._config_map = config_map
        self._read_clock = read_clock
        self._waiting: dict[str, tuple[str, float]] = {}
        self.proved: set[str] = set()

    def note(self, old: ObservedPod | None, new: ObservedPod | None) -> None:
        """Take the change of a Pod."""
        pod = new or old
        if pod is None or pod.runner != self._config_map:
            return
        if new is not None and new.has_started:
            self.proved.add(new.ns)
        if new is not None and _is_waiting(new):
            self._waiting.setdefault(new.uid, (new.ns, self._read_clock()))
        else:
            self._waiting.pop(pod.uid, None)

    def list_stuck(self) -> dict[str, float]:
        """Map the namespaces where a Pod has waited for too long to when the last one had."""
        now, stuck = self._read_clock(), dict[str, float]()
        for ns, since in self._waiting.values():
            if since + STUCK_SECONDS <= now:
                stuck[ns] = max(since + STUCK_SECONDS, stuck.get(ns, 0.0))
        return stuck


def _is_waiting(pod: ObservedPod) -> bool:
    return not pod.has_started and pod.wait is not None and pod.wait[0] in USUAL_WAITS
