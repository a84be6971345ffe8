"""Which Helm installs the chart, and what is it told? The pinned one here, the user's own elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sundial_demo.ground import Ground
from sundial_demo.ways import Asked, split_image
from sundial_devcluster.choose import Kind
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.programs import locate_programs

RELEASE, SYSTEM = "sundial", "sundial-system"
ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "sundial"
VALUES = Path(__file__).with_name("values.yaml")
SECRET = "sundial-database"
UNINSTALL = ("uninstall", RELEASE, f"--namespace={SYSTEM}", "--ignore-not-found", "--wait", "--timeout=60s")


def find_helm(kind: Kind) -> Path | None:
    """Find the Helm for a kind of cluster."""
    if kind is Kind.LOCAL:
        return locate_programs(["helm"])["helm"]
    own = shutil.which("helm")
    return Path(own) if own else None


def build_installation(kind: Kind, asked: Asked, image: str, present: Sequence[str], scope: str) -> list[str]:
    """Build Helm's arguments; `present` names what was there, `scope` the one namespace to look after.

    It is not told to wait: whoever waits sees earlier than its timeout that an image cannot be pulled.
    """
    settings: dict[str, str] = {}
    if kind is Kind.LOCAL:
        settings |= {"postgres.enabled": "false", "database.existingSecret.name": SECRET}
    if scope:
        settings["scope.namespaces"] = f"{{{scope}}}"
    if any(name.startswith("customresourcedefinition") for name in present):
        settings["crds.enabled"] = "false"
    files = [VALUES, *([asked.values] if asked.values else [])]
    return [
        *("upgrade", "--install", RELEASE, _show(CHART), f"--namespace={SYSTEM}"),
        *(f"--values={_show(file)}" for file in files),
        *(f"--set-string={key}={value}" for key, value in split_image(image).items()),
        *(f"--set={key}={value}" for key, value in settings.items()),
    ]


def _show(path: Path) -> str:
    """Name a file of the checkout as whoever stands there does."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path.absolute())


def run_helm(ground: Ground, *arguments: str) -> str:
    """Run Helm in the checkout and return its output; raises ClusterError with what it said.

    What it caches goes with the demo, and settings of the user's own do not lead it to another cluster.
    """
    program = find_helm(ground.kind)
    if program is None:
        raise ClusterError("helm is gone.")
    own = {name: value for name, value in os.environ.items() if not name.startswith("HELM_")}
    homes = {f"HELM_{kind}_HOME": str(ground.folder / "helm") for kind in ("CACHE", "CONFIG", "DATA")}
    done = subprocess.run(
        [str(program), *arguments],
        cwd=ROOT,
        env=own | homes | {"KUBECONFIG": str(ground.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ClusterError(f"helm {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout
