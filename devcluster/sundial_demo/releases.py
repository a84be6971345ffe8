"""Sundial as a release of the chart: installed, watched over, and uninstalled where the cluster stays."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from sundial_demo.forwards import Forward, forwarded
from sundial_demo.ground import Ground, Report
from sundial_demo.helm import RELEASE, SECRET, SYSTEM, UNINSTALL, build_installation, run_helm
from sundial_demo.installation import ACCOUNT, NAMESPACE, dump, wait_served
from sundial_demo.systems import PATH, Api, System
from sundial_demo.ways import Asked
from sundial_devcluster.choose import Kind
from sundial_devcluster.errors import ClusterError, KubectlError
from sundial_devcluster.polling import until
from sundial_devcluster.postgres import Admission, own_postgres

START_SECONDS = 300
CHECK_EVERY, OUTAGE_SECONDS = 5, 30
TAIL_LINES = 15
STUCK = ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError")
JsonObject = dict[str, Any]


class Deployed:
    """Know a Deployment of the release."""

    def __init__(self, ground: Ground, component: str, answers: Callable[[], bool] = lambda: True) -> None:
        self._ground = ground
        self._component = component
        self._answers = answers
        self._looked = self._well = time.monotonic()

    def wait(self) -> None:
        """Wait until a Pod is ready; raises ClusterError as soon as none can be."""
        try:
            until(self.is_available, START_SECONDS, every=0.5)
        except TimeoutError:
            sentence = f"The {self._component} has no Pod that is ready within {START_SECONDS} s"
            raise self.failure(sentence) from None

    def is_available(self) -> bool:
        """Tell whether a Pod is ready; raises ClusterError when it waits for what will not come."""
        selector = f"--selector=app.kubernetes.io/instance={RELEASE}"
        listed = self._ground.kubectl(
            "get", "deployments,pods", f"--namespace={SYSTEM}", selector, "-o", "json"
        )
        found = json.loads(listed)["items"]
        if trouble := next(filter(None, map(find_trouble, found)), None):
            raise ClusterError(trouble)
        own = [one for one in found if one["metadata"]["name"] == f"{RELEASE}-{self._component}"]
        return any(one["status"].get("availableReplicas") for one in own if one["kind"] == "Deployment")

    def check(self) -> None:
        """Look every few seconds; raise ClusterError after half a minute without a Pod that answers."""
        now = time.monotonic()
        if now < self._looked + CHECK_EVERY:
            return
        self._looked = now
        if self.is_available() and self._answers():
            self._well = now
        elif now > self._well + OUTAGE_SECONDS:
            raise self.failure(f"The {self._component} is away for {OUTAGE_SECONDS} s")

    def failure(self, sentence: str) -> ClusterError:
        """Return an error with the tail of its log."""
        target = (f"deployment/{RELEASE}-{self._component}", f"--namespace={SYSTEM}", "--all-containers")
        try:
            tail = self._ground.kubectl("logs", *target, f"--tail={TAIL_LINES}").strip()
        except KubectlError as error:
            tail = error.stderr.strip()
        return ClusterError(f"{sentence}; its log ends:\n{tail}")


def find_trouble(item: JsonObject) -> str | None:
    """Find why a Deployment or Pod cannot come up, if that is sure."""
    name, status = item["metadata"]["name"], item.get("status", {})
    for one in status.get("conditions", ()):
        if one["type"] == "ReplicaFailure" and one["status"] == "True":
            return f"No Pod of {name} can be created: {one.get('message', '')}"
    containers = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    for container in containers:
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in STUCK:
            said = f"{waiting['reason']}: {waiting.get('message', '')}"
            return f"The Pod {name} cannot start with the image {container['image']}: {said}"
    return None


@contextmanager
def released(
    ground: Ground, asked: Asked, image: str, present: Sequence[str], report: Report
) -> Iterator[System]:
    """Install the chart and give what it runs, the operator ready; uninstall it from a cluster that stays."""
    with ExitStack() as exits:
        if ground.cluster is not None:
            report("starting a Postgres beside the cluster")
            exits.enter_context(_database(ground))
        scope = NAMESPACE if ground.kind is Kind.CURRENT else ""
        command = build_installation(ground.kind, asked, image, present, scope)
        exits.enter_context(_uninstalled(ground, report))
        report(f"installing the chart: helm {' '.join(command)}")
        run_helm(ground, *command)
        wait_served(ground)
        report("waiting for the operator's Pod")
        operator = Deployed(ground, "operator")
        operator.wait()
        yield System(operator, lambda: _reached(ground, report))


@contextmanager
def _uninstalled(ground: Ground, report: Report) -> Iterator[None]:
    """Uninstall the release where the cluster outlives the demo; what goes wrong then is told, not raised."""
    try:
        yield
    finally:
        if ground.kind is Kind.CURRENT:
            report(f"uninstalling the release {RELEASE}")
            try:
                run_helm(ground, *UNINSTALL)
            except ClusterError as error:
                report(f"left in the cluster: {error}")


@contextmanager
def _database(ground: Ground) -> Iterator[None]:
    """Run a Postgres that Pods of the local cluster reach, and create the Secret that names it."""
    wire = ground.cluster.plan.addresses.wire if ground.cluster else None
    if wire is None:
        raise ClusterError("Pods of this cluster reach nothing beside it.")
    admission = Admission(wire.host_address, wire.pod_network, RELEASE, secrets.token_hex(16))
    with own_postgres(ground.folder, admission):
        metadata = {"name": SECRET, "namespace": SYSTEM}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "stringData": {"uri": admission.url},
        }
        ground.kubectl("create", "-f", "-", text=dump([secret]))
        yield


@contextmanager
def _reached(ground: Ground, report: Report) -> Iterator[Api]:
    """Wait for the API's Pod, and give the API by a loopback address, with a token of the demo's account."""
    report("waiting for the API's Pod")
    Deployed(ground, "api").wait()
    with forwarded(ground, SYSTEM, f"{RELEASE}-api") as forward:
        service = Deployed(ground, "api", lambda: forward.answers("/livez"))
        token = ground.kubectl(
            "create", "token", ACCOUNT, f"--namespace={NAMESPACE}", "--duration=24h"
        ).strip()
        api = Api(service, f"{forward.url}{PATH}", token)
        wait_mirrored(ground, api, forward)
        yield api


def wait_mirrored(ground: Ground, api: Api, forward: Forward) -> None:
    """Wait until the API has mirrored all that the demo has created."""
    created = ground.kubectl("get", "scheduledjobs,taskfunctions", f"--namespace={NAMESPACE}", "-o", "name")

    def is_mirrored() -> bool:
        forward.keep()
        return api.count_known() >= len(created.split())

    try:
        until(is_mirrored, OUTAGE_SECONDS * 2, every=0.2)
    except TimeoutError:
        raise api.service.failure(f"The API at {forward.url} does not tell of all jobs") from None
