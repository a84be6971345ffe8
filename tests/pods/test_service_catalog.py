"""Does the demo's service catalog do what the installation that Sundial replaces did? By its checklist.

Functions in Pods and Celery tasks on a real worker, triggered by the requests that the demo prints.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import textwrap
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from testkit.node_containers import kill_container
from testkit.processes.operators import build_scheduled_job

from sundial_devcluster.cluster import Cluster, KubectlError, find_obstacle, get_cluster, stop_cluster
from sundial_devcluster.polling import until

JsonObject = dict[str, Any]
NAMESPACE = "sundial-demo"
CATALOG = Path("examples/service-catalog")
SECTION = Path("README.md").read_text().partition("\n## From Celery")[2].partition("\n## ")[0]
IN_THE_CATALOG = {
    "namespace: team": f"namespace: {NAMESPACE}",
    '"namespace": "team"': f'"namespace": "{NAMESPACE}"',
    "-n team": f"-n {NAMESPACE}",
    "registry.example/app:1": "localhost/service-catalog:1",
    "services.sessions.clean_up": "services.auth_service.auth_service.cleanup_all_expired_sessions",
    "name: app}": "name: celery}",
}
"""What stands for the application of the README's section."""
READY = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
FUNCTION, TASK = "cleanup-expired-tokens", "sync-domain-users"


@dataclass(frozen=True)
class Demo:
    """A running demo: its cluster, and its API."""

    cluster: Cluster
    url: str

    def ask(self, path: str, body: JsonObject | None = None, method: str = "GET") -> JsonObject:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, method="POST" if body else method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: JsonObject = json.load(answer)
        return found

    def wait_worker(self) -> None:
        """Wait until the worker answers, not only says that it is ready."""
        worker = ("-n", NAMESPACE, "deployment/worker")
        self.cluster.kubectl("rollout", "status", *worker, "--timeout=120s")
        ping = ("python3", "-m", "celery", "-A", "celery_app", "inspect", "ping")

        def answers() -> bool:
            try:
                return "pong" in self.cluster.kubectl("exec", *worker, "--", *ping)
            except KubectlError:
                return False

        until(answers)

    def run_shell(self, shell: str, commands: str) -> subprocess.CompletedProcess[str]:
        """Run what a user pastes, with our commands on the PATH."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = os.environ | {"KUBECONFIG": str(self.cluster.kubeconfig), "PATH": path}
        return subprocess.run(
            [shell], input=commands, env=environment, capture_output=True, text=True, check=False, timeout=200
        )

    def find_job(self, resource_name: str) -> JsonObject:
        jobs = self.ask("jobs?per_page=100")["jobs"]
        return next(job for job in jobs if job["resourceName"] == resource_name)

    def trigger(self, job_id: str) -> JsonObject:
        return self.ask(f"jobs/{job_id}/trigger", method="POST")

    def wait_end(self, execution_id: str) -> JsonObject:
        last: JsonObject = {}

        def has_ended() -> bool:
            last.update(self.ask(f"executions/{execution_id}"))
            return last["status"] in ("success", "failed", "timeout")

        try:
            until(has_ended)
        except TimeoutError:
            raise AssertionError(last) from None
        return last


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Give the demo, running until the tests are over."""
    if obstacle := find_obstacle():
        pytest.skip(f"real Pods are not to be had: {obstacle}")
    name, log = f"catalog-{secrets.token_hex(3)}", tmp_path_factory.mktemp("demo") / "demo.log"
    command = [sys.executable, "-W", "error", "-m", "sundial_demo", "--name", name]
    environment = {**os.environ, "CLUSTER": "local", "DEMO": "processes"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        until(lambda: "In another terminal" in log.read_text() or process.poll() is not None, 300)
        found = re.search(r"the API is at (\S+)", log.read_text())
        assert found is not None, log.read_text()
        cluster = get_cluster(name)
        demo = Demo(cluster, found[1])
        demo.wait_worker()
        yield demo
        process.terminate()
        assert process.wait(120) in (0, 130), log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        stop_cluster(name)


def test_jobs_sync_from_database_to_apscheduler(demo: Demo) -> None:
    """What was seeded at each start: the folder, applied again, changes nothing, and is scheduled."""
    folder = demo.cluster.kubectl("kustomize", str(CATALOG))
    folder = folder.replace("namespace: service-catalog", f"namespace: {NAMESPACE}")
    kept = [one for one in folder.split("\n---\n") if re.search(r"kind: (TaskFunction|ScheduledJob)\n", one)]
    demo.cluster.kubectl("apply", "-f", "-", input="\n---\n".join(kept))
    again = demo.cluster.kubectl("apply", "-f", "-", input="\n---\n".join(kept)).splitlines()
    assert len(again) == 10
    assert [line for line in again if not line.endswith(" unchanged")] == []
    scheduled = {job["resourceName"]: job["nextRunTime"] for job in demo.ask("jobs?per_page=100")["jobs"]}
    for name in (FUNCTION, TASK, "cleanup-stale-desktop-sessions", "cleanup-stale-deployment-jobs"):
        assert scheduled[name] is not None
    names = {one["name"]: one["isSystem"] for one in demo.ask("task-functions?per_page=100")["taskFunctions"]}
    assert {name for name, is_system in names.items() if is_system} == {
        "sync_domain_users",
        "cleanup_expired_tokens",
        "cleanup_stale_desktop_sessions",
        "cleanup_stale_deployment_jobs",
    }
    assert {"cleanup_expired_files", "retry_pending_uploads"} <= names.keys()


def test_manual_trigger_dispatches_to_celery(demo: Demo) -> None:
    answer = demo.trigger(demo.find_job(TASK)["id"])
    assert answer["celeryTaskId"] == answer["executionId"]
    execution = demo.wait_end(answer["executionId"])
    assert (execution["status"], execution["exitCode"], execution["errorMessage"]) == ("success", 0, None)
    assert execution["result"] == {"domain": "corp.example", "synced": 128}
    assert execution["celeryTaskId"] == answer["celeryTaskId"]
    log = demo.cluster.kubectl("logs", "-n", NAMESPACE, "deployment/worker", "--tail=-1")
    received = [line for line in log.splitlines() if f"[{answer['celeryTaskId']}] received" in line]
    assert len(received) == 1


def test_execution_history_recorded(demo: Demo) -> None:
    job = demo.find_job(FUNCTION)
    answer = demo.trigger(job["id"])
    assert answer["celeryTaskId"] is None
    execution = demo.wait_end(answer["executionId"])
    assert execution["result"] == {"sessions_deleted": 0, "retention_days": 7}
    assert (execution["status"], execution["triggeredBy"]) == ("success", "manual")
    assert execution["durationSeconds"] > 0
    assert execution["celeryTaskId"] is None
    history = demo.ask(f"jobs/{job['id']}/executions")["executions"]
    assert answer["executionId"] in [one["id"] for one in history]


def test_a_task_that_fails_has_its_traceback_in_arabic(demo: Demo) -> None:
    functions = demo.ask("task-functions?per_page=100")["taskFunctions"]
    number = next(one["id"] for one in functions if one["name"] == "sync_domain_users")
    body = {"name": "Sync closed.example", "taskFunctionId": number, "jobTypeId": 1}
    body |= {"taskArgs": {"domain": "closed.example"}, "scheduleConfig": {"hours": 1}, "retryCount": 0}
    job = demo.ask("jobs", body)
    execution = demo.wait_end(demo.trigger(job["id"])["executionId"])
    sentence = "DomainUnreachable: تعذّر الوصول إلى دليل النطاق closed.example"
    assert (execution["status"], execution["errorMessage"], execution["exitCode"]) == ("failed", sentence, 1)
    assert "sync_domain_users_task" in execution["errorTraceback"]
    assert sentence in execution["errorTraceback"]


SLOW = {"domain": "campus.example"}
"""A domain whose users take 20 s to read."""


def prepare_slow_task(demo: Demo, name: str, **spec: Any) -> str:
    """Make a job whose task takes some time; return its id."""
    demo.cluster.kubectl(
        "apply",
        "-n",
        NAMESPACE,
        "-f",
        "-",
        input=json.dumps(
            build_scheduled_job(
                name, {"cron": "0 0 1 1 *"}, taskFunctionRef={"name": TASK}, args=SLOW, **spec
            )
        ),
    )
    listed = until(lambda: next(iter(demo.ask(f"jobs?name={name}")["jobs"]), None))
    return str(listed["id"])


def count_received(demo: Demo, task_id: str) -> int:
    """Count how often the worker took a task, its restarts included."""
    log = demo.cluster.kubectl("logs", "-n", NAMESPACE, "deployment/worker", "--tail=-1")
    return sum(f"[{task_id}] received" in line for line in log.splitlines())


def find_pod(demo: Demo, selector: str) -> JsonObject:
    """Find the one Pod with these labels."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector={urllib.parse.quote(selector)}"
    (pod,) = demo.cluster.get_json(path)["items"]
    return dict(pod)


def test_the_next_attempt_waits_for_a_task_whose_runner_was_killed(demo: Demo) -> None:
    job = prepare_slow_task(demo, "runner-killed", retry={"count": 1, "delaySeconds": 0})
    run = demo.trigger(job)["executionId"]
    until(lambda: count_received(demo, run) == 1)
    kill_container(find_pod(demo, f"sundial.dev/run={run}"))
    execution = demo.wait_end(run)
    assert (execution["status"], execution["errorMessage"]) == ("success", None)
    assert execution["result"] == {"domain": "campus.example", "synced": 1280}
    assert [one["attempt"] for one in execution["attempts"]] == [1, 2]
    assert execution["celeryTaskId"] == run
    assert (count_received(demo, run), count_received(demo, name_second_task(run))) == (1, 0)


def test_a_pod_that_somebody_deletes_revokes_its_task_and_the_next_attempt_sends_another(demo: Demo) -> None:
    job = prepare_slow_task(demo, "pod-deleted", retry={"count": 1, "delaySeconds": 0})
    run = demo.trigger(job)["executionId"]
    until(lambda: count_received(demo, run) == 1)
    name = find_pod(demo, f"sundial.dev/run={run}")["metadata"]["name"]
    demo.cluster.kubectl("delete", "-n", NAMESPACE, "pod", name)
    execution = demo.wait_end(run)
    assert (execution["status"], execution["celeryTaskId"]) == ("success", name_second_task(run))
    assert [one["attempt"] for one in execution["attempts"]] == [1, 2]
    assert (count_received(demo, run), count_received(demo, name_second_task(run))) == (1, 1)


def name_second_task(run: str) -> str:
    """Compute the id of the task that attempt 2 of a run sends."""
    return str(uuid.uuid5(uuid.UUID(run), "2"))


def wait_words(demo: Demo, run: str, words: str) -> JsonObject:
    """Wait for what the runner said last: a deadline is told before the Pod has ended."""
    until(lambda: words in (demo.ask(f"executions/{run}")["errorMessage"] or ""))
    return demo.ask(f"executions/{run}")


def test_a_run_past_its_deadline_tells_what_its_runner_said_last(demo: Demo) -> None:
    """The Job controller deletes its Pod: the message is read before that."""
    job = prepare_slow_task(demo, "past-deadline", timeoutSeconds=10, retry={"count": 0})
    run = demo.trigger(job)["executionId"]
    execution = wait_words(demo, run, "stopped by SIGTERM: the task is REVOKED")
    assert (execution["status"], execution["exitCode"], execution["celeryTaskId"]) == ("timeout", 143, run)
    assert count_received(demo, run) == 1


def test_a_task_whose_worker_is_killed_ends_at_the_deadline(demo: Demo) -> None:
    job = prepare_slow_task(demo, "worker-killed", timeoutSeconds=18, retry={"count": 0})
    run = demo.trigger(job)["executionId"]
    until(lambda: count_received(demo, run) == 1)
    kill_container(find_pod(demo, "app=worker"))
    execution = wait_words(demo, run, "stopped by SIGTERM: the task was revoked")
    assert (execution["status"], execution["exitCode"], execution["celeryTaskId"]) == ("timeout", 143, run)
    demo.wait_worker()
    assert count_received(demo, run) == 0  # by the worker that came after it


def test_a_new_worker_goes_on_where_one_was_killed(demo: Demo) -> None:
    demo.cluster.kubectl("delete", "-n", NAMESPACE, "pod", "-l", "app=worker", "--grace-period=0", "--force")
    demo.wait_worker()
    execution = demo.wait_end(demo.trigger(demo.find_job(TASK)["id"])["executionId"])
    assert (execution["status"], execution["result"]["synced"]) == ("success", 128)


@pytest.mark.parametrize(
    ("dotted", "code", "said"),
    [
        ("services.auth_service.auth_service.cleanup_all_expired_sessions", 0, "async function AuthService."),
        ("services.auth_service.auth_servise", 78, "has no auth_servise"),
    ],
)
def test_a_path_is_checked_in_the_image(demo: Demo, dotted: str, code: int, said: str) -> None:
    options = ("--image", "localhost/service-catalog:1", "-n", NAMESPACE, "--user", "10001")
    printed = subprocess.run(
        [sys.executable, "-m", "sundial_operator", "check-function", dotted, *options],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    done = demo.run_shell("sh", printed)
    assert said in done.stdout + done.stderr
    assert done.returncode == code


def test_the_readme_takes_a_function_from_an_application_to_its_first_run(demo: Demo) -> None:
    section = SECTION
    for theirs, ours in IN_THE_CATALOG.items():
        assert theirs in section
        section = section.replace(theirs, ours)
    manifests = [textwrap.dedent(one) for one in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)]
    (check,) = re.findall(r"^ +(sundial-operator check-function .*)$", section, re.MULTILINE)
    deliver, *trying = re.findall(r"`((?:sundial-operator|kubectl) [^`]*)`", section)
    done = demo.run_shell("bash", "\n".join(["set -e -o pipefail", check, deliver]))
    assert (done.returncode, "async function" in done.stdout) == (0, True), done.stderr
    for manifest in manifests:
        demo.cluster.kubectl("apply", "-f", "-", input=manifest)
    until(
        lambda: demo.cluster.kubectl("get", "-n", NAMESPACE, "sj", "clean-up-sessions", "-o", READY) == "True"
    )
    done = demo.run_shell("bash", "\n".join(["set -e", *trying]))
    assert done.returncode == 0, done.stderr
    job = until(lambda: next(iter(demo.ask("jobs?name=clean-up-sessions")["jobs"]), None))
    history = f"jobs/{job['id']}/executions"
    execution = demo.wait_end(until(lambda: demo.ask(history)["executions"])[0]["id"])
    assert execution["result"] == {"sessions_deleted": 0, "retention_days": 7}
