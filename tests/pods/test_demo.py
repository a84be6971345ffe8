"""Does the demo run real Pods, by the chart and as processes, and get by with the rights that it has?"""

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from testkit.processes.demos import Demo

from sundial_devcluster.cluster import find_obstacle, get_cluster, stop_cluster
from sundial_devcluster.polling import until
from sundial_devcluster.processes import processes_marked, send_signal

SHOWING = "ends in"
ACCOUNT = "system:serviceaccount:sundial-demo:demo"
STATUS = 'curl() { command curl -sS -w "\\n%{http_code}\\n" "$@"; }'
"""Tells each answer's status after it."""


@contextmanager
def showing(*options: str, **environment: str) -> Iterator[Demo]:
    """Run a demo that has ended after the block, whatever became of it, and its cluster too."""
    if obstacle := find_obstacle():
        pytest.skip(f"real Pods are not to be had: {obstacle}")
    name = f"demo-{secrets.token_hex(3)}"
    demo = Demo(name, *options, **environment)
    try:
        yield demo
    finally:
        demo.kill()
        stop_cluster(name)


def read_requests(shown: str) -> list[str]:
    """Read the commands of the other terminal that call the API, and what is exported for them."""
    lines = shown.partition("In another terminal:\n")[2].partition("\n\n")[0].splitlines()
    exports = [line for line in lines if line.startswith("export ")]
    requests = lines[lines.index(exports[-1]) + 1 :]
    named = ("/ID", "EXECUTION_ID")  # by who reads an answer
    return [*exports, *(line for line in requests if not any(word in line for word in named))]


def paste(*lines: str) -> str:
    """Paste lines into a shell that has nothing of ours."""
    bare = {"HOME": os.environ["HOME"], "PATH": "/usr/bin:/bin"}
    script = "\n".join(["set -e", STATUS, *lines])
    done = subprocess.run(["bash", "-c", script], env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def list_codes(answers: str) -> set[str]:
    """List the statuses of answers."""
    return {line for line in answers.splitlines() if len(line) == 3 and line.isdigit()}


def kill_forward(demo: Demo) -> None:
    """Kill what leads to the API."""
    for process in processes_marked(demo.folder):
        if b"port-forward" in Path(f"/proc/{process.pid}/cmdline").read_bytes():
            send_signal(process, signal.SIGKILL)


def test_the_chart_is_installed_its_api_answers_what_is_pasted_and_nothing_is_left() -> None:
    with showing() as demo:
        demo.read_until(SHOWING)
        assert "helm upgrade --install sundial charts/sundial" in demo.text
        requests = read_requests(demo.text)
        exports = [line for line in requests if line.startswith("export ")]
        answers = paste(*requests)
        assert list_codes(answers) == {"200", "201"}
        assert '"resourceName":"every-10-seconds"' in answers
        assert json.loads(paste(*exports, "curl $API/jobs").splitlines()[0])["detail"]
        assert list_codes(paste(*exports, "curl $API/jobs")) == {"401"}
        token = paste(*exports, "echo $TOKEN").strip()
        rights = paste(*exports, f"kubectl auth can-i --list -n sundial-demo --as={ACCOUNT}")
        assert "scheduledjobs.sundial.dev" in rights
        assert "secrets" not in rights
        kill_forward(demo)
        until(lambda: "200" in list_codes(paste(*exports, 'curl -H "$AUTH" $API/me || true')))
        assert demo.end(signal.SIGINT) == 0, demo.text
        assert "Nodes: 1 real node." in demo.text
        assert "eyJ" in token  # how a token begins
        assert "eyJ" not in demo.text
        assert demo.what_is_left() == []


def test_processes_have_identities_of_their_own_and_are_refused_nothing_they_need() -> None:
    with showing("--keep", DEMO="processes", DEMO_SECONDS="12") as demo:
        assert demo.end() == 0, demo.text
        assert "DEMO=processes, operator and API beside the cluster: it was asked for." in demo.text
        shown = demo.text[demo.text.index("worst Job after") :].splitlines()
        assert "Succeeded" in next(line for line in shown if line.startswith("every-10-seconds"))
        cluster = get_cluster(demo.folder.name)
        log = (cluster.folder / "sundial-operator.log").read_text()
        kubeconfig = cluster.folder / "sundial-operator.kubeconfig"
        assert '"event": "stopped"' in log
        assert "Forbidden" not in log
        assert kubeconfig.stat().st_mode & 0o077 == 0
        rights = cluster.kubectl(
            "auth", "can-i", "--list", "--as=system:serviceaccount:sundial-system:sundial"
        )
        assert "jobs.batch" in rights
        assert "secrets" not in rights
