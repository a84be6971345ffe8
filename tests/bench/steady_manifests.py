"""Schedules that are due again and again: what the benches of rate and of writes create."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bench.burst_manifests import POD

from sundial_clock.instants import format_instant

DELAY = "pod-complete.stage.kwok.x-k8s.io/delay"


def build_steady_job(
    number: int, now: datetime, period: int, run_seconds: float | None = None
) -> dict[str, Any]:
    """Return a ScheduledJob that is due every `period` seconds, in another second than the one before it.

    Its simulated Pods end after `run_seconds`, by default at once.
    """
    anchor = now.replace(microsecond=0) - timedelta(hours=1) + timedelta(seconds=number % period)
    marks = {} if run_seconds is None else {"metadata": {"annotations": {DELAY: f"{run_seconds}s"}}}
    return {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "ScheduledJob",
        "metadata": {"name": f"steady-{number:05d}"},
        "spec": {
            "schedule": {"interval": {"seconds": period}, "anchor": format_instant(anchor)},
            "template": {"spec": {"template": marks | POD}},
            "concurrency": {"policy": "Allow"},
            "history": {"successful": 1, "failed": 1},
        },
    }
