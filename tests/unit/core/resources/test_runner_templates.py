"""In which templates the runner can run, and what is said of the others."""

from __future__ import annotations

from typing import Any

import pytest

from sundial_core.resources.runner_templates import choose_container, find_excess, find_obstacle


def build_template(*containers: dict[str, Any], **pod: Any) -> dict[str, Any]:
    with_image = [{"image": "app:1", **container} for container in containers]
    return {"spec": {"template": {"spec": {"containers": with_image, **pod}}}}


def mount(path: str, name: str = "data") -> dict[str, Any]:
    return {"name": "main", "volumeMounts": [{"name": name, "mountPath": path}]}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["main"], "main", id="main alone"),
        pytest.param(["app"], "app", id="the only one"),
        pytest.param(["side", "main"], "main", id="main among others"),
        pytest.param(["side", "app"], None, id="two and none is main"),
        pytest.param([], None, id="none"),
    ],
)
def test_the_container_named_main_is_chosen_or_the_only_one(names: list[str], expected: str | None) -> None:
    chosen = choose_container({"containers": [{"name": name} for name in names]})
    assert (chosen["name"] if chosen else None) == expected


@pytest.mark.parametrize(
    ("template", "words"),
    [
        pytest.param({}, "name the container that has the code main", id="empty"),
        pytest.param({"spec": None}, "name the container", id="null"),
        pytest.param(build_template({"name": "a"}, {"name": "b"}), "code main, or keep only", id="two"),
        pytest.param(
            build_template({"name": "main", "image": ""}), "containers[main].image: is required", id="image"
        ),
        pytest.param(
            build_template({"name": "main", "args": ["-v"]}), "containers[main].args: remove it", id="args"
        ),
        pytest.param(
            build_template({"name": "main"}, volumes=[{"name": "sundial-runner", "emptyDir": {}}]),
            "volumes: the name sundial-runner is Sundial's; give your volume another one",
            id="volume",
        ),
        *(
            pytest.param(build_template(mount(path)), f"[main]: {path} is where Sundial mounts", id=path)
            for path in ("/sundial", "/sundial/", "//sundial", "/a/../sundial", "/sundial/data", "sundial")
        ),
        pytest.param(
            build_template({"name": "main", "volumeDevices": [{"devicePath": "/sundial"}]}),
            "mount yours outside of /sundial",
            id="device",
        ),
    ],
)
def test_what_stands_in_the_way_is_said(template: dict[str, Any], words: str) -> None:
    assert words in find_obstacle(template)


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(build_template({"name": "main", "args": []}), id="no args"),
        pytest.param(build_template(mount("/sundials")), id="another path"),
        pytest.param(build_template({"name": "main"}, {"name": "b", "args": ["x"]}), id="args of a sidecar"),
        pytest.param(build_template({"name": "main"}, mount("/sundial") | {"name": "b"}), id="a sidecar's"),
        pytest.param(build_template({"name": "main", "volumeMounts": None}, volumes=None), id="null"),
    ],
)
def test_nothing_stands_in_the_way(template: dict[str, Any]) -> None:
    assert find_obstacle(template) == ""


@pytest.mark.parametrize(("count", "is_excess"), [(60, False), (61, True)])
def test_init_containers_count(count: int, is_excess: bool) -> None:  # noqa: FBT001
    init = [{"name": f"i{n}"} for n in range(40)]
    template = build_template(*({"name": f"c{n}"} for n in range(count)), initContainers=init)
    assert bool(find_excess(template)) is is_excess
