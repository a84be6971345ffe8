"""The Pods that call functions and send Celery tasks: what is added to a user's template, and what is not."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from testkit.scheduled_jobs import SECOND, TEMPLATE, UID, at, build_observed, build_scheduled_job, build_spec

from sundial_core.resources import names
from sundial_core.resources.objects import TaskFunction
from sundial_core.resources.phases import Trigger
from sundial_core.resources.plans import Plan, compile_plan
from sundial_core.runs.jobs import parse_job
from sundial_core.runs.manifests import Attempt, Creator, Owner, build_environment, build_job, build_retry_job
from sundial_core.runs.retries import NextAttempt
from sundial_core.runs.runner_archive import build_program
from sundial_core.runs.runner_pods import build_template, find_runner, read_archive

FUNCTION = {"function": {"path": "services.sessions.clean_up"}}
CELERY = {"celery": {"task": "tasks.ads.sync"}}
RUN = names.build_run_id(UID, at(10))
ATTEMPT = Attempt(Owner("team", "tick", UID, 4), RUN, Trigger.SCHEDULE, at(10), at(0), 1, {"n": 1}, 300)
CREATOR = Creator("sundial-system.sundial", "process-1", 12)
DIGEST = read_archive().digest
CONFIG_MAP = f"sundial-runner-{DIGEST[:10]}"
MAIN = {"name": "main", "image": "app"}


def build_plan(handler: dict[str, Any], timeout: int | None = None, **pod: Any) -> Plan:
    """Compile the plan of a job of a TaskFunction; `pod` are fields of the Pod's spec."""
    template = {"spec": {"template": {"spec": {"containers": [MAIN]} | pod}}}
    spec = {"handler": handler, "template": template}
    function = TaskFunction("f", 1, "team", "clean-up", 1, at(0), spec, {})
    how = {"template": None, "taskFunctionRef": {"name": "clean-up"}, "timeoutSeconds": timeout}
    plan = compile_plan(build_scheduled_job(build_spec(**how)), function, SECOND)
    assert isinstance(plan, Plan), plan
    return plan


def build(handler: dict[str, Any], timeout: int | None = None, **pod: Any) -> dict[str, Any]:
    """Build the Job of an attempt."""
    return build_job(ATTEMPT, build_template(build_plan(handler, timeout, **pod)), CREATOR)


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = job["spec"]["template"]["spec"]
    return spec


def read_env(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def test_the_pod_of_a_function() -> None:
    assert pod_of(build(FUNCTION)) == {
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "volumes": [{"name": "sundial-runner", "configMap": {"name": CONFIG_MAP}}],
        "containers": [
            {
                "name": "main",
                "image": "app",
                "command": ["python3", "-c", build_program(DIGEST)],
                "terminationMessagePolicy": "File",
                "volumeMounts": [{"name": "sundial-runner", "mountPath": "/sundial", "readOnly": True}],
                "env": [
                    *build_environment(ATTEMPT),
                    {"name": "SUNDIAL_FUNCTION", "value": "services.sessions.clean_up"},
                    {"name": "SUNDIAL_TIMEOUT_SECONDS", "value": "300"},
                    {"name": "SUNDIAL_GRACE_SECONDS", "value": "30"},
                    {"name": "SUNDIAL_DISPATCH_SECONDS", "value": "30"},
                    {"name": "SUNDIAL_MESSAGE_BYTES", "value": "4096"},
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, {"TASK": "tasks.ads.sync", "WAIT": "true"}, id="task alone"),
        pytest.param(
            {"queue": "ads"}, {"TASK": "tasks.ads.sync", "QUEUE": "ads", "WAIT": "true"}, id="queue"
        ),
        pytest.param(
            {"app": "shop.celery:app", "wait": False},
            {"TASK": "tasks.ads.sync", "APP": "shop.celery:app", "WAIT": "false"},
            id="application, without waiting",
        ),
    ],
)
def test_the_variables_of_a_celery_task(options: dict[str, Any], expected: dict[str, str]) -> None:
    (container,) = pod_of(build({"celery": CELERY["celery"] | options}))["containers"]
    prefix = "SUNDIAL_CELERY_"
    found = {n.removeprefix(prefix): v for n, v in read_env(container).items() if n.startswith(prefix)}
    assert found == expected
    assert "SUNDIAL_FUNCTION" not in read_env(container)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param({}, "4096", id="alone"),
        pytest.param({"containers": [MAIN, {"name": "a"}]}, "4096", id="two"),
        pytest.param({"containers": [MAIN, {"name": "a"}, {"name": "b"}]}, "3072", id="three"),
        pytest.param({"initContainers": [{"name": f"i{n}"} for n in range(3)]}, "2457", id="init containers"),
        pytest.param({"containers": [MAIN, *({"name": f"c{n}"} for n in range(99))]}, "121", id="a hundred"),
    ],
)
def test_the_message_may_be_as_long_as_the_kubelet_keeps_it(others: dict[str, Any], expected: str) -> None:
    assert read_env(pod_of(build(FUNCTION, **others))["containers"][0])["SUNDIAL_MESSAGE_BYTES"] == expected


@pytest.mark.parametrize(
    ("timeout", "pod", "name", "expected"),
    [
        pytest.param(20, {}, "TIMEOUT_SECONDS", "20", id="timeout"),
        pytest.param(20, {}, "DISPATCH_SECONDS", "10", id="half the timeout"),
        pytest.param(1, {}, "DISPATCH_SECONDS", "0.5", id="half a second"),
        pytest.param(604_800, {}, "DISPATCH_SECONDS", "30", id="thirty seconds"),
        pytest.param(None, {"terminationGracePeriodSeconds": 0}, "GRACE_SECONDS", "0", id="no grace"),
        pytest.param(None, {"terminationGracePeriodSeconds": 90}, "GRACE_SECONDS", "90", id="grace"),
        pytest.param(
            *(None, {"containers": [MAIN | {"terminationMessagePath": "/tmp/m"}]}, "MESSAGE_PATH", "/tmp/m"),
            id="where the message goes",
        ),
    ],
)
def test_the_limits_that_the_runner_keeps(
    timeout: int | None, pod: dict[str, Any], name: str, expected: str
) -> None:
    assert read_env(pod_of(build(FUNCTION, timeout, **pod))["containers"][0])[f"SUNDIAL_{name}"] == expected


def test_what_the_user_wrote_for_the_container_is_kept() -> None:
    mine = {"name": "data", "mountPath": "/data"}
    env = [{"name": "URL", "value": "$(SUNDIAL_FUNCTION)"}, {"name": "SUNDIAL_FUNCTION", "value": "forged"}]
    written = MAIN | {
        "command": ["/venv/bin/python", "-X", "dev"],
        "args": [],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [mine],
        "env": env,
    }
    volumes = [{"name": "data", "emptyDir": {}}]
    pod = pod_of(build(FUNCTION, containers=[written], volumes=volumes, automountServiceAccountToken=True))
    (container,) = pod["containers"]
    assert container["command"] == ["/venv/bin/python", "-X", "dev", "-c", build_program(DIGEST)]
    assert "args" not in container
    assert container["terminationMessagePolicy"] == "File"
    assert container["volumeMounts"][0] == mine
    assert container["env"][-1] == env[0]
    assert read_env(container)["SUNDIAL_FUNCTION"] == "services.sessions.clean_up"
    assert (pod["automountServiceAccountToken"], pod["volumes"][0]) == (True, volumes[0])


def test_other_containers_get_what_all_get_and_nothing_else() -> None:
    side, init = {"name": "side", "args": ["x"]}, {"name": "setup", "command": ["true"]}
    pod = pod_of(build(FUNCTION, containers=[side, MAIN], initContainers=[init]))
    ours = build_environment(ATTEMPT)
    assert (pod["containers"][0], pod["initContainers"]) == (side | {"env": ours}, [init | {"env": ours}])


def test_a_dollar_is_no_variable() -> None:
    (container,) = pod_of(build({"celery": {"task": "a$(URL)"}}))["containers"]
    assert read_env(container)["SUNDIAL_CELERY_TASK"] == "a$$(URL)"


def test_the_template_is_not_changed() -> None:
    plan = build_plan(CELERY)
    before = copy.deepcopy(plan.template)
    build_job(ATTEMPT, build_template(plan), CREATOR)
    assert plan.template == before


def test_the_containers_of_a_template_run_as_they_are() -> None:
    plan = build_plan({"container": {}})
    assert build_template(plan) is plan.template
    own = compile_plan(build_scheduled_job(build_spec()), None, SECOND)
    assert isinstance(own, Plan)
    assert build_template(own) == TEMPLATE


def finish(job: dict[str, Any]) -> dict[str, Any]:
    """Let the API server have stored a Job."""
    job["metadata"] |= {"uid": "u", "resourceVersion": "9", "creationTimestamp": "2026-01-01T00:00:10Z"}
    return job


SECOND_ATTEMPT = replace(ATTEMPT, previous_slot=None, attempt=2, args=None, timeout_seconds=0)
FOLLOWING = NextAttempt(build_observed(10, "Failed"), 2, at(45), retries_used=1, disruptions=0)


@pytest.mark.parametrize("handler", [FUNCTION, CELERY], ids=["function", "celery"])
def test_a_retry_has_all_that_the_attempt_before_had(handler: dict[str, Any]) -> None:
    """It stays with the runner that it began with: an upgrade in between changes nothing of a run."""
    first = finish(build(handler))
    pod = pod_of(first)
    pod["containers"][0]["command"][2] = build_program("0" * 64)
    pod["volumes"][0]["configMap"]["name"] = "sundial-runner-0000000000"
    expected = copy.deepcopy(pod)
    entry = next(e for e in expected["containers"][0]["env"] if e["name"] == "SUNDIAL_ATTEMPT")
    entry["value"] = "2"
    assert pod_of(build_retry_job(first, FOLLOWING, SECOND_ATTEMPT, CREATOR)) == expected


def test_each_attempt_names_its_own_celery_task() -> None:
    first = finish(build(CELERY))
    assert first["metadata"]["annotations"][names.CELERY_TASK] == RUN
    second = build_retry_job(first, FOLLOWING, SECOND_ATTEMPT, CREATOR)
    expected = names.build_celery_task_id(RUN, 2)
    assert second["metadata"]["annotations"][names.CELERY_TASK] == expected != RUN
    assert names.CELERY_TASK not in second["spec"]["template"]["metadata"]["annotations"]


def test_what_is_no_celery_task_has_the_id_of_none() -> None:
    first = finish(build(FUNCTION))
    assert names.CELERY_TASK not in first["metadata"]["annotations"]
    first["metadata"]["annotations"][names.CELERY_TASK] = "forged"
    second = build_retry_job(first, FOLLOWING, SECOND_ATTEMPT, CREATOR)
    assert names.CELERY_TASK not in second["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("handler", "expected"), [(FUNCTION, True), (CELERY, True), ({"container": {}}, False)]
)
def test_a_job_with_the_runner_is_known(handler: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    job = finish(build(handler))
    assert parse_job(job).has_runner is expected
    place = find_runner(pod_of(job))
    assert (place.config_map if place else None) == (CONFIG_MAP if expected else None)


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param({}, id="empty"),
        pytest.param({"volumes": [{"name": "sundial-runner"}], "containers": [MAIN]}, id="not mounted"),
        pytest.param(
            {
                "volumes": [{"name": "sundial-runner", "emptyDir": {}}],
                "containers": [
                    MAIN | {"volumeMounts": [{"name": "sundial-runner", "mountPath": "/sundial"}]}
                ],
            },
            id="no ConfigMap",
        ),
        pytest.param(
            {"containers": [MAIN | {"env": [{"name": "SUNDIAL_FUNCTION", "value": "a.b"}]}]},
            id="a runner of the image's own",
        ),
    ],
)
def test_other_pods_are_not_taken_for_one_with_the_runner(pod: dict[str, Any]) -> None:
    assert find_runner(pod) is None
