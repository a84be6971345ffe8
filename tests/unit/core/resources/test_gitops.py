"""Which objects a tool would create again if they were deleted."""

from __future__ import annotations

import pytest

from sundial_core.resources.gitops import is_managed


@pytest.mark.parametrize(
    ("labels", "annotations", "expected"),
    [
        pytest.param({}, {}, False, id="no mark"),
        pytest.param({"app": "x"}, {"note": "y"}, False, id="other marks"),
        pytest.param({}, {"argocd.argoproj.io/tracking-id": "x"}, True, id="Argo CD, annotation"),
        pytest.param({"app.kubernetes.io/instance": "x"}, {}, True, id="Argo CD, its default label"),
        pytest.param({"argocd.argoproj.io/instance": "x"}, {}, True, id="Argo CD, its own label"),
        pytest.param({"kustomize.toolkit.fluxcd.io/name": "x"}, {}, True, id="Flux, Kustomization"),
        pytest.param({"helm.toolkit.fluxcd.io/name": "x"}, {}, True, id="Flux, HelmRelease"),
        pytest.param({}, {"meta.helm.sh/release-name": "x"}, True, id="Helm, release"),
        pytest.param({"app.kubernetes.io/managed-by": "Helm"}, {}, True, id="Helm, manager"),
        pytest.param({"helm.sh/chart": "x"}, {}, True, id="Helm, chart"),
        pytest.param({"app.kubernetes.io/managed-by": "sundial-api"}, {}, False, id="another manager"),
    ],
)
def test_marks(labels: dict[str, str], annotations: dict[str, str], expected: object) -> None:
    assert is_managed(labels, annotations) is expected
