"""What makes some objects slow or impossible to write, beside a fault of the leader: nobody else may notice.

Each is a context manager of the Scene, as in `disturbances`. It goes on for a while after the takeover, so
that the lateness of healthy schedules can be measured.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from chaos.crew import read_utc_clock
from chaos.faults import Scene
from chaos.workload import REFUSED, REFUSING, WEBHOOK, build_refusal, build_slow
from testkit.processes.webhooks import SlowWebhook

from sundial_devcluster.cluster import KubectlError
from sundial_devcluster.polling import until

LEAST_DELAY_SECONDS, MOST_DELAY_SECONDS = 1.5, 5.0
IN_EFFECT_SECONDS = 30.0
WEBHOOKS, STATUSES = "slow webhooks", "refused statuses"
REASONS = ("Invalid", "Forbidden")
"""As what the API server refuses a status: as 422 and as 403."""

NUMBERS = itertools.count(1)


@contextlib.contextmanager
def slow_webhook(scene: Scene, namespaces: Sequence[str]) -> Iterator[None]:
    """Let a webhook take its time over each Job of some namespaces, where many are due at once."""
    seconds = scene.chance.uniform(LEAST_DELAY_SECONDS, MOST_DELAY_SECONDS)
    with tempfile.TemporaryDirectory() as folder, _serve(scene, Path(folder), seconds):
        ends_at = read_utc_clock() + timedelta(seconds=scene.stay_seconds + 2 * scene.lease_seconds)
        manifests = build_slow(next(NUMBERS), namespaces, ends_at)
        scene.arena.insist("apply", "--server-side", "-f", "-", manifests=manifests)
        with scene.note_window(WEBHOOKS):
            yield
            time.sleep(scene.stay_seconds)


@contextlib.contextmanager
def refuse_statuses(scene: Scene) -> Iterator[None]:
    """Let the API server refuse every status of some schedules."""
    manifests = build_refusal(scene.chance.choice(REASONS))
    scene.arena.insist("apply", "--server-side", "-f", "-", manifests=manifests)
    try:
        until(lambda: _is_refused(scene), IN_EFFECT_SECONDS, every=0.3)
        with scene.note_window(STATUSES):
            yield
            time.sleep(scene.stay_seconds)
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            scene.arena.insist("delete", kind, REFUSING, "--ignore-not-found")


@contextlib.contextmanager
def _serve(scene: Scene, folder: Path, seconds: float) -> Iterator[None]:
    webhook = SlowWebhook(folder, seconds)
    webhook.start()
    try:
        configuration = webhook.build_configuration(WEBHOOK)
        scene.arena.insist("apply", "--server-side", "-f", "-", manifests=[configuration])
        yield
    finally:
        scene.arena.insist("delete", "validatingwebhookconfiguration", WEBHOOK, "--ignore-not-found")
        webhook.stop()


def _is_refused(scene: Scene) -> bool:
    patch = '{"status": {"scheduleText": "refused?"}}'
    where = ("sj", "allow", "-n", REFUSED, "--subresource=status", "--dry-run=server")
    try:
        scene.arena.kubectl("patch", *where, "--type=merge", "-p", patch)
    except KubectlError as error:
        return "statuses are refused" in str(error)
    return False
