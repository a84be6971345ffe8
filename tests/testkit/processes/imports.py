"""The command sundial-import as a process, on the database of an original installation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testkit.databases import copy_database
from testkit.mirror_comparison import Rows
from testkit.original_installation import OriginalInstallation

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.postgres import Postgres

POD = {"containers": [{"name": "main", "image": "localhost/backend:1"}]}
TEMPLATE = {"spec": {"template": {"spec": POD}}}


class ImportCommand:
    """Runs the command against a cluster, a database of Sundial's and one of the original's."""

    def __init__(self, original: OriginalInstallation, folder: Path, **environment: str) -> None:
        self.original = original
        self.templates = folder / "templates.yaml"
        own = {name: value for name, value in os.environ.items() if not name.startswith("SUNDIAL_")}
        self.environment = own | {"SUNDIAL_IMPORT_DATABASE_URL": original.url} | environment

    def write_templates(self, ns: str, **more: Any) -> None:
        """Write the file of templates: both types of function into a namespace."""
        handlers = {name: {"template": TEMPLATE} for name in ("celery_task", "async_function")}
        self.templates.write_text(json.dumps({"namespace": ns, "handlers": handlers} | more))

    def start(self, *options: str, **how: Any) -> subprocess.Popen[bytes]:
        """Start the command."""
        command = [sys.executable, "-m", "sundial_api.importing", *options]
        return subprocess.Popen(command, env=self.environment, **how)

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        command = [sys.executable, "-W", "default", "-m", "sundial_api.importing", *options]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=600
        )

    def report(self, *options: str, status: int = 0) -> dict[str, Any]:
        """Run the command with its templates, and give its report."""
        done = self.run("--templates", str(self.templates), "-o", "json", *options)
        assert done.returncode == status, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report


@pytest.fixture
def original(postgres: Postgres) -> Iterator[OriginalInstallation]:
    """Give an original installation without jobs."""
    with copy_database(postgres, "template1") as url:
        yield OriginalInstallation(url)


@pytest.fixture
def importing(
    original: OriginalInstallation, cluster: Cluster, namespace: str, rows: Rows, tmp_path: Path
) -> ImportCommand:
    """Give the command, with templates that lead into the test's namespace."""
    environment = {"KUBECONFIG": str(cluster.kubeconfig), "SUNDIAL_API_DATABASE_URL": rows.url}
    command = ImportCommand(original, tmp_path, **environment)
    command.write_templates(namespace)
    return command
