"""Helm as its users call it: what the chart renders, and releases on a cluster."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sundial_devcluster.programs import locate_programs

CHART = Path(__file__).parents[2] / "charts" / "sundial"
NS, RELEASE = "sundial-system", "sundial"
DATABASE = {"database": {"existingSecret": {"name": "database"}}}
JsonObject = dict[str, Any]


class HelmError(Exception):
    """What Helm said when it failed."""


def run_helm(*arguments: object, kubeconfig: Path | None = None, timeout: float = 300) -> str:
    """Run the pinned Helm and return its output; raises HelmError."""
    known = {"KUBECONFIG": str(kubeconfig)} if kubeconfig is not None else {}
    with tempfile.TemporaryDirectory() as home:
        homes = {f"HELM_{kind}_HOME": home for kind in ("CACHE", "CONFIG", "DATA")}
        done = subprocess.run(
            [str(locate_programs(["helm"])["helm"]), *map(str, arguments)],
            env=os.environ | homes | known,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
    if done.returncode != 0:
        raise HelmError(done.stderr)
    return done.stdout


def render(
    values: Mapping[str, Any] | None = None, *, ns: str = NS, release: str = RELEASE
) -> list[JsonObject]:
    """Render the chart with values beside a database; raises HelmError."""
    return list(yaml.safe_load_all(render_text(values, ns=ns, release=release)))


def render_text(values: Mapping[str, Any] | None = None, *, ns: str = NS, release: str = RELEASE) -> str:
    """Render the chart as YAML; raises HelmError."""
    return _render(yaml.safe_dump(merge(DATABASE, values or {})), ns, release)


@cache
def _render(values: str, ns: str, release: str) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(values)
        file.flush()
        return run_helm("template", release, CHART, "--namespace", ns, "--values", file.name)


def merge(base: Mapping[str, Any], more: Mapping[str, Any]) -> JsonObject:
    """Merge values as Helm does: maps by their keys, all else is replaced."""
    merged = dict(base)
    for key, value in more.items():
        is_map = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if is_map else value
    return merged


def select(items: Iterable[JsonObject], kind: str, part: str = "") -> list[JsonObject]:
    """Find the objects of a kind whose names have a part."""
    return [one for one in items if one["kind"] == kind and part in one["metadata"]["name"]]
