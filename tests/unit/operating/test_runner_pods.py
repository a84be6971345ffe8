"""Which Pods wait for the runner, and when it is created again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from testkit.scheduled_jobs import UID

from sundial_core.runs.pods import ObservedPod
from sundial_operator.inputs.runner_pods import RunnerPods
from sundial_operator.outputs.runner_delivery import Delivery

NAME = "sundial-runner-1"
CREATING = ObservedPod("pod", 1, UID, "job", False, None, ("ContainerCreating", ""), ns="team", runner=NAME)
STARTED = replace(CREATING, has_started=True, wait=None)


class Watched:
    """The Pods with a clock that stands."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pods = RunnerPods(NAME, lambda: self.now)

    def list_after(self, seconds: float) -> set[str]:
        self.now += seconds
        return set(self.pods.list_stuck())


@pytest.mark.parametrize(
    ("pod", "is_stuck"),
    [
        pytest.param(CREATING, True, id="creating its containers"),
        pytest.param(replace(CREATING, wait=("PodInitializing", "")), True, id="behind init containers"),
        pytest.param(replace(CREATING, wait=("ImagePullBackOff", "x")), False, id="another reason"),
        pytest.param(replace(CREATING, wait=None), False, id="nothing said"),
        pytest.param(replace(CREATING, runner="sundial-runner-2"), False, id="of another release"),
        pytest.param(replace(CREATING, runner=""), False, id="no runner"),
        pytest.param(STARTED, False, id="started"),
    ],
)
def test_a_pod_is_stuck_after_ten_seconds(pod: ObservedPod, is_stuck: bool) -> None:  # noqa: FBT001
    watched = Watched()
    watched.pods.note(None, pod)
    assert watched.list_after(9.9) == set()
    watched.pods.note(pod, pod)
    assert watched.list_after(0.1) == ({"team"} if is_stuck else set())


@pytest.mark.parametrize("after", [STARTED, None], ids=["started", "gone"])
def test_one_that_has_started_or_is_gone_waits_no_longer(after: ObservedPod | None) -> None:
    watched = Watched()
    watched.pods.note(None, CREATING)
    watched.pods.note(CREATING, after)
    assert watched.list_after(60) == set()
    assert watched.pods.proved == ({"team"} if after else set())


def test_only_the_runner_of_this_release_is_proved() -> None:
    watched = Watched()
    watched.pods.note(None, replace(STARTED, runner="sundial-runner-2"))
    assert watched.pods.proved == set()


@pytest.mark.parametrize(
    ("delivery", "stuck_at", "is_due"),
    [
        pytest.param(Delivery(), None, True, id="never tried"),
        pytest.param(Delivery(due_at=101), None, False, id="tried, not due yet"),
        pytest.param(Delivery(due_at=100), None, True, id="due"),
        pytest.param(Delivery(due_at=200, tried_at=98), 99, True, id="a Pod waits that did not before"),
        pytest.param(Delivery(due_at=200, tried_at=71), 60, False, id="a Pod waits, tried for it"),
        pytest.param(Delivery(due_at=200, tried_at=70), 60, True, id="a Pod waits, tried long ago"),
        pytest.param(Delivery(is_under_way=True), 99, False, id="under way"),
    ],
)
def test_when_it_is_created(delivery: Delivery, stuck_at: float | None, is_due: bool) -> None:  # noqa: FBT001
    assert delivery.is_due(100, stuck_at) is is_due


def test_the_last_pod_to_wait_is_the_one_that_counts() -> None:
    watched = Watched()
    watched.pods.note(None, replace(CREATING, uid="first"))
    watched.now += 5
    watched.pods.note(None, CREATING)
    assert watched.list_after(5) == {"team"}
    assert watched.pods.list_stuck() == {"team": 110.0}
    watched.now += 5
    assert watched.pods.list_stuck() == {"team": 115.0}
