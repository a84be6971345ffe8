"""How well does the mirror do? Its Prometheus metrics."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LAGS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class MirrorMetrics:
    """What the mirror counts and measures, in a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        self.lag = histogram(
            "sundial_mirror_lag_seconds", "From a change's arrival from the cluster to its row.", buckets=LAGS
        )
        self.batch = histogram(
            "sundial_mirror_batch_seconds", "How long a batch takes to write.", buckets=LAGS
        )
        self.changes = counter("sundial_mirror_changes", "Changes of objects written, by kind.", ["kind"])
        self.quarantined = counter("sundial_mirror_quarantined", "Objects that could not be read or written.")
        self.unknown_outcomes = counter(
            "sundial_mirror_unknown_outcomes", "Runs whose outcome was never seen."
        )
        self.gaps = counter("sundial_mirror_gaps", "Times that slots passed while nothing was mirrored.")
        self.doubted_lists = counter(
            "sundial_mirror_doubted_lists", "Lists so short that a second one was asked for."
        )
        self.corrected_totals = counter(
            "sundial_mirror_corrected_totals",
            "Jobs whose totals of executions were wrong and were counted again.",
        )
        self.sessions = counter(
            "sundial_mirror_sessions", "Times that this process became the active mirror."
        )
        self.failures = counter("sundial_mirror_failures", "What ended sessions of the mirror.", ["error"])
        self.log_tails = counter(
            "sundial_mirror_log_tails", "Logs that were wanted, by what became of them.", ["outcome"]
        )
        self.log_tail_failures = counter(
            "sundial_mirror_log_tail_failures",
            "What kept logs from being read.",
            ["error"],
        )
        self.last_beat = gauge(
            "sundial_mirror_last_beat_timestamp_seconds",
            "When this process last committed as the active mirror how far it is; 0: never.",
        )
        self.synced = gauge(
            "sundial_mirror_synced", "1 while this process mirrors and all lists are written."
        )
        self.sync_seconds = gauge("sundial_mirror_sync_seconds", "How long the newest first sync took.")
        self.epoch = gauge("sundial_mirror_epoch", "The life of the cluster's store.")
        self._waiting = gauge("sundial_mirror_waiting", "Changes that wait to be written.")

    def watch_waiting(self, count: Callable[[], float]) -> None:
        """Show how many changes wait, as that function counts them when asked."""
        self._waiting.set_function(count)
