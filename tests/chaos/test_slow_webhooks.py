"""Namespaces whose Jobs take long to create delay no others: one of them, and forty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from testkit.processes.operators import (
    JsonObject,
    Starter,
    Sundial,
    build_scheduled_job,
    build_template,
    slot_of,
)
from testkit.processes.webhooks import LABEL, SlowWebhook, slow_down

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until

SLOW_SCHEDULES = 80
WEBHOOK_SECONDS = 8
PERIOD = timedelta(seconds=5)
SECOND = timedelta(seconds=1)
ENDED = "sundial.dev/ended"
PRODUCTION = {
    "SUNDIAL_WATCH_NAMESPACES": "",
    "SUNDIAL_LEASE_SECONDS": "15",
    "SUNDIAL_RENEW_DEADLINE_SECONDS": "10",
    "SUNDIAL_RENEW_PERIOD_SECONDS": "2",
}


@pytest.fixture
def webhook(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[SlowWebhook]:
    """Give a webhook that is slow about Jobs in the namespaces labelled with the test's own."""
    with slow_down(cluster, tmp_path, namespace, WEBHOOK_SECONDS) as webhook:
        yield webhook
    cluster.kubectl("delete", "namespaces", "-l", f"{LABEL}={namespace}", "--wait=false")


def _build_healthy() -> JsonObject:
    """Build a schedule that is not caught up on, and whose runs hold up nothing."""
    spec = {"concurrency": {"policy": "Allow"}, "catchUp": {"policy": "None"}, "history": {"successful": 99}}
    return build_scheduled_job("healthy", {"interval": {"seconds": PERIOD.seconds}}, **spec)


def _build_long() -> JsonObject:
    """Build a schedule with one run that takes an hour."""
    soon = (datetime.now(UTC) + 2 * SECOND).replace(microsecond=0).isoformat()
    template = build_template(["sleep"], **{"pod-complete.stage.kwok.x-k8s.io/delay": "1h"})
    return build_scheduled_job("long", {"at": soon}, template=template, timeoutSeconds=3600)


def _apply_slow(sundial: Sundial, namespaces: int) -> None:
    """Create the slow namespaces, and the schedules in them, all due at the same instants."""
    names = [f"{sundial.ns}-slow-{number}" for number in range(namespaces)]
    items: list[JsonObject] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {LABEL: sundial.ns}}}
        for name in names
    ]
    for number in range(SLOW_SCHEDULES):
        schedule = {"interval": {"seconds": 10}, "anchor": "2026-01-01T00:00:03Z"}
        item = build_scheduled_job(f"slow-{number}", schedule, catchUp={"policy": "None"})
        items.append(item | {"metadata": item["metadata"] | {"namespace": names[number % namespaces]}})
    manifest = {"apiVersion": "v1", "kind": "List", "items": items}
    sundial.cluster.kubectl("create", "-f", "-", input=json.dumps(manifest))


def _lateness(job: JsonObject) -> timedelta:
    """How late a Job was created; creation times are whole seconds."""
    created = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
    return created - datetime.fromisoformat(slot_of(job))


def _cancel(sundial: Sundial, name: str) -> None:
    """Cancel a run, and wait until the operator has ended it and its schedule says so."""
    (job,) = sundial.jobs(name)
    job_name = job["metadata"]["name"]
    sundial.cluster.kubectl("annotate", "job", job_name, "-n", sundial.ns, "sundial.dev/cancel=true")
    until(lambda: ENDED in sundial.jobs(name)[0]["metadata"]["annotations"], WEBHOOK_SECONDS - 1)
    until(lambda: sundial.status(name).get("lastResult") == "Cancelled")


@pytest.mark.parametrize("namespaces", [1, 40])
def test_a_slow_webhook_delays_nobody_else(
    namespaces: int, webhook: SlowWebhook, start_operator: Starter
) -> None:
    sundial = start_operator(**PRODUCTION)
    sundial.apply(_build_healthy())
    sundial.apply(_build_long())
    until(lambda: sundial.jobs("healthy") and sundial.jobs("long"))
    _apply_slow(sundial, namespaces)
    until(lambda: webhook.asked >= 16)
    _cancel(sundial, "long")
    seen = len(sundial.jobs("healthy"))
    jobs = until(lambda: len(found := sundial.jobs("healthy")) > seen + 3 and found)
    slots = [datetime.fromisoformat(slot_of(job)) for job in jobs]
    assert [later - earlier for earlier, later in pairwise(slots)] == [PERIOD] * (len(jobs) - 1)
    assert max(map(_lateness, jobs)) < WEBHOOK_SECONDS / 2 * SECOND
    assert "sundial_slow_namespaces 0.0" not in sundial.health("/metrics")[1]
    assert sundial.status("healthy")["counters"]["verdicts"].keys() == {"started"}
