"""How does the demo install Sundial, what does it ask for, and what does it print for its account?"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from sundial_demo.helm import CHART, VALUES, build_installation
from sundial_demo.installation import BESIDE_CHART, CRD, load_objects
from sundial_demo.releases import find_trouble
from sundial_demo.requests import LOGGED_IN, build_catalog_requests, build_login, build_requests
from sundial_demo.systems import Api
from sundial_demo.ways import Asked, Way, choose_way, split_image
from sundial_devcluster.choose import Kind
from sundial_devcluster.errors import ClusterError

HELM = Path("/usr/bin/helm")
SIMULATED = "its nodes are simulated (a real node needs root)"
IMAGE = "registry.example/sundial:1"
TERMINAL = 80


@pytest.mark.parametrize(
    ("asked", "kind", "obstacle", "helm", "way"),
    [
        pytest.param(Asked(), Kind.LOCAL, None, HELM, Way.CHART, id="a real node"),
        pytest.param(Asked(), Kind.LOCAL, SIMULATED, HELM, Way.PROCESSES, id="simulated nodes"),
        pytest.param(Asked(), Kind.KIND, SIMULATED, HELM, Way.CHART, id="kind has a node of its own"),
        pytest.param(Asked(), Kind.K3D, None, HELM, Way.CHART, id="k3d"),
        pytest.param(Asked(image=IMAGE), Kind.CURRENT, SIMULATED, HELM, Way.CHART, id="current, an image"),
        pytest.param(Asked(Way.PROCESSES), Kind.LOCAL, None, HELM, Way.PROCESSES, id="asked for"),
        pytest.param(Asked(Way.PROCESSES), Kind.CURRENT, None, None, Way.PROCESSES, id="needs no Helm"),
    ],
)
def test_the_chart_is_taken_where_containers_run(
    asked: Asked, kind: Kind, obstacle: str | None, helm: Path | None, way: Way
) -> None:
    assert choose_way(asked, kind, obstacle, helm) is way


@pytest.mark.parametrize(
    ("asked", "kind", "obstacle", "helm", "said"),
    [
        pytest.param(Asked(), Kind.CURRENT, None, HELM, "IMAGE=REGISTRY/sundial:demo", id="no image"),
        pytest.param(Asked(image=IMAGE), Kind.CURRENT, None, None, "helm is not found", id="no Helm"),
        pytest.param(Asked(), Kind.KIND, None, None, "CLUSTER=kind installs the chart by yours", id="kind"),
        pytest.param(Asked(image=IMAGE), Kind.LOCAL, None, HELM, "image of this checkout", id="local"),
        pytest.param(Asked(Way.CHART), Kind.LOCAL, SIMULATED, HELM, "nodes are simulated", id="simulated"),
        pytest.param(Asked(values=Path("no/file")), Kind.KIND, None, HELM, "no file no/file", id="values"),
    ],
)
def test_what_is_missing_is_asked_for(
    asked: Asked, kind: Kind, obstacle: str | None, helm: Path | None, said: str
) -> None:
    with pytest.raises(ClusterError, match=said):
        choose_way(asked, kind, obstacle, helm)


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("sundial", {"repository": "sundial"}),
        ("registry:5000/a/sundial", {"repository": "registry:5000/a/sundial"}),
        ("registry:5000/sundial:0.1", {"repository": "registry:5000/sundial", "tag": "0.1"}),
        ("r/sundial@sha256:ab", {"repository": "r/sundial", "digest": "sha256:ab"}),
        ("r/sundial:1@sha256:ab", {"repository": "r/sundial", "tag": "1", "digest": "sha256:ab"}),
    ],
)
def test_an_image_is_split_as_the_chart_has_it(image: str, parts: dict[str, str]) -> None:
    assert split_image(image) == {f"image.{key}": value for key, value in parts.items()}


@pytest.mark.parametrize("image", ["", ":1", "a b", "r/sundial:1,api.auth=oidc"])
def test_what_is_no_image_is_refused(image: str) -> None:
    with pytest.raises(ClusterError, match="write REGISTRY/sundial:TAG"):
        split_image(image)


@pytest.mark.parametrize(
    ("kind", "present", "scope", "told"),
    [
        pytest.param(
            Kind.LOCAL,
            [],
            "",
            ["postgres.enabled=false", "database.existingSecret.name=sundial-database"],
            id="a Postgres beside the local cluster",
        ),
        pytest.param(Kind.KIND, [], "", [], id="all is in the values"),
        pytest.param(Kind.CURRENT, [], "ours", ["scope.namespaces={ours}"], id="no business of others"),
        pytest.param(
            Kind.CURRENT,
            ["customresourcedefinition.apiextensions.k8s.io/scheduledjobs.sundial.dev"],
            "",
            ["crds.enabled=false"],
            id="CRDs of somebody else",
        ),
    ],
)
def test_helm_is_told_what_differs(kind: Kind, present: list[str], scope: str, told: list[str]) -> None:
    command = build_installation(kind, Asked(values=Path("/my.yaml")), IMAGE, present, scope)
    assert command[:4] == ["upgrade", "--install", "sundial", "charts/sundial"]
    files = ["--values=devcluster/sundial_demo/values.yaml", "--values=/my.yaml"]
    assert [one for one in command if one.startswith("--values")] == files
    assert [one.removeprefix("--set=") for one in command if one.startswith("--set=")] == told
    assert "--set-string=image.tag=1" in command  # a number is no tag


def list_keys(values: Any, before: str = "") -> set[str]:
    if not isinstance(values, dict):
        return {before}
    return {key for name, value in values.items() for key in list_keys(value, f"{before}.{name}")}


def test_the_values_are_those_of_the_chart() -> None:
    own, known = (list_keys(yaml.safe_load(path.read_text())) for path in (VALUES, CHART / "values.yaml"))
    assert own
    assert own <= known


def test_the_account_may_write_schedules_in_one_namespace_only() -> None:
    objects = list(yaml.safe_load_all(BESIDE_CHART.read_text()))
    assert {one["kind"] for one in objects} == {"Namespace", "ServiceAccount", "Role", "RoleBinding"}
    (rules,) = [one["rules"] for one in objects if one["kind"] == "Role"]
    assert {resource for rule in rules for resource in rule["resources"]} == {
        *("scheduledjobs", "scheduledjobruns", "taskfunctions", "pods", "pods/log")
    }
    assert not any("*" in values for rule in rules for values in rule.values())


@pytest.mark.parametrize("way", Way)
def test_both_ways_bring_the_custom_resources(way: Way) -> None:
    assert sum(one["kind"] == CRD for one in load_objects(way)) == 4


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param({}, None, id="nothing yet"),
        pytest.param({"containerStatuses": [{"image": "i", "state": {"running": {}}}]}, None, id="runs"),
        pytest.param(
            {"containerStatuses": [{"image": "i", "state": {"waiting": {"reason": "ErrImagePull"}}}]},
            None,
            id="may come at the next try",
        ),
        pytest.param(
            {
                "initContainerStatuses": [
                    {"image": "i:1", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no"}}}
                ]
            },
            "The Pod p cannot start with the image i:1: ImagePullBackOff: no",
            id="cannot be pulled",
        ),
        pytest.param(
            {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "quota"}]},
            "No Pod of p can be created: quota",
            id="refused",
        ),
        pytest.param({"conditions": [{"type": "ReplicaFailure", "status": "False"}]}, None, id="was refused"),
    ],
)
def test_what_cannot_come_up_is_told(status: dict[str, Any], said: str | None) -> None:
    assert find_trouble({"metadata": {"name": "p"}, "status": status}) == said


LONGEST_NUMBER, LONGEST_ID = 2**31 - 1, "0b9a1c43-94ca-4b6d-8dcd-5a4c6a7f0a11"


@pytest.mark.parametrize("curl", ["curl", LOGGED_IN])
def test_no_line_to_paste_is_folded_by_a_terminal(curl: str) -> None:
    lines = [
        *build_login(),
        *build_requests(curl, LONGEST_NUMBER),
        *build_catalog_requests(curl, LONGEST_NUMBER, LONGEST_ID, LONGEST_ID),
    ]
    assert [line for line in lines if len(line) > TERMINAL] == []


def test_a_token_is_not_shown_by_chance() -> None:
    service: Any = SimpleNamespace()
    assert "s3cret" not in repr(Api(service, "http://127.0.0.1:1", "s3cret"))
