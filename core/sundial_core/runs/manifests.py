"""Builds the manifests that Sundial creates; a user's template goes through as raw JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from sundial_clock.instants import format_instant
from sundial_core.resources import names
from sundial_core.resources.phases import Trigger
from sundial_core.resources.raw import JsonObject
from sundial_core.runs.marks import parse_timeout
from sundial_core.runs.retries import NextAttempt
from sundial_core.runs.runner_pods import build_celery_mark, build_env

DISRUPTION_POLICY = {
    "rules": [{"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
}
"""Eviction and node loss end the Job, so that they are told from failure and retried by us, visibly."""

ATTEMPT_VARIABLE = "SUNDIAL_ATTEMPT"
POD_MARKS = (names.SCHEDULED_FOR, names.ATTEMPT)
"""Of the Job's annotations those that its Pods have too; the API server pays for each one, twice a run."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The ScheduledJob that a Job belongs to."""

    ns: str
    name: str
    uid: str
    generation: int
    api_version: str = "sundial.dev/v1alpha1"
    kind: str = "ScheduledJob"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start of a run: everything about it that is not the template."""

    owner: Owner
    run_id: str
    trigger: Trigger
    slot: datetime | None
    previous_slot: datetime | None
    attempt: int
    args: JsonObject | None
    timeout_seconds: int
    """The Job's active deadline."""
    start_timeout_seconds: int = 0
    """Until when a container must have started; 0: not said."""

    @property
    def job_name(self) -> str:
        """The deterministic name of this attempt's Job."""
        return names.build_job_name(self.owner.name, self.run_id, self.attempt)


@dataclass(frozen=True, slots=True)
class Creator:
    """Who creates a Job: the installation and the process in it."""

    installation: str
    instance: str
    term: int


def build_job(attempt: Attempt, template: JsonObject, creator: Creator) -> JsonObject:
    """Build the Job of an attempt from a JobTemplateSpec.

    Retries, deadlines and clean-up are Sundial's: docs/semantics.md, "A run and its attempts".
    """
    metadata = template.get("metadata") or {}
    spec = template.get("spec") or {}
    pod = spec.get("template") or {}
    labels, annotations = build_labels(attempt, creator), build_annotations(attempt, creator)
    annotations |= build_celery_mark(attempt.run_id, attempt.attempt, pod.get("spec") or {})
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _marked(metadata, labels, annotations)
        | {
            "name": attempt.job_name,
            "namespace": attempt.owner.ns,
            "ownerReferences": [_owner_reference(attempt.owner)],
        },
        "spec": spec
        | {
            "backoffLimit": 0,
            "activeDeadlineSeconds": attempt.timeout_seconds,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": DISRUPTION_POLICY,
            "template": {
                "metadata": _marked(pod.get("metadata") or {}, labels, _pick_pod_marks(annotations)),
                "spec": _pod_spec(pod.get("spec") or {}, build_environment(attempt)),
            },
        },
    }


def build_retry_job(
    previous: JsonObject, following: NextAttempt, attempt: Attempt, creator: Creator
) -> JsonObject:
    """Build the Job of the next attempt from the Job before it: an edit applies to later runs only.

    What the API server and the Job controller have added is left out, and so is what ended the Job early. Our
    marks are written anew, because somebody may have changed them. The installation is that of `creator`,
    which may have adopted the run: the fence would refuse a Job of another installation.
    """
    labels, marks = build_labels(attempt, creator), build_annotations(attempt, creator)
    counts = {names.RETRIES_USED: following.retries_used, names.DISRUPTIONS: following.disruptions}
    marks |= {name: str(count) for name, count in counts.items() if count}
    del marks[names.GENERATION]  # of which the first attempt was made
    metadata, spec = previous["metadata"], previous["spec"]
    pod = spec["template"]
    marks |= build_celery_mark(attempt.run_id, attempt.attempt, pod["spec"])
    left_out = ("selector", "manualSelector", "suspend")
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _copy_marked(metadata, labels, marks)
        | {
            "name": attempt.job_name,
            "namespace": metadata["namespace"],
            "ownerReferences": [_owner_reference(attempt.owner)],
        },
        "spec": {field: value for field, value in spec.items() if field not in left_out}
        | {
            "activeDeadlineSeconds": parse_timeout(previous),
            "template": {
                "metadata": _copy_marked(pod.get("metadata") or {}, labels, _pick_pod_marks(marks)),
                "spec": _with_attempt(pod["spec"], following.number),
            },
        },
    }


def build_labels(attempt: Attempt, creator: Creator) -> dict[str, str]:
    """Build the labels by which Jobs and Pods are found."""
    return {
        names.INSTALLATION: creator.installation,
        names.SCHEDULED_JOB: attempt.owner.name,
        names.SCHEDULED_JOB_UID: attempt.owner.uid,
        names.RUN: attempt.run_id,
        names.TRIGGER: attempt.trigger.value,
        names.MANAGED_BY: "sundial",
    }


def build_annotations(attempt: Attempt, creator: Creator) -> dict[str, str]:
    """Build the annotations from which runs are read back."""
    marks = {
        names.ATTEMPT: str(attempt.attempt),
        names.TERM: str(creator.term),
        names.INSTANCE: creator.instance,
        names.GENERATION: str(attempt.owner.generation),
    }
    if attempt.start_timeout_seconds:
        marks[names.START_TIMEOUT] = str(attempt.start_timeout_seconds)
    if attempt.slot is not None:
        marks[names.SCHEDULED_FOR] = format_instant(attempt.slot)
    return marks


def build_environment(attempt: Attempt) -> list[JsonObject]:
    """Build the variables that every container sees."""
    values = {
        names.RUN_VARIABLE: attempt.run_id,
        "SUNDIAL_SCHEDULED_FOR": format_instant(attempt.slot) if attempt.slot else "",
        "SUNDIAL_PREVIOUS_SLOT": format_instant(attempt.previous_slot) if attempt.previous_slot else "",
        ATTEMPT_VARIABLE: str(attempt.attempt),
        "SUNDIAL_TRIGGER": attempt.trigger.value,
        "SUNDIAL_ARGS": orjson.dumps(attempt.args or {}).decode(),
    }
    return build_env(values)


def _without_controllers(labels: Mapping[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in labels.items()
        if not key.startswith("batch.kubernetes.io/") and key not in ("controller-uid", "job-name")
    }


def _pick_pod_marks(annotations: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in annotations.items() if key in POD_MARKS}


def _copy_marked(
    metadata: Mapping[str, Any], labels: Mapping[str, str], marks: Mapping[str, str]
) -> JsonObject:
    """Copy the labels and annotations of the attempt before, with ours written anew."""
    return {
        "labels": _without_controllers(metadata.get("labels") or {}) | dict(labels),
        "annotations": _renewed(metadata.get("annotations") or {}, marks),
    }


def _renewed(annotations: Mapping[str, str], marks: Mapping[str, str]) -> dict[str, str]:
    kept = {
        key: value
        for key, value in annotations.items()
        if key not in OF_ONE_ATTEMPT and not key.startswith("batch.kubernetes.io/")
    }
    return kept | dict(marks)


OF_ONE_ATTEMPT = (
    names.ENDED,
    names.ENDED_MESSAGE,
    names.TIMEOUT,
    names.CANCEL,
    names.SCHEDULED_FOR,
    names.RETRIES_USED,
    names.DISRUPTIONS,
    names.CELERY_TASK,
)


def _with_attempt(spec: Mapping[str, Any], attempt: int) -> JsonObject:
    containers = {
        field: [
            container | {"env": [_count_up(entry, attempt) for entry in container.get("env") or ()]}
            for container in spec[field]
        ]
        for field in ("initContainers", "containers")
        if spec.get(field)
    }
    return dict(spec) | containers


def _count_up(entry: JsonObject, attempt: int) -> JsonObject:
    return {"name": ATTEMPT_VARIABLE, "value": str(attempt)} if entry["name"] == ATTEMPT_VARIABLE else entry


def _owner_reference(owner: Owner) -> JsonObject:
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
    }


def _marked(
    metadata: Mapping[str, Any], labels: Mapping[str, str], annotations: Mapping[str, str]
) -> JsonObject:
    """Take a template's labels and annotations, with ours in place of any under our prefixes."""
    return {
        "labels": _foreign(metadata.get("labels")) | dict(labels),
        "annotations": _foreign(metadata.get("annotations")) | dict(annotations),
    }


def _foreign(marks: Mapping[str, str] | None) -> dict[str, str]:
    return {key: value for key, value in (marks or {}).items() if not key.startswith(names.OWN_PREFIXES)}


def _pod_spec(spec: Mapping[str, Any], environment: list[JsonObject]) -> JsonObject:
    containers = {
        field: _with_environment(spec[field], environment)
        for field in ("initContainers", "containers")
        if spec.get(field)
    }
    return dict(spec) | containers | {"restartPolicy": "Never"}


def _with_environment(containers: Iterable[JsonObject], environment: list[JsonObject]) -> list[JsonObject]:
    """Put our variables first; a variable of that name in the template gives way to ours."""
    ours = {entry["name"] for entry in environment}
    return [
        container
        | {"env": environment + [e for e in container.get("env") or () if e.get("name") not in ours]}
        for container in containers
    ]
