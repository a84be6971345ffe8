"""Which of a Pod's containers are the user's own, and what the others may say of a run."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.mirror_facts import build_pod_item
from testkit.scheduled_jobs import at, build_job_item, build_observed

from sundial_api.mirror.projection.run_facts import PodFact, parse_pod_fact
from sundial_core.resources.phases import Phase, Trigger
from sundial_core.runs.manifests import Attempt, Owner, build_environment
from sundial_core.runs.pods import parse_pod
from sundial_core.runs.start_timeouts import with_start_failure
from sundial_core.runs.state import build_run

OWNER = Owner("team", "tick", "uid", 1)
OURS = build_environment(Attempt(OWNER, "run", Trigger.MANUAL, None, None, 1, None, 300))
WAITS: dict[str, Any] = {"waiting": {"reason": "PodInitializing"}}
RUNS: dict[str, Any] = {"running": {"startedAt": "2026-01-01T00:00:11Z"}}


def ended(code: int) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}


def build_mesh_pod(phase: str = "Pending", **states: Any) -> dict[str, Any]:
    """Build a Pod of ours as a mesh leaves it: `main` and `setup` are the user's, what it added has no env.

    The kubelet sorts states by name: here the sidecar's comes before the user's own.
    """
    item = build_pod_item(build_job_item(10))
    always = {"restartPolicy": "Always"}
    item["spec"] |= {
        "initContainers": [
            {"name": "mesh-init", "image": "mesh"},
            {"name": "native-proxy", "image": "mesh", "env": [{"name": "POD", "value": "x"}], **always},
            {"name": "setup", "image": "busybox", "env": OURS},
        ],
        "containers": [
            {"name": "a-proxy", "image": "mesh", "env": [{"name": "POD", "value": "x"}]},
            {"name": "main", "image": "busybox", "env": [*OURS, {"name": "MINE", "value": "1"}]},
        ],
    }
    given = {name.replace("_", "-"): state for name, state in states.items()}
    item["status"] = {
        "phase": phase,
        "initContainerStatuses": _list_states(given, "mesh-init", "native-proxy", "setup"),
        "containerStatuses": _list_states(given, "a-proxy", "main"),
    }
    return item


def _list_states(given: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    return [{"name": name, "state": given.get(name, WAITS)} for name in names]


@pytest.mark.parametrize(
    ("states", "has_started"),
    [
        pytest.param({}, False, id="nothing has"),
        pytest.param({"mesh_init": ended(0)}, False, id="an init container has ended"),
        pytest.param({"setup": RUNS}, False, id="the user's own init container runs"),
        pytest.param({"native_proxy": RUNS}, False, id="a sidecar among the init containers runs"),
        pytest.param({"a_proxy": RUNS}, False, id="a sidecar that was added runs"),
        pytest.param({"a_proxy": ended(1)}, False, id="a sidecar that was added has ended"),
        pytest.param({"main": RUNS}, True, id="the user's own runs"),
        pytest.param({"main": ended(0)}, True, id="the user's own has ended"),
    ],
)
def test_only_the_users_own_containers_count_as_started(states: dict[str, Any], has_started: Any) -> None:
    assert parse_pod(build_mesh_pod(**states)).has_started is has_started


def test_where_no_container_has_our_variables_any_of_them_counts() -> None:
    item = build_mesh_pod(a_proxy=RUNS)
    item["spec"]["containers"] = [{"name": "a-proxy"}, {"name": "main"}]
    assert parse_pod(item).has_started


def test_an_attempt_behind_its_init_containers_is_still_to_start() -> None:
    pod = parse_pod(build_mesh_pod(mesh_init=ended(0), native_proxy=RUNS))
    run = build_run(build_observed(10), [pod], at(20))
    assert (run.phase, run.start_by) == (Phase.PENDING, at(250))


def test_a_deadline_that_passes_while_only_sidecars_run_is_a_failed_start() -> None:
    pod = parse_pod(build_mesh_pod("Failed", native_proxy=ended(143)))
    job = build_observed(10, "Failed", reason="DeadlineExceeded")
    assert with_start_failure(build_run(job, [pod], at(400)), job, (pod,)).reason == "StartFailed"


MAIN_FAILED = ("Error", "container main exited with code 3")


@pytest.mark.parametrize(
    ("phase", "states", "failure"),
    [
        pytest.param("Failed", {"main": ended(3), "a_proxy": ended(1)}, MAIN_FAILED, id="before a sidecar"),
        pytest.param("Failed", {"main": ended(3), "native_proxy": ended(143)}, MAIN_FAILED, id="native"),
        pytest.param("Running", {"main": ended(3), "a_proxy": RUNS}, MAIN_FAILED, id="at once"),
        pytest.param(
            "Failed",
            {"main": ended(0), "a_proxy": ended(1)},
            ("Error", "container a-proxy exited with code 1"),
            id="only a sidecar failed",
        ),
        pytest.param(
            "Failed",
            {"setup": ended(9)},
            ("Error", "container setup exited with code 9"),
            id="only init failed",
        ),
        pytest.param(
            "Failed",
            {"setup": ended(9), "native_proxy": ended(143)},
            ("Error", "container setup exited with code 9"),
            id="an init container before a native sidecar",
        ),
        pytest.param(
            "Failed",
            {"main": ended(0), "a_proxy": ended(1), "native_proxy": ended(143)},
            ("Error", "container a-proxy exited with code 1"),
            id="a sidecar before a native one",
        ),
        pytest.param("Failed", {"main": ended(0), "native_proxy": ended(143)}, None, id="it was evicted"),
        pytest.param(
            "Failed",
            {"native_proxy": ended(1)},
            ("Error", "container native-proxy exited with code 1"),
            id="nothing began but a native sidecar",
        ),
        pytest.param("Running", {"main": RUNS, "a_proxy": ended(1)}, None, id="the work goes on"),
        pytest.param("Succeeded", {"main": ended(0), "native_proxy": ended(143)}, None, id="it is stopped"),
    ],
)
def test_the_users_own_container_is_blamed_before_all_others(
    phase: str, states: dict[str, Any], failure: tuple[str, str] | None
) -> None:
    assert parse_pod(build_mesh_pod(phase, **states)).failure == failure


@pytest.mark.parametrize(
    ("phase", "states", "shown"),
    [
        pytest.param("Failed", {"main": ended(3), "a_proxy": ended(1)}, (3, 3), id="failed"),
        pytest.param("Succeeded", {"main": ended(0), "native_proxy": ended(143)}, (0, 2), id="succeeded"),
        pytest.param("Running", {"main": ended(0), "a_proxy": RUNS}, (0, 2), id="a sidecar goes on"),
        pytest.param("Failed", {"main": ended(0), "a_proxy": ended(1)}, (1, 3), id="only a sidecar failed"),
        pytest.param("Failed", {"main": ended(0), "native_proxy": ended(143)}, (0, 2), id="evicted"),
        pytest.param("Running", {"main": RUNS, "mesh_init": ended(0)}, (None, 1), id="it runs"),
        pytest.param("Pending", {"mesh_init": ended(0)}, (None, 0), id="it has not started"),
    ],
)
def test_the_exit_code_in_the_history_is_that_of_the_users_own_container(
    phase: str, states: dict[str, Any], shown: tuple[int | None, int]
) -> None:
    part = parse_pod_fact(build_mesh_pod(phase, **states), 1).part
    assert isinstance(part, PodFact)
    assert (part.exit_code, part.rank) == shown


def test_a_pod_is_shown_as_started_when_the_users_own_container_did() -> None:
    earlier = {"running": {"startedAt": "2026-01-01T00:00:05Z"}}
    part = parse_pod_fact(build_mesh_pod("Running", a_proxy=earlier, main=RUNS), 1).part
    assert isinstance(part, PodFact)
    assert part.started_at == "2026-01-01T00:00:11Z"


def test_a_pod_has_not_ended_while_one_of_the_users_own_containers_runs() -> None:
    item = build_mesh_pod("Running", a_proxy=ended(0), main=RUNS)
    item["spec"]["containers"][0]["env"] = OURS
    part = parse_pod_fact(item, 1).part
    assert isinstance(part, PodFact)
    assert (part.exit_code, part.rank) == (None, 1)


def test_of_the_users_own_containers_main_is_blamed_first() -> None:
    item = build_mesh_pod("Failed", a_proxy=ended(1), main=ended(3))
    item["spec"]["containers"][0]["env"] = OURS
    assert parse_pod(item).failure == MAIN_FAILED
