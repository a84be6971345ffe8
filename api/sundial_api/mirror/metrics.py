"""How well does the mirror do? Its Prometheus metrics."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LAGS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class MirrorMetrics:
    """What the mirror counts and measures, in a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lag = Histogram(
            "sundial_mirror_lag_seconds",
            "From a change's arrival from the cluster to its row.",
            buckets=LAGS,
            registry=registry,
        )
        self.batch = Histogram(
            "sundial_mirror_batch_seconds",
            "How long a batch takes to write.",
            buckets=LAGS,
            registry=registry,
        )
        self.changes = Counter(
            "sundial_mirror_changes",
            "Changes of objects written, by kind.",
            ["kind"],
            registry=registry,
        )
        self.quarantined = Counter(
            "sundial_mirror_quarantined",
            "Objects that could not be read or written.",
            registry=registry,
        )
        self.unknown_outcomes = Counter(
            "sundial_mirror_unknown_outcomes",
            "Runs whose outcome was never seen.",
            registry=registry,
        )
        self.gaps = Counter(
            "sundial_mirror_gaps",
            "Times that slots passed while nothing was mirrored.",
            registry=registry,
        )
        self.doubted_lists = Counter(
            "sundial_mirror_doubted_lists",
            "Lists so short that a second one was asked for.",
            registry=registry,
        )
        self.corrected_totals = Counter(
            "sundial_mirror_corrected_totals",
            "Jobs whose totals of executions were wrong and were counted again.",
            registry=registry,
        )
        self.sessions = Counter(
            "sundial_mirror_sessions",
            "Times that this process became the active mirror.",
            registry=registry,
        )
        self.synced = Gauge(
            "sundial_mirror_synced",
            "1 while this process mirrors and all lists are written.",
            registry=registry,
        )
        self.sync_seconds = Gauge(
            "sundial_mirror_sync_seconds",
            "How long the newest first sync took.",
            registry=registry,
        )
        self.epoch = Gauge("sundial_mirror_epoch", "The life of the cluster's store.", registry=registry)
        self._waiting = Gauge("sundial_mirror_waiting", "Changes that wait to be written.", registry=registry)

    def watch_waiting(self, count: Callable[[], float]) -> None:
        """Show how many changes wait, as that function counts them when asked."""
        self._waiting.set_function(count)
