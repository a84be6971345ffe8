"""What a Pod of ours says: whether it has started, what it waits for, why it failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sundial_core.resources import names
from sundial_core.resources.messages import clean_message
from sundial_core.resources.objects import controller_uid
from sundial_core.resources.raw import JsonObject
from sundial_core.runs import containers
from sundial_core.runs.runner_pods import RunnerPlace, find_runner


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """A Pod of one of our Jobs as last seen."""

    uid: str
    resource_version: int
    owner_uid: str
    job_uid: str
    has_started: bool
    """One of the user's own containers has started."""
    failure: tuple[str, str] | None
    """Reason and message when a container ended with another code than 0; the user's own before others."""
    wait: tuple[str, str] | None = None
    """Reason and message why none has started."""
    ns: str = ""
    runner: str = ""
    """The ConfigMap that it has the runner from, if it has one."""
    runner_exit_code: int | None = None
    """With which code the container ended that runs the runner."""


def parse_pod(item: JsonObject) -> ObservedPod:
    """Read a Pod of ours from its JSON; what its containers wrote is left out, it may hold secrets.

    Raises KeyError or ValueError when our marks are missing.
    """
    metadata = item["metadata"]
    status = item.get("status") or {}
    job_uid = controller_uid(metadata)
    if not job_uid:
        raise ValueError("the Pod has no controller")
    failures = containers.list_failures(item)
    place = find_runner(item.get("spec") or {})
    return ObservedPod(
        uid=metadata["uid"],
        resource_version=int(metadata["resourceVersion"]),
        owner_uid=metadata["labels"][names.SCHEDULED_JOB_UID],
        job_uid=job_uid,
        has_started=containers.has_started(item),
        failure=_describe_failure(failures[0]) if failures else None,
        wait=_find_wait(status, containers.list_all(item)),
        ns=metadata.get("namespace", ""),
        runner=place.config_map if place else "",
        runner_exit_code=_find_exit_code(status, place) if place else None,
    )


def _find_exit_code(status: Mapping[str, Any], place: RunnerPlace) -> int | None:
    states = status.get("containerStatuses") or ()
    ends = [containers.read_end(state) for state in states if state["name"] == place.container["name"]]
    return next((end.get("exitCode") for end in ends), None)


def _find_wait(status: Mapping[str, Any], states: Iterable[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Find why no container has started: what one waits for, else why the Pod has no node."""
    waits = [(container.get("state") or {}).get("waiting") or {} for container in states]
    telling = [wait for wait in waits if wait.get("reason") not in (None, *USUAL_WAITS)]
    unscheduled = [
        condition
        for condition in status.get("conditions") or ()
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False"
    ]
    usual = [wait for wait in waits if wait.get("reason")]
    found = next(iter((*telling, *unscheduled, *usual)), None)
    if found is None:
        return None
    return str(found.get("reason", "")), clean_message(str(found.get("message", "")))


NEVER_RAN = ("StartError", "ContainerCannotRun")
"""Reasons with which the message is the runtime's, not the container's own."""

USUAL_WAITS = ("ContainerCreating", "PodInitializing")


def _describe_failure(state: JsonObject) -> tuple[str, str]:
    end = containers.read_end(state)
    reason = clean_message(str(end.get("reason") or "Error"))
    sentence = f"container {state['name']} exited with code {end.get('exitCode')}"
    if reason == "Error":
        return reason, sentence
    said = clean_message(str(end.get("message") or "")) if reason in NEVER_RAN else ""
    return reason, f"{sentence} ({reason}: {said})" if said else f"{sentence} ({reason})"
