"""What the pages give to kubectl is read by every kubectl."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from sundial_core.resources.names import PAUSED, PAUSED_BY, PAUSED_REASON
from sundial_core.resources.raw import JsonObject
from sundial_devcluster.kubectl import kubectl_program

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
HEREDOC = re.compile(r"<<-?'?(\w+)'?\n(.*?)^\s*\1$", re.DOTALL | re.MULTILINE)
MANIFESTS = [
    *sorted((ROOT / "examples").rglob("*.yaml")),
    *sorted((ROOT / "crds").glob("*.yaml")),
    *(path for path in sorted((ROOT / "devcluster").rglob("*.yaml")) if path.name != "values.yaml"),
]


def read_as_kubectl(text: str) -> list[object]:
    """Read a manifest as kubectl 1.32 does: what begins with a brace is JSON, and nothing else."""
    if text.lstrip().startswith("{"):
        return [json.loads(text)]
    return [one for one in yaml.safe_load_all(text) if one is not None]


def list_heredocs() -> list[object]:
    """List what the pages have a user send to kubectl, each with its page."""
    return [
        pytest.param(found[2], id=f"{page.name}, {page.read_text()[: found.start()].count(chr(10)) + 1}")
        for page in PAGES
        for found in HEREDOC.finditer(page.read_text())
    ]


@pytest.mark.parametrize("text", list_heredocs())
def test_a_manifest_of_a_page_is_read_by_an_old_kubectl(text: str) -> None:
    [manifest] = read_as_kubectl(text)
    assert isinstance(manifest, dict)
    assert {"apiVersion", "kind", "metadata"} <= set(manifest)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_of_a_file_is_read_by_an_old_kubectl(path: Path) -> None:
    manifests = read_as_kubectl(path.read_text())
    assert manifests
    assert all(isinstance(one, dict) and one["kind"] for one in manifests)


def annotate(job: JsonObject, arguments: list[str]) -> JsonObject:
    """Have kubectl itself change an object, without a cluster."""
    command = [str(kubectl_program()), "annotate", "--local", "-f", "-", "-o", "json", *arguments]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def test_the_readme_ends_a_pause_with_all_that_was_said_of_it() -> None:
    commands = re.findall(
        r"^    kubectl annotate sj weekday-report (.*sundial.dev/paused.*)$", README, re.MULTILINE
    )
    metadata = {"name": "weekday-report", "annotations": {PAUSED_BY: "Maryam"}}
    paused: JsonObject = {"apiVersion": "sundial.dev/v1alpha1", "kind": "ScheduledJob", "metadata": metadata}
    for command in commands[:-1]:
        paused = annotate(paused, shlex.split(command))
        assert PAUSED in paused["metadata"]["annotations"]
    assert PAUSED_REASON in paused["metadata"]["annotations"]
    ended = annotate(paused, shlex.split(commands[-1]))
    assert not ended["metadata"].get("annotations")
