"""What do the sightings say: lateness of the last Job and Pod, and how the contestants compare? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.burst_sightings import Sightings

RATIOS = {
    "last_job: sundial / bare": ("last_job_seconds", "sundial", "bare"),
    "last_job: cronjob / sundial": ("last_job_seconds", "cronjob", "sundial"),
    "last_job: cronjob-raised / sundial": ("last_job_seconds", "cronjob-raised", "sundial"),
    "last_job: sundial-raised / bare-raised": ("last_job_seconds", "sundial-raised", "bare-raised"),
    "last_job: cronjob-raised / sundial-raised": ("last_job_seconds", "cronjob-raised", "sundial-raised"),
    "last_pod: sundial / bare": ("last_pod_seconds", "sundial", "bare"),
    "last_pod: cronjob / sundial": ("last_pod_seconds", "cronjob", "sundial"),
    "last_pod: sundial-raised / bare-raised": ("last_pod_seconds", "sundial-raised", "bare-raised"),
    "last_pod: cronjob-raised / sundial-raised": ("last_pod_seconds", "cronjob-raised", "sundial-raised"),
}
"""Which figure of which contestants is divided by which."""


@dataclass(frozen=True)
class Outcome:
    """One contestant's burst: when it was due, what was seen, what was there in the end.

    `jobs_listed` were in the namespace at the end, by `owners` different parents (none for the bare loop).
    """

    flags: str
    due: float
    sightings: Sightings
    jobs_listed: int
    owners: int
    cpu_seconds: Mapping[str, float]


def describe_outcome(outcome: Outcome, wanted: int) -> dict[str, Any]:
    """Return a contestant's figures; `made_exactly_one_job_each` is false when Jobs lack or are too many."""
    seen = outcome.sightings
    stamps = seen.job_stamps
    is_exact = outcome.jobs_listed == len(seen.jobs) == wanted and outcome.owners in (0, wanted)
    return {
        "flags": outcome.flags,
        "jobs": outcome.jobs_listed,
        "made_exactly_one_job_each": is_exact,
        "first_job_seconds": _seconds(min(seen.jobs.values(), default=None), outcome.due),
        **_describe("job", seen.jobs.values(), outcome.due),
        "pods": len(seen.pods),
        **_describe("pod", seen.pods.values(), outcome.due),
        **_describe("pod_scheduled", seen.scheduled.values(), outcome.due),
        **_describe("pod_started", seen.started.values(), outcome.due),
        "last_job_creation_timestamp_seconds": _seconds(max(stamps.values(), default=None), outcome.due),
        "seen_at_most_seconds_after_creation_timestamp": _seconds(
            max((at - stamps[uid] for uid, at in seen.jobs.items()), default=None), 0.0
        ),
        "cpu_seconds_until_last_job": {name: round(cpu, 2) for name, cpu in outcome.cpu_seconds.items()},
    }


def is_complete(contestants: Mapping[str, Mapping[str, Any]], wanted: int) -> bool:
    """Tell whether every contestant made exactly the Jobs wanted, and each Job got its Pod."""
    return all(one["made_exactly_one_job_each"] and one["pods"] == wanted for one in contestants.values())


def compare(contestants: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the ratios between those that took part."""
    ratios = {}
    for name, (figure, upper, lower) in RATIOS.items():
        above, below = (contestants.get(one, {}).get(figure) for one in (upper, lower))
        if above and below:
            ratios[name] = round(above / below, 2)
    return ratios


def compare_rounds(rounds: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the medians of the last Jobs' ratios, each of two contestants of the same round."""
    seen = list(rounds)
    pairs = (("sundial", "bare"), ("sundial", "bare-marked"), ("bare-marked", "bare")) if seen else ()
    return {
        f"last_job: {upper} / {lower}, median of rounds": round(
            median(one[upper] / one[lower] for one in seen), 2
        )
        for upper, lower in pairs
    }


def _describe(what: str, instants: Iterable[float], due: float) -> dict[str, Any]:
    seen = list(instants)
    return {
        f"p50_{what}_seconds": _seconds(median(seen) if seen else None, due),
        f"last_{what}_seconds": _seconds(max(seen, default=None), due),
    }


def _seconds(instant: float | None, since: float) -> float | None:
    return None if instant is None else round(instant - since, 3)
