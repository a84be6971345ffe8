"""What do the sightings of a steady rate say: lateness, lost or doubled Jobs, and where the knee is? Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

KNEE_SECONDS = 1.0
"""The p99 lateness at which a rate is too much."""


@dataclass
class Starts:
    """When each Job was first seen, by its schedule's UID and its slot; both in seconds of the epoch."""

    seen: dict[tuple[str, float], float] = field(default_factory=dict)
    doubled: int = 0

    def take(self, schedule: str, slot: float, now: float) -> None:
        """Take a Job that was created."""
        if (schedule, slot) in self.seen:
            self.doubled += 1
        else:
            self.seen[schedule, slot] = now

    def find_lateness(self, since: float, until: float) -> list[float]:
        """Find how late each Job of a slot in [since, until) was, in seconds, in ascending order."""
        return sorted(at - slot for (_, slot), at in self.seen.items() if since <= slot < until)


def percentile(ascending: Sequence[float], share: float) -> float | None:
    """Return the value that this share of all do not exceed (nearest rank); None of nothing."""
    if not ascending:
        return None
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]


def describe_lateness(lateness: Sequence[float], wanted: int) -> dict[str, Any]:
    """Return the figures of a window in which `wanted` slots were due."""
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    figures = {f"{name}_seconds": _rounded(percentile(lateness, share)) for name, share in shares.items()}
    return {"wanted": wanted, "started": len(lateness), **figures}


def is_past_knee(figures: Mapping[str, Any]) -> bool:
    """Tell whether a rate was too much: late, or slots were left without a Job."""
    p99 = figures["p99_seconds"]
    return p99 is None or p99 > KNEE_SECONDS or figures["started"] < figures["wanted"]


def find_knee(steps: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Find the highest rate that kept up, the first that did not, and what used the CPU there."""
    kept_up = failed = None
    for step in steps:
        if is_past_knee(step):
            failed = step
            break
        kept_up = step
    return {
        "kept_up_per_second": kept_up and kept_up["per_second"],
        "too_much_per_second": failed and failed["per_second"],
        "cores_there": failed and failed["cores"],
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
