"""Whether Argo CD, Flux or Helm looks after an object: what is deleted of theirs, they create again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MARK_PREFIXES = (
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "helm.sh/",
)
"""Labels and annotations that these tools set on what they apply."""

INSTANCE = "app.kubernetes.io/instance"
"""The label by which Argo CD tracks objects unless told otherwise."""

MANAGER = "app.kubernetes.io/managed-by"


def is_managed(labels: Mapping[str, str], annotations: Mapping[str, str]) -> bool:
    """Tell whether an object bears the marks of such a tool; in doubt it does."""
    if INSTANCE in labels or labels.get(MANAGER) == "Helm":
        return True
    return _has_mark(labels) or _has_mark(annotations)


def _has_mark(keys: Iterable[str]) -> bool:
    return any(key.startswith(MARK_PREFIXES) for key in keys)
