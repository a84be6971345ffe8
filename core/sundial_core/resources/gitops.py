"""Whether Argo CD, Flux or Helm looks after an object: what is deleted of theirs, they create again."""

from __future__ import annotations

from collections.abc import Mapping

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
