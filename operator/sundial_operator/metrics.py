"""What the operator counts and measures, for Prometheus; no label is an object's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from prometheus_client import Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from sundial_core.resources.phases import Phase, Verdict
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import MISSES, SKIPS
from sundial_kube.metrics import build_registry

LATENESS_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
RECONCILE_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)

GAUGES = {
    "leader": "1 while this process leads.",
    "term": "The newest term of this process.",
    "clock_skew_seconds": "By how much the local clock is at least ahead of the API server's.",
    "clock_trusted": "1 while the local clock is at most 60 s off: otherwise nothing starts.",
    "held": "1 while all starts of the installation are held.",
    "queue_depth": "Writes that wait for their turn or are under way.",
    "slow_namespaces": "Namespaces whose Jobs take over a second to create: one at a time each.",
    "longest_start_wait_seconds": "For how long the start that waits the longest has waited for its turn.",
    "decisions_waiting": "ScheduledJobs that are to be reconciled now.",
    "scheduled_jobs": "ScheduledJobs in the store.",
    "schedules_not_stored": "ScheduledJobs that start nothing because their statuses cannot be stored.",
    "jobs": "Jobs in the store.",
    "finished_jobs": "Finished Jobs in the store, which the installation's cap is about.",
    "doubtful_jobs": "Jobs whose marks were changed, or that name a ScheduledJob and are no run's.",
    "other_installations": "Other installations that start Jobs of the same ScheduledJobs.",
    "schedules_awaiting_mirror": "ScheduledJobs with Jobs kept until the database has them.",
    "fence": "1 while the API server's fence refuses Jobs of an older term.",
}
"""What is read whenever somebody asks: name and meaning of each."""


class WatchRestarts(Collector):
    """A counter that is kept elsewhere, and read whenever somebody asks."""

    def __init__(self, read: Callable[[], float]) -> None:
        self._read = read

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Read it."""
        text = "How often a watch had to begin again."
        yield CounterMetricFamily("sundial_watch_restarts", text, value=self._read())


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        registry = self._registry = build_registry()
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        self.lateness = histogram(
            "sundial_start_lateness_seconds",
            "From a slot to the answer to its Job's creation.",
            buckets=LATENESS_BUCKETS,
        )
        self.verdicts = counter(
            "sundial_slot_verdicts", "Slots by verdict, once stored.", ["verdict", "reason"]
        )
        self.corrections = counter(
            "sundial_corrections", "Slots that turned out to be started after another verdict was stored."
        )
        self.events_dropped = counter(
            "sundial_events_dropped",
            "Events that were not written, by cause (behind, rate, failed).",
            ["cause"],
        )
        self.results = counter("sundial_runs", "Runs that ended, by result.", ["result"])
        self.reconcile = histogram(
            "sundial_reconcile_seconds",
            "The time to decide about one ScheduledJob.",
            buckets=RECONCILE_BUCKETS,
        )
        self.api_calls = counter("sundial_api_calls", "Requests by verb and status code.", ["verb", "code"])
        self.rejected = counter("sundial_unparsable_objects", "Objects that did not parse.", ["kind"])
        self.capped = counter(
            "sundial_jobs_beyond_cap",
            "Finished Jobs that were deleted because there were too many, by cap (schedule, installation).",
            ["cap"],
        )
        self.lost_by_watch = counter(
            "sundial_changes_lost_by_watch",
            "Objects whose change or end no watch had told when they were listed again, by kind.",
            ["kind"],
        )
        self._begin_counters()
        self._gauges = {name: gauge(f"sundial_{name}", text) for name, text in GAUGES.items()}

    def _begin_counters(self) -> None:
        """Have each counter at 0 before its first event: one that is born as 1 has not increased."""
        self.verdicts.labels(Verdict.STARTED.value, "")
        for verdict, reasons in ((Verdict.SKIPPED, SKIPS), (Verdict.MISSED, MISSES)):
            for reason in reasons:
                self.verdicts.labels(verdict.value, reason.value)
        for phase in Phase:
            if phase.is_result:
                self.results.labels(phase.value)
        for cause in ("behind", "rate", "failed"):
            self.events_dropped.labels(cause)
        for cap in ("schedule", "installation"):
            self.capped.labels(cap)

    def watch(self, name: str, read: Callable[[], float]) -> None:
        """Read a gauge by a function whenever somebody asks."""
        self._gauges[name].set_function(read)

    def watch_restarts(self, read: Callable[[], float]) -> None:
        """Read by a function how often watches had to begin again."""
        self._registry.register(WatchRestarts(read))

    def count_call(self, verb: str, code: str) -> None:
        """Count a request and its answer; the code is empty where there was none."""
        self.api_calls.labels(verb, code).inc()

    def count_stored(self, old: JsonObject, new: JsonObject) -> None:
        """Count the verdicts and results that a stored status adds to the one before."""
        before, after = _verdicts(old), _verdicts(new)
        for (verdict, reason), count in after.items():
            if (more := count - before.get((verdict, reason), 0)) > 0:
                self.verdicts.labels(verdict, reason).inc(more)
        self.corrections.inc(sum(max(0, count - after.get(key, 0)) for key, count in before.items()))
        known = {entry["runId"] for entry in old.get("recentSlots", ()) if "result" in entry}
        for entry in new.get("recentSlots", ()):
            if "result" in entry and entry["runId"] not in known:
                self.results.labels(entry["result"]).inc()

    def render(self) -> bytes:
        """Write all metrics in the text format."""
        return generate_latest(self._registry)


def _verdicts(status: JsonObject) -> dict[tuple[str, str], int]:
    verdicts = (status.get("counters") or {}).get("verdicts") or {}
    counts = {("Started", ""): int(verdicts.get("started", 0))}
    for verdict in ("Skipped", "Missed"):
        for reason, count in (verdicts.get(verdict.lower()) or {}).items():
            counts[verdict, reason] = int(count)
    return counts
