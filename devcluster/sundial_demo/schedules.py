"""Which schedules does the demo show? Five of the examples, fitted to the cluster and to the hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from sundial_demo.observations import NodeCount
from sundial_devcluster.simulated import SIMULATE

EXAMPLES = Path(__file__).parents[2] / "examples"
SHOWN = ("weekdays-in-cairo", "every-10-seconds", "once", "failing", "too-slow")
ONCE_AFTER = timedelta(minutes=1)

# A simulated container runs no command: its Pod is told how the real one would end.
SIMULATIONS = {
    "failing": {SIMULATE: "Failed"},
    "too-slow": {"pod-complete.stage.kwok.x-k8s.io/delay": "600s"},
}


def build_schedules(now: datetime, image: str | None, nodes: NodeCount) -> list[dict[str, Any]]:
    """Return the demo's ScheduledJobs: `once` is due a minute after `now`, `image` replaces the examples'."""
    jobs: list[dict[str, Any]] = [yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text()) for name in SHOWN]
    for job in jobs:
        if "at" in job["spec"]["schedule"]:
            job["spec"]["schedule"]["at"] = (now + ONCE_AFTER).replace(microsecond=0).isoformat()
        pod = job["spec"]["template"]["spec"]["template"]
        for container in pod["spec"]["containers"] if image else ():
            container["image"] = image
        if nodes.are_simulated:
            pod["metadata"] = {"annotations": SIMULATIONS.get(job["metadata"]["name"], {})}
    return jobs
