"""Which ScheduledJobRuns a look is about, however many are over."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest
from testkit.scheduled_job_runs import (
    RUN_UID,
    STARTED,
    ask,
    build_request,
    build_request_item,
    complete,
)
from testkit.scheduled_jobs import (
    LIMITS,
    UID,
    at,
    build_item,
    build_job_item,
    build_spec,
)

from sundial_core.decision.installation import InstallationState
from sundial_core.resources.objects import ScheduledJobRun, parse_scheduled_job
from sundial_core.runs.manifests import Creator
from sundial_operator.delay_queue import QueueKey, Task
from sundial_operator.inputs.run_request_index import MAX_DUE, RunRequestIndex
from sundial_operator.metrics import Metrics
from sundial_operator.outputs.write_queue import WriteQueue
from sundial_operator.reconcile.reconciler import Installation, Reconciler
from sundial_operator.settings import OperatorSettings

OVER = complete(STARTED, 20)
TTL = {"ttlSecondsAfterFinished": 60}


def build_index(*requests: ScheduledJobRun) -> RunRequestIndex:
    index = RunRequestIndex()
    for request in requests:
        index.note(None, request)
    return index


def find(index: RunRequestIndex, now: float, *known: str) -> list[str]:
    return sorted(request.uid for request in index.list_open(known, at(now)))


@pytest.mark.parametrize(
    ("one", "known", "now", "is_found"),
    [
        pytest.param(build_request(uid="a"), (), 30, True, id="new"),
        pytest.param(build_request(uid="a", status=STARTED), (), 30, True, id="active"),
        pytest.param(build_request(uid="a", status=OVER), (), 30, False, id="over"),
        pytest.param(build_request(uid="a", status=OVER), ("a", "b"), 30, True, id="over, but has a Job"),
        pytest.param(build_request(TTL, uid="a", status=OVER), (), 80, True, id="its time is over"),
    ],
)
def test_what_a_look_is_about(
    one: ScheduledJobRun, known: tuple[str, ...], now: float, is_found: Any
) -> None:
    assert find(build_index(one), now, *known) == (["a"] if is_found else [])


def test_one_that_has_ended_is_looked_at_until_all_is_said() -> None:
    active, over = (build_request(uid="a", status=status) for status in (STARTED, OVER))
    index = build_index(active)
    index.note(active, over)
    assert find(index, 30) == ["a"]
    index.settle(over)
    assert find(index, 30) == []


def test_of_those_that_wait_for_the_end_of_their_time_only_the_next_counts() -> None:
    later = [build_request(TTL, uid=f"r{n:03}", status=complete(STARTED, 20 + n)) for n in range(300)]
    index = build_index(*reversed(later))
    assert find(index, 30) == ["r000"]
    assert find(index, 81.5) == ["r000", "r001", "r002"]
    assert len(find(index, 1000)) == MAX_DUE + 1
    index.note(later[0], replace(later[0], spec=later[0].spec | {"ttlSecondsAfterFinished": 600}))
    index.drop(later[1])
    assert find(index, 30) == ["r002"]


def build_reconciler() -> Reconciler:
    """Build one that sends nothing: its writer has no place for anything."""
    nobody: Any = None
    installation = Installation(
        OperatorSettings(), lambda: Creator("team.x", "one", 1), lambda: LIMITS, InstallationState
    )
    reconciler = Reconciler(nobody, WriteQueue(limit=0), Metrics(), installation)
    reconciler.observed.schedules.put(build_item(build_spec(schedule={"interval": {"hours": 1}})))
    return reconciler


def count_calls(reconciler: Reconciler) -> int:
    """Count the calls of functions that a look takes."""
    calls = 0

    def note(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(note)
    reconciler.reconcile(UID)
    sys.setprofile(None)
    return calls


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sundial_operator.reconcile.reconciler.read_clock", lambda: at(30))


def test_a_look_takes_as_many_calls_however_many_runs_are_over() -> None:
    few, many = (build_reconciler() for _ in range(2))
    for one, count in ((few, 3), (many, 3000)):
        for n in range(count):
            one.observed.run_requests.put(build_request_item(TTL, OVER, uid=f"r{n}", name=f"r{n}"))
        one.reconcile(UID)
    assert count_calls(many) < 1.1 * count_calls(few)


def test_each_one_is_deleted_at_its_time() -> None:
    index = build_index(*(build_request(TTL, uid=f"r{n}", status=complete(STARTED, 20 + n)) for n in (2, 1)))
    assert ask(*index.list_open((), at(30)), now=30).requeue_at == at(81)
    decision = ask(*index.list_open((), at(81)), now=81)
    assert ([one.uid for one in decision.run_requests.deletes], decision.requeue_at) == (["r1"], at(82))  # type: ignore[union-attr]


def test_one_that_has_ended_is_settled_by_the_next_look() -> None:
    reconciler = build_reconciler()
    observed = reconciler.observed
    observed.run_requests.put(build_request_item(status=STARTED))
    item = build_request_item(status=OVER)
    observed.run_requests.put(item | {"metadata": item["metadata"] | {"resourceVersion": "31"}})
    job = parse_scheduled_job(build_item())
    assert len(observed.run_requests_of(job, (), at(30))) == 1
    reconciler.reconcile(UID)
    assert observed.run_requests_of(job, (), at(30)) == ()


@pytest.mark.parametrize("is_gone", [False, True], ids=["it is there", "it was deleted before the look"])
def test_a_job_that_turns_up_late_corrects_one_that_was_over(is_gone: Any) -> None:
    reconciler = build_reconciler()
    refused = complete({"scheduledJobUid": UID, "verdict": "Skipped", "reason": "Rejected"})
    reconciler.observed.run_requests.put(build_request_item(status=refused))
    reconciler.reconcile(UID)
    item = build_job_item(None, run_id=RUN_UID, trigger="manual", created=12)
    reconciler.observed.jobs.put(item)
    if is_gone:
        reconciler.observed.jobs.remove(item)
    reconciler.reconcile(UID)
    assert QueueKey(Task.REQUEST_STATUS, RUN_UID) in reconciler.delay_queue
