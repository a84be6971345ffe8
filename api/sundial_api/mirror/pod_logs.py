"""How is the log of a Pod read that is known to be a run's own? Between two looks at whose Pod it is."""

from __future__ import annotations

from collections.abc import Callable

from sundial_api.mirror.projection.custody import KnownPod
from sundial_api.mirror.projection.log_texts import READ_BYTES, PodLog
from sundial_api.mirror.projection.run_facts import find_message
from sundial_core.resources.objects import controller_uid
from sundial_core.resources.raw import JsonObject
from sundial_core.runs import containers
from sundial_kube.client import KubeClient
from sundial_kube.errors import NOT_FOUND, ApiError, ApiUnreachable
from sundial_kube.resources import PODS

FEWER = 4
"""By how much fewer lines are asked for where they were too long: 15 pieces of a long one fit in any case."""
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"

ContainerChoice = Callable[[JsonObject], str]
"""Chooses the container of a Pod whose log is meant."""


class PodGone(Exception):
    """The Pod is not there any more; of its name there may be another."""


class LogRefused(Exception):
    """The Pod is there, and its log could not be read, because of an ApiError or ApiUnreachable."""

    def __init__(self, cause: ApiError | ApiUnreachable) -> None:
        super().__init__(str(cause))
        self.cause = cause


async def read_pod_log(
    client: KubeClient, pod: KnownPod, choose: ContainerChoice, lines: int, most: int = READ_BYTES
) -> PodLog:
    """Read the end of a log between two looks at whose it is: names are used again, UIDs never.

    So many lines are read, or fewer that have so many bytes together. Raises PodGone, LogRefused, and what
    the first look leads to: ApiError and ApiUnreachable.
    """
    item = await _get_own(client, pod)
    container = choose(item)
    try:
        data, read = await _read_tail(client, pod, container, lines, most)
        await _get_own(client, pod)
    except (ApiError, ApiUnreachable) as error:
        if isinstance(error, ApiError) and error.status == NOT_FOUND:
            raise PodGone(pod.name) from error
        raise LogRefused(error) from error
    return PodLog(container, tuple(list_containers(item)), data, read, lines)


async def _get_own(client: KubeClient, pod: KnownPod) -> JsonObject:
    item = await client.get_or_none(PODS, pod.ns, pod.name)
    if item is None or (item["metadata"]["uid"], controller_uid(item["metadata"])) != (pod.uid, pod.job_uid):
        raise PodGone(pod.name)
    return item


async def _read_tail(
    client: KubeClient, pod: KnownPod, container: str, lines: int, most: int
) -> tuple[bytes, int]:
    """Read the last lines, fewer where they are too long; returns of how many it is the end."""
    path = PODS.path(pod.ns, pod.name, "log")
    while True:
        limits = {"tailLines": str(lines), "limitBytes": str(most), "container": container}
        data = await client.read_text(path, limits, most)
        if len(data) < most or lines == 1:
            return data, lines
        lines = max(1, lines // FEWER)


def list_containers(pod: JsonObject) -> list[str]:
    """List the containers of a Pod, first the one that its log is about, init containers last."""
    spec, metadata = pod["spec"], pod["metadata"]
    names = [one["name"] for part in ("containers", "initContainers") for one in spec.get(part) or ()]
    default = (metadata.get("annotations") or {}).get(DEFAULT_CONTAINER)
    return sorted(names, key=lambda name: name != default)


def choose_failed(pod: JsonObject) -> str:
    """Choose the container that failed, else the first that has begun, the user's own before others."""
    begun = [
        state
        for state in containers.list_all(pod)
        if {"running", "terminated"} & set(state.get("state") or ())
    ]
    chosen = next(iter((*containers.list_failures(pod), *begun)), None)
    return chosen["name"] if chosen is not None else list_containers(pod)[0]


def choose_reporter(pod: JsonObject) -> str:
    """Choose the container that told of the run; its first where none did."""
    return find_message(pod)[0] or list_containers(pod)[0]
