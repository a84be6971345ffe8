"""Does the API keep to its own OpenAPI document, whatever is sent to it? By schemathesis."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from testkit.processes.apis import (
    WRITER,
    ApiProcess,
    make_function,
    make_user,
)

from sundial_devcluster.cluster import Cluster

DOCUMENT = Path("docs/openapi.json").absolute()
CONFIG = Path("tests/schemathesis.toml")
JOB = {"name": "Real", "jobTypeId": 1, "scheduleConfig": {"hours": 1}, "maxInstances": 10}


def make_real(api: ApiProcess, cluster: Cluster, ns: str, token: str) -> dict[str, Any]:
    """Make a job and a run, so that not every path leads to 404; deleting is left with any id."""
    function = make_function(api, cluster, ns, token)
    with api.connect(token) as caller:
        job = caller.post("/jobs", json=JOB | {"taskFunctionId": function["id"]}).json()
        run = caller.post(f"/jobs/{job['id']}/trigger").json()
        with caller.stream("GET", "/events") as stream:
            event_id = next(line for line in stream.iter_lines() if line.startswith("id: "))
    return {
        "job_id": job["id"],
        "execution_id": run["executionId"],
        "taskFunctionId": function["id"],
        "event_id": event_id.removeprefix("id: ").partition("-")[0] + "-0",
    }


def test_answers_are_those_of_the_document(
    api_process: ApiProcess, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    token = make_user(cluster, namespace, "writer", WRITER, "ClusterRole")
    config, text = tmp_path / "schemathesis.toml", CONFIG.read_text()
    for name, value in make_real(api_process, cluster, namespace, token).items():
        text = text.replace(f"${name}", str(value))
    config.write_text(text)
    command = [Path(sys.executable).parent / "schemathesis", "--config-file", config, "run", DOCUMENT]
    how = ["--url", api_process.url, "--header", f"Authorization: Bearer {token}"]
    run = subprocess.run([*command, *how], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert "Traceback" not in api_process.log.read_text()
