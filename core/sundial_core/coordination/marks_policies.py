"""Three policies at the API server against forged history: who makes marked objects, and who signs.

`sundial-marks-jobs` lets only the operator make Jobs with our labels, `sundial-marks-pods` only the Job
controller Pods with them, and `sundial-signatures` only the REST API write who created and changed a
ScheduledJob or a ScheduledJobRun. Values that stay as they are pass: a re-applied export, GitOps
(docs/architecture.md, "The marks").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sundial_core.coordination.fence import ADMISSION
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject

JOBS_PREFIX, PODS_PREFIX = "sundial-marks-jobs.", "sundial-marks-pods."
SIGNATURES_PREFIX = "sundial-signatures."
PREFIX = "sundial.dev/"

SIGNATURES = (names.CREATED_BY, names.UPDATED_BY, names.UPDATED_AT, names.UPDATED_STATE)
FIELD_MANAGERS = ("sundial-api", "sundial-operator")
JOB_CONTROLLERS = ("system:serviceaccount:kube-system:job-controller", "system:kube-controller-manager")
CONTROLLERS = "system:serviceaccount:kube-system:"
"""Whoever runs there may change owners: the garbage collector does, and cluster admins own that namespace."""

SELECTORS = ("batch.kubernetes.io/controller-uid", "controller-uid")
"""By these a Job finds its Pods: it would adopt one that somebody else has made, with its result."""

IS_BINDING = "(request.subResource == 'binding' || request.resource.resource == 'bindings')"

PROBE = "sundial-signatures-probe"
"""The name of a ScheduledJobRun that is refused for everybody: by that the API sees that the policy works."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The user names of our accounts at the API server: of all installations in the namespaces."""

    operators: tuple[str, ...]
    apis: tuple[str, ...]
    restorers: tuple[str, ...] = ()
    """Who brings objects back from a backup (Velero's account, say): they may write all of it."""


def build_marks_policies(
    installation: str, accounts: Accounts, namespaces: Sequence[str] = ()
) -> list[JsonObject]:
    """Build the policies, each with its binding; without namespaces they hold in all."""
    policies = [
        _build_jobs_policy(JOBS_PREFIX + installation, (*accounts.operators, *accounts.restorers)),
        _build_pods_policy(PODS_PREFIX + installation, accounts.restorers),
        _build_signatures_policy(installation, (*accounts.apis, *accounts.restorers), namespaces),
    ]
    return [*policies, *(_build_binding(policy["metadata"]["name"], namespaces) for policy in policies)]


def say_it_works(installation: str, namespaces: Sequence[str] = ()) -> str:
    """Build the message of the refusal by which the API sees where the policy works, and what it guards."""
    where = f"in {', '.join(namespaces)}" if namespaces else "in all namespaces"
    return f"{SIGNATURES_PREFIX}{installation}: the policy works {where}, and guards {', '.join(SIGNATURES)}"


def is_guarded(message: str, installation: str, watched: Sequence[str]) -> bool:
    """Tell whether a refusal says that the policy works in these namespaces, or (none) in all."""
    begin, end = say_it_works(installation).split("in all namespaces")
    found = re.search(f"{re.escape(begin)}in ([^ ]+(?:, [^ ]+)*|all namespaces){re.escape(end)}", message)
    if found is None:
        return False
    if found[1] == "all namespaces":
        return True
    return bool(watched) and set(watched) <= set(found[1].split(", "))


def _build_jobs_policy(name: str, makers: Sequence[str]) -> JsonObject:
    """Build the policy on Jobs; the marks of the template count, its Pods get those."""
    template = "object.spec.template"
    has_template = f"has({template}.metadata) && has({template}.metadata"
    label = f"'{names.SCHEDULED_JOB_UID}'"
    is_marked = f"{_has_label(label)} || ({has_template}.labels) && {label} in {template}.metadata.labels)"
    kinds = ("labels", "annotations", "templateLabels", "templateAnnotations")
    stays = " && ".join(_stay(kind, names.CANCEL if kind == "annotations" else "") for kind in kinds)
    variables = [*_read_marks("labels"), *_read_marks("annotations"), *_read_owners()]
    for kind in ("labels", "annotations"):
        variables += _read_both(f"template{kind.capitalize()}", f"spec.template.metadata.{kind}")
    return _build_policy(
        name,
        [_build_rule("batch", "v1", "jobs", "jobs/status")],
        conditions=[{"name": "is-marked", "expression": is_marked}],
        variables=variables,
        validations=[
            _forbid(
                f"{_is_by(makers)} || (request.operation == 'UPDATE' && {stays})",
                f"{name}: only Sundial's operator makes Jobs with marks under {PREFIX} and changes them;"
                f" leave them out, or as they are ({names.CANCEL} may be set)",
            ),
            _forbid_other_owners(name, makers),
        ],
    )


def _build_pods_policy(name: str, restorers: Sequence[str]) -> JsonObject:
    """Build the policy on Pods: those with our marks, and those that a Job would adopt.

    The Job controller gives a Pod whatever labels a Job's template has: a Job that selects its Pods by hand
    could have one made that another Job adopts when its own is deleted. The API server gives a Pod the labels
    and annotations of the Binding that puts it on a node: a scheduler sends none.
    """
    marks = (f"'{names.SCHEDULED_JOB_UID}'", *(f"'{label}'" for label in SELECTORS))
    binds = " || ".join(f"({IS_BINDING} && {_has_ours(kind)})" for kind in ("labels", "annotations"))
    is_of_job = (
        "has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(one,"
        " one.kind == 'Job' && one.apiVersion.startsWith('batch/') && has(one.controller) && one.controller"
        f" && {_list(SELECTORS)}.all(mark, !(mark in variables.labels) || variables.labels[mark] == one.uid))"
    )
    stays = f"{_stay('labels')} && {_stay('annotations')}"
    makes = f"request.operation == 'CREATE' && {_is_by(JOB_CONTROLLERS)} && {is_of_job}"
    return _build_policy(
        name,
        [_build_rule("", "v1", "pods", "pods/status", "pods/binding", "bindings")],
        conditions=[{"name": "is-marked", "expression": " || ".join((*map(_has_label, marks), binds))}],
        variables=[*_read_marks("labels"), *_read_marks("annotations"), *_read_owners()],
        validations=[
            _forbid(
                f"{_is_by(restorers)} || ({makes}) || (request.operation == 'UPDATE'"
                f" && ({_is_by(JOB_CONTROLLERS)} || ({stays})))",
                f"{name}: only the Job controller makes Pods with marks under {PREFIX}, or with those by"
                " which a Job finds its Pods, and those of another Job never; leave them out, or as they are",
            ),
            _forbid_other_owners(name, restorers),
        ],
    )


def _build_signatures_policy(
    installation: str, writers: Sequence[str], namespaces: Sequence[str]
) -> JsonObject:
    """Build the policy on who has written our own kinds; to take a signature away forges nothing."""
    name = SIGNATURES_PREFIX + installation
    same = (
        f"{_list(SIGNATURES)}.all(mark, !(mark in variables.annotations) || (mark in variables.oldAnnotations"
        " && variables.annotations[mark] == variables.oldAnnotations[mark]))"
    )
    time = "(has(entry.time) ? string(entry.time) : '') == (has(old.time) ? string(old.time) : '')"
    written_before = (
        f"variables.oldManagers.exists(old, has(old.manager) && old.manager == entry.manager && {time})"
    )
    managers = (
        f"variables.managers.all(entry, !has(entry.manager) || !(entry.manager in {_list(FIELD_MANAGERS)})"
        f" || (has(entry.subresource) && entry.subresource == 'status') || {written_before})"
    )
    is_probe = f"request.dryRun == true && object.metadata.name == '{PROBE}'"
    return _build_policy(
        name,
        [_build_rule("sundial.dev", "v1alpha1", "scheduledjobs", "scheduledjobruns")],
        conditions=[],
        variables=[*_read_marks("annotations"), *_read_managers()],
        validations=[
            _forbid(f"!({is_probe})", say_it_works(installation, namespaces)),
            _forbid(
                f"{_is_by(writers)} || {same}",
                f"{name}: only Sundial's API writes {', '.join(SIGNATURES)}; leave them out, or as they are"
                " (policies.restorers of the chart names who restores backups)",
            ),
            _forbid(
                f"{_is_by(writers)} || {managers}",
                f"{name}: only Sundial writes as {' or '.join(FIELD_MANAGERS)};"
                " choose another --field-manager",
            ),
        ],
    )


def _build_policy(
    name: str,
    rules: list[JsonObject],
    *,
    conditions: list[JsonObject],
    variables: list[JsonObject],
    validations: list[JsonObject],
) -> JsonObject:
    return {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": rules},
            "matchConditions": conditions,
            "variables": variables,
            "validations": validations,
        },
    }


def _build_rule(group: str, version: str, *resources: str) -> JsonObject:
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "operations": ["CREATE", "UPDATE"],
        "resources": list(resources),
    }


def _build_binding(name: str, namespaces: Sequence[str]) -> JsonObject:
    spec: JsonObject = {"policyName": name, "validationActions": ["Deny"]}
    if namespaces:
        chosen = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(namespaces)}
        spec["matchResources"] = {"namespaceSelector": {"matchExpressions": [chosen]}}
    return {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": spec,
    }


def _forbid(expression: str, message: str) -> JsonObject:
    """Build a validation: what is not so is forbidden."""
    return {"expression": expression, "message": message, "reason": "Forbidden"}


def _forbid_other_owners(name: str, makers: Sequence[str]) -> JsonObject:
    """Build the validation that owners stay, but for controllers."""
    by = f"{_is_by((*JOB_CONTROLLERS, *makers))} || request.userInfo.username.startsWith('{CONTROLLERS}')"
    return _forbid(
        f"request.operation == 'CREATE' || variables.owners == variables.oldOwners || {by}",
        f"{name}: an object with marks under {PREFIX} keeps its ownerReferences",
    )


def _has_label(label: str) -> str:
    """Build the condition that an object has a label, or had it."""
    return (
        f"(has(object.metadata.labels) && {label} in object.metadata.labels)"
        f" || (oldObject != null && has(oldObject.metadata.labels) && {label} in oldObject.metadata.labels)"
    )


def _has_ours(kind: str) -> str:
    """Build the condition that an object has marks of ours among its labels or annotations."""
    path = f"object.metadata.{kind}"
    return f"has({path}) && {path}.exists(mark, mark.startsWith('{PREFIX}'))"


def _is_by(users: Sequence[str]) -> str:
    return f"request.userInfo.username in {_list(users)}"


def _read_marks(kind: str) -> Iterator[JsonObject]:
    """Build the variables with the labels or annotations, now and before."""
    yield from _read_both(kind, f"metadata.{kind}")


def _read_both(name: str, path: str, *, empty: str = "{}", shown: str = "") -> Iterator[JsonObject]:
    """Build the variables with what is at a path now, and was there before; `empty` for nothing."""
    parts = path.split(".")
    for variable, root in ((name, "object"), (f"old{name[0].upper()}{name[1:]}", "oldObject")):
        steps = [".".join((root, *parts[: end + 1])) for end in range(1, len(parts))]
        known = " && ".join(f"has({step})" for step in steps)
        exists = known if root == "object" else f"oldObject != null && {known}"
        yield {"name": variable, "expression": f"{exists} ? {root}.{path}{shown} : {empty}"}


def _read_owners() -> Iterator[JsonObject]:
    """Build the variables with the owners, now and before: who they are, and which one controls."""
    shown = ".map(one, one.uid + (has(one.controller) && one.controller ? ' controls' : ''))"
    yield from _read_both("owners", "metadata.ownerReferences", empty="[]", shown=shown)


def _read_managers() -> Iterator[JsonObject]:
    """Build the variables with who has written what, now and before."""
    now, before = "object.metadata.managedFields", "oldObject.metadata.managedFields"
    yield {"name": "managers", "expression": f"has({now}) ? {now} : []"}
    yield {
        "name": "oldManagers",
        "expression": f"oldObject != null && has({before}) ? {before} : []",
    }


def _stay(kind: str, free: str = "") -> str:
    """Build the condition that none of our marks of a kind was added, changed or removed, but for one.

    Nor those by which a Job finds its Pods.
    """
    now, old = f"variables.{kind}", f"variables.old{kind[0].upper()}{kind[1:]}"
    is_ours = f"(mark.startsWith('{PREFIX}') || mark in {_list(SELECTORS)}) && mark != '{free}'"
    return (
        f"{now}.all(mark, !({is_ours}) || (mark in {old} && {old}[mark] == {now}[mark]))"
        f" && {old}.all(mark, !({is_ours}) || mark in {now})"
    )


def _list(values: Sequence[str]) -> str:
    """Write a list of texts in CEL; none of ours needs an escape."""
    return "[" + ", ".join(f"'{value}'" for value in values) + "]"
