"""The fence at the API server: a policy that refuses Jobs of an older leader's term, and its probe.

The parameter is a custom resource and not the Lease because of kubernetes#130887: a policy whose
built-in parameter kind was unbound for seconds keeps reading frozen parameters.
"""

from __future__ import annotations

from enum import StrEnum

from sundial_core.resources import names
from sundial_core.resources.names import POLICY_PREFIX
from sundial_core.resources.raw import JsonObject

ADMISSION = "admissionregistration.k8s.io/v1"


class FenceState(StrEnum):
    """What the probe has found."""

    OK = "ok"
    BROKEN = "broken"
    ABSENT = "absent"
    UNKNOWN = "unknown"


def build_fence(installation: str, ns: str, leader_term: str) -> list[JsonObject]:
    """Build the policy and its binding for one installation, whose LeaderTerm is `ns`/`leader_term`."""
    name = POLICY_PREFIX + installation
    term = f"object.metadata.annotations['{names.TERM}']"
    validation = {
        "expression": f"has(object.metadata.annotations) && '{names.TERM}' in object.metadata.annotations"
        f" && int({term}) == params.spec.term",
        "message": f"{name}: this Job is of another term than the leader's",
        "reason": "Forbidden",
    }
    policy = {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "paramKind": {"apiVersion": "sundial.dev/v1alpha1", "kind": "LeaderTerm"},
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["batch"],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["jobs"],
                    }
                ],
                "objectSelector": {"matchLabels": {names.INSTALLATION: installation}},
            },
            "validations": [validation],
        },
    }
    return [policy, _build_binding(name, ns, leader_term)]


def _build_binding(name: str, ns: str, leader_term: str) -> JsonObject:
    return {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "paramRef": {"name": leader_term, "namespace": ns, "parameterNotFoundAction": "Deny"},
            "validationActions": ["Deny"],
        },
    }


def build_probe(installation: str, ns: str, term: int, image: str = "sundial") -> JsonObject:
    """Build a Job that is only ever sent as a dry run, to see whether its term would pass.

    It is one that policies of registries and of hardened Pods let pass.
    """
    container = {
        "name": "probe",
        "image": image,
        "resources": {"limits": {"cpu": "10m", "memory": "16Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"sundial-fence-probe-{term}",
            "namespace": ns,
            "labels": {names.INSTALLATION: installation},
            "annotations": {names.TERM: str(term)},
        },
        "spec": {"template": {"spec": pod}},
    }


def classify_probe(own_passes: bool, older_passes: bool) -> FenceState:  # noqa: FBT001 - two facts, one truth table
    """Classify the fence by whether a Job of the leader's term passes, and one of the term before."""
    if not own_passes:
        return FenceState.BROKEN
    return FenceState.ABSENT if older_passes else FenceState.OK
