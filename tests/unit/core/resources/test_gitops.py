"""Which objects a tool would create again if they were deleted."""

from __future__ import annotations

import pytest

from sundial_core.resources.gitops import GitopsOwner, find_gitops_owner, is_managed


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


ARGO, FLUX, HELM = "argocd.argoproj.io", "kustomize.toolkit.fluxcd.io", "meta.helm.sh"


@pytest.mark.parametrize(
    ("labels", "annotations", "expected"),
    [
        pytest.param({}, {"note": "y"}, None, id="nobody's"),
        pytest.param(
            {"app.kubernetes.io/instance": "x"},
            {f"{ARGO}/tracking-id": "shop:sundial.dev/ScheduledJob:team/tick"},
            ("Argo CD", "shop"),
            id="Argo CD, tracking id before label",
        ),
        pytest.param({f"{ARGO}/instance": "shop"}, {}, ("Argo CD", "shop"), id="Argo CD, its own label"),
        pytest.param({"app.kubernetes.io/instance": "shop"}, {}, ("Argo CD", "shop"), id="Argo CD, label"),
        pytest.param({}, {f"{ARGO}/sync-wave": "1"}, ("Argo CD", ""), id="Argo CD, which is not said"),
        pytest.param({}, {f"{ARGO}/tracking-id": ""}, ("Argo CD", ""), id="Argo CD, an empty tracking id"),
        pytest.param(
            {f"{FLUX}/name": "apps", f"{FLUX}/namespace": "flux"}, {}, ("Flux", "flux/apps"), id="Flux"
        ),
        pytest.param(
            {"helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "team"},
            {f"{HELM}/release-name": "shop"},
            ("Flux", "team/shop"),
            id="Flux, HelmRelease",
        ),
        pytest.param(
            {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "other"},
            {f"{HELM}/release-name": "shop", f"{HELM}/release-namespace": "team"},
            ("Helm", "team/shop"),
            id="Helm, release",
        ),
        pytest.param(
            {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "shop"},
            {},
            ("Helm", "shop"),
            id="Helm, labels",
        ),
    ],
)
def test_owners(
    labels: dict[str, str], annotations: dict[str, str], expected: tuple[str, str] | None
) -> None:
    owner = find_gitops_owner(labels, annotations)
    assert owner == (GitopsOwner(*expected) if expected else None)
