"""Which schedules does the demo show? Five of the examples, fitted to the cluster and to the hour.

A TaskFunction of the examples is there for jobs that are made through the API.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from sundial_demo.observations import NodeCount
from sundial_devcluster.simulated import SIMULATE

EXAMPLES = Path(__file__).parents[2] / "examples"
SHOWN = ("weekdays-in-cairo", "every-10-seconds", "once", "failing", "too-slow")
FUNCTION = "task-function"
ONCE_AFTER = timedelta(minutes=1)

# A simulated container runs no command: its Pod is told how the real one would end.
SIMULATIONS = {
    "failing": {SIMULATE: "Failed"},
    "too-slow": {"pod-complete.stage.kwok.x-k8s.io/delay": "600s"},
    "task-function": {"pod-complete.stage.kwok.x-k8s.io/delay": "3s"},
}


def build_schedules(now: datetime, image: str | None, nodes: NodeCount) -> list[dict[str, Any]]:
    """Return the demo's ScheduledJobs: `once` is due a minute after `now`, `image` replaces the examples'."""
    jobs = [_read_example(name, image, nodes) for name in SHOWN]
    for job in jobs:
        if "at" in job["spec"]["schedule"]:
            job["spec"]["schedule"]["at"] = (now + ONCE_AFTER).replace(microsecond=0).isoformat()
    return jobs


def build_function(image: str | None, nodes: NodeCount) -> dict[str, Any]:
    """Return the demo's TaskFunction."""
    return _read_example(FUNCTION, image, nodes)


def _read_example(name: str, image: str | None, nodes: NodeCount) -> dict[str, Any]:
    """Read an example and fit its containers to the nodes."""
    example: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    pod = example["spec"]["template"]["spec"]["template"]
    for container in pod["spec"]["containers"] if image else ():
        container["image"] = image
    if nodes.are_simulated:
        pod["metadata"] = {"annotations": SIMULATIONS.get(name, {})}
    return example
