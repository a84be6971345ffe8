"""Whether Argo CD, Flux or Helm looks after an object: what is deleted of theirs, they create again.

Which of their applications it is of, is what the marks claim: anybody may write them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KEEPERS = {
    "argocd.argoproj.io/": "Argo CD",
    "kustomize.toolkit.fluxcd.io/": "Flux",
    "helm.toolkit.fluxcd.io/": "Flux",
    "meta.helm.sh/": "Helm",
    "helm.sh/": "Helm",
}
"""Whose the labels and annotations are that these tools set on what they apply, by their prefixes."""

INSTANCE = "app.kubernetes.io/instance"
"""The label by which Argo CD tracks objects unless told otherwise."""

MANAGER = "app.kubernetes.io/managed-by"

TRACKING_ID = "argocd.argoproj.io/tracking-id"
"""What Argo CD writes instead of the label, `<application>:<group>/<kind>:<namespace>/<name>`."""

NAMES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Argo CD": (("", "argocd.argoproj.io/instance"), ("", INSTANCE)),
    "Flux": (
        ("kustomize.toolkit.fluxcd.io/namespace", "kustomize.toolkit.fluxcd.io/name"),
        ("helm.toolkit.fluxcd.io/namespace", "helm.toolkit.fluxcd.io/name"),
    ),
    "Helm": (("meta.helm.sh/release-namespace", "meta.helm.sh/release-name"), ("", INSTANCE)),
}
"""The marks that name a tool's application, Kustomization or release, each behind that of its namespace."""


@dataclass(frozen=True, slots=True)
class GitopsOwner:
    """The tool that looks after an object, and of it the application; empty where no mark names one."""

    tool: str
    name: str = ""


def is_managed(labels: Mapping[str, str], annotations: Mapping[str, str]) -> bool:
    """Tell whether an object bears the marks of such a tool; in doubt it does."""
    return find_gitops_tool(labels, annotations) is not None


def find_gitops_tool(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str | None:
    """Name the tool that looks after an object, if one does."""
    marks = [*labels, *annotations]
    for prefix, keeper in KEEPERS.items():
        if any(mark.startswith(prefix) for mark in marks):
            return keeper
    if labels.get(MANAGER) == "Helm":
        return "Helm"
    return "Argo CD" if INSTANCE in labels else None


def find_gitops_owner(labels: Mapping[str, str], annotations: Mapping[str, str]) -> GitopsOwner | None:
    """Name the tool that looks after an object, and the application that its marks claim.

    docs/custom-resources.md, "Marks of other tools".
    """
    tool = find_gitops_tool(labels, annotations)
    if tool is None:
        return None
    if tool == "Argo CD" and TRACKING_ID in annotations:
        return GitopsOwner(tool, annotations[TRACKING_ID].partition(":")[0])
    marks = {**annotations, **labels}
    for place, mark in NAMES[tool]:
        if marks.get(mark):
            return GitopsOwner(tool, "/".join(filter(None, (marks.get(place), marks[mark]))))
    return GitopsOwner(tool)
