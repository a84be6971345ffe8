"""Which finished Jobs may go: only what is stored as ended, beyond the limits, and past the floor."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    LIMITS,
    SECOND,
    UID,
    at,
    build_job_item,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
)

from sundial_clock.instants import format_instant
from sundial_core.coordination.fence import FenceState
from sundial_core.decision.job_deletions import (
    Cap,
    Deletions,
    Limits,
    compute_floors,
    decide_deletions,
)
from sundial_core.resources import names
from sundial_core.resources.plans import Plan, Problem, compile_plan
from sundial_core.runs.jobs import ObservedJob, parse_job
from sundial_core.status.stored import parse_stored_status
from sundial_operator.inputs.finished_job_cap import FinishedJobCap

LONG_AFTER = 10_000


def choose(
    jobs: list[ObservedJob],
    now: float = LONG_AFTER,
    cursor: float | None = 9_000,
    active: tuple[float, ...] = (),
    **history: int,
) -> tuple[list[str], Any]:
    """Choose among Jobs; deletable ones are named by slot and attempt."""
    status: dict[str, Any] = {"active": [{"runId": names.build_run_id(UID, at(slot))} for slot in active]}
    if cursor is not None:
        status["cursor"] = format_instant(at(cursor))
    plan = build_plan(build_scheduled_job(build_spec(history=history)))
    return describe(decide_deletions(jobs, parse_stored_status(status), plan, LIMITS, at(now)))


def describe(choice: Deletions) -> tuple[list[str], Any]:
    """Name the Jobs that may go by slot and attempt, and when the next one may, in seconds."""
    seconds = (choice.next_at - at(0)).total_seconds() if choice.next_at else None
    found = [f"{int((job.slot - at(0)).total_seconds())}.{job.attempt}" for job in choice.jobs if job.slot]
    return found, seconds


def finished(*slots: float, **how: Any) -> list[ObservedJob]:
    return [build_observed(slot, "Complete", **how) for slot in slots]


def failed(*slots: float, **how: Any) -> list[ObservedJob]:
    return [build_observed(slot, "Failed", **how) for slot in slots]


@pytest.mark.parametrize(
    ("jobs", "history", "expected"),
    [
        pytest.param(finished(10, 20, 30), {}, [], id="three successes are kept"),
        pytest.param(finished(10, 20, 30, 40, 50), {}, ["20.1", "10.1"], id="older successes go"),
        pytest.param(failed(10, 20, 30), {}, ["20.1", "10.1"], id="one failure is kept"),
        pytest.param(finished(10) + failed(20, 30) + finished(40), {}, ["20.1"], id="each counts by itself"),
        pytest.param(finished(10, 20), {"successful": 0}, ["20.1", "10.1"], id="none is kept"),
        pytest.param(failed(10, 20), {"failed": 5}, [], id="many are kept"),
        pytest.param(finished(30, 10, 20), {"successful": 1}, ["20.1", "10.1"], id="in any order"),
        pytest.param(
            finished(30, 10, 20, created=100),
            {"successful": 1},
            ["20.1", "10.1"],
            id="of one second, by slot",
        ),
        pytest.param(
            failed(10, attempt=1) + finished(10, attempt=2),
            {"successful": 0},
            ["10.1", "10.2"],
            id="a run goes as one",
        ),
        pytest.param(
            failed(10, attempt=1) + finished(10, attempt=2),
            {"failed": 0},
            [],
            id="the newest attempt says what it is",
        ),
        pytest.param(
            [build_observed(10, "Failed", reason="DeadlineExceeded"), *failed(20)],
            {},
            ["10.1"],
            id="timeouts",
        ),
    ],
)
def test_limits(jobs: list[ObservedJob], history: dict[str, int], expected: list[str]) -> None:
    assert choose(jobs, **history) == (expected, None)


@pytest.mark.parametrize(
    ("job", "state"),
    [
        pytest.param(build_observed(10), {}, id="active"),
        pytest.param(build_observed(10, "FailureTarget"), {}, id="Pods not known to be gone"),
        pytest.param(*finished(10), {"active": (10,)}, id="stored as active"),
        pytest.param(*finished(10), {"cursor": 9}, id="the cursor is not stored at its slot"),
        pytest.param(*finished(10), {"cursor": None}, id="nothing is stored"),
    ],
)
def test_what_is_not_stored_as_ended_stays(job: ObservedJob, state: dict[str, Any]) -> None:
    assert choose([job], successful=0, failed=0, **state) == ([], None)


def test_a_run_stays_while_one_of_its_jobs_has_not_ended() -> None:
    jobs = [*failed(10, attempt=1), build_observed(10, attempt=2)]
    assert choose(jobs, failed=0, successful=0) == ([], None)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(614, ([], 615), id="before the floor"),
        pytest.param(615, (["10.1"], None), id="at the floor"),
    ],
)
def test_the_floor_counts_from_the_end_of_the_pods(now: float, expected: Any) -> None:
    assert choose(finished(10, ended=15), now, successful=0) == expected


def test_the_floor_of_a_run_is_that_of_its_last_job() -> None:
    jobs = failed(10, attempt=1, ended=15) + finished(10, attempt=2, ended=100)
    assert choose(jobs, 650, successful=0) == ([], 700)


def test_the_next_floor_is_the_earliest() -> None:
    assert choose(finished(10, ended=15) + finished(20, ended=25), 300, successful=0) == ([], 615)


def test_a_job_that_is_being_deleted_is_not_deleted_again() -> None:
    item = build_job_item(10, "Complete")
    item["metadata"]["deletionTimestamp"] = format_instant(at(700))
    assert choose([parse_job(item)], successful=0) == ([], None)


def build_problem() -> Problem:
    plan = compile_plan(build_scheduled_job(build_spec(template=None)), None, SECOND)
    assert isinstance(plan, Problem)
    return plan


STORED = parse_stored_status({"cursor": format_instant(at(9_000))})


def cap(jobs: list[ObservedJob], now: float, plan: Plan | Problem, **limits: Any) -> Deletions:
    """Choose where finished Jobs are kept for an hour, those beyond a cap for 30 seconds."""
    rule = Limits(timedelta(hours=1), capped_tombstone=timedelta(seconds=30), **limits)
    return decide_deletions(jobs, STORED, plan, rule, at(now))


def test_a_schedule_with_a_problem_keeps_its_history() -> None:
    jobs = finished(*range(10, 100, 10))
    assert decide_deletions(jobs, STORED, build_problem(), LIMITS, at(LONG_AFTER)) == Deletions()


@pytest.mark.parametrize(
    "plan", [build_problem(), build_plan(build_scheduled_job())], ids=["problem", "plan"]
)
@pytest.mark.parametrize(
    ("jobs", "most", "expected"),
    [
        pytest.param(finished(10, 20, 30), 3, [], id="at the cap"),
        pytest.param(finished(10, 20, 30), 2, ["10.1"], id="the oldest goes"),
        pytest.param(finished(10) + failed(20), 1, ["10.1"], id="whatever its result"),
        pytest.param(
            failed(10, attempt=1) + finished(10, attempt=2) + finished(20, 30),
            3,
            ["10.1", "10.2"],
            id="a run goes as one",
        ),
        pytest.param([*finished(10, 20), build_observed(30)], 2, [], id="what runs is not finished"),
        pytest.param([*finished(10, 20), *finished(9_010)], 2, ["10.1"], id="not what is not stored"),
    ],
)
def test_the_cap_of_a_schedule(
    plan: Plan | Problem, jobs: list[ObservedJob], most: int, expected: list[str]
) -> None:
    choice = cap(jobs, 3_500, plan, most_finished=most)
    assert describe(choice)[0] == expected
    assert set(choice.capped.values()) <= {Cap.SCHEDULE}
    assert set(choice.capped) == {job.uid for job in choice.jobs}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(44, ([], 45), id="before the floor"),
        pytest.param(45, (["10.1"], None), id="at the floor"),
    ],
)
def test_beyond_a_cap_the_floor_is_shorter(now: float, expected: Any) -> None:
    jobs = finished(10, ended=15) + finished(20, ended=25)
    assert describe(cap(jobs, now, build_problem(), most_finished=1)) == expected


CREATE_MAY_LAND_SECONDS = 60


@pytest.mark.parametrize(
    ("fence", "chosen", "expected"),
    [
        pytest.param(FenceState.OK, 0, (60, 90), id="a working fence"),
        pytest.param(FenceState.ABSENT, 0, (600, 180), id="no fence"),
        pytest.param(FenceState.BROKEN, 0, (600, 180), id="one that does not work"),
        pytest.param(FenceState.UNKNOWN, 0, (600, 180), id="one that nobody has tried yet"),
        pytest.param(FenceState.OK, 3, (3, 3), id="chosen short, as tests do"),
        pytest.param(FenceState.OK, 300, (300, 90), id="chosen long, a fence"),
        pytest.param(FenceState.ABSENT, 300, (300, 180), id="chosen long, no fence"),
    ],
)
def test_how_long_a_finished_job_keeps_its_name(
    fence: FenceState, chosen: int, expected: tuple[int, int]
) -> None:
    floors = compute_floors(fence, chosen)
    assert tuple(floor.total_seconds() for floor in floors) == expected
    assert chosen or floors[1].total_seconds() > CREATE_MAY_LAND_SECONDS


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(74, ([], 75, set()), id="before the floor of the history"),
        pytest.param(75, (["10.1"], 105, set()), id="the history's, not the cap's"),
        pytest.param(105, (["30.1", "10.1"], None, {Cap.SCHEDULE}), id="the cap's, in the history"),
    ],
)
def test_where_the_floor_of_the_history_is_shorter_it_goes_first(now: float, expected: Any) -> None:
    """The runs of slots 10 and 30 are beyond the cap; the history keeps a failure, slot 30's."""
    plan = build_plan(build_scheduled_job(build_spec(history={"successful": 1, "failed": 1})))
    jobs = finished(10, ended=15) + failed(30, ended=15) + finished(40, ended=15)
    limits = Limits(timedelta(seconds=60), capped_tombstone=timedelta(seconds=90), most_finished=1)
    choice = decide_deletions(jobs, STORED, plan, limits, at(now))
    assert (*describe(choice), set(choice.capped.values())) == expected


def test_the_cap_of_the_installation_names_jobs() -> None:
    jobs = finished(10, 20)
    choice = cap(jobs, 9_100, build_problem(), excess=frozenset({jobs[1].uid}))
    assert (describe(choice)[0], choice.capped) == (["20.1"], {jobs[1].uid: Cap.INSTALLATION})


def test_what_the_history_would_delete_by_now_is_not_counted_for_a_cap() -> None:
    plan = build_plan(build_scheduled_job(build_spec(history={"successful": 0})))
    choice = cap(finished(10, 20), LONG_AFTER, plan, most_finished=1)
    assert (describe(choice)[0], choice.capped) == (["20.1", "10.1"], {})


@pytest.mark.parametrize(("most", "expected"), [(3, []), (2, [10]), (1, [10, 20])])
def test_the_oldest_of_all_are_beyond_the_cap_of_the_installation(most: int, expected: list[int]) -> None:
    jobs = {job.uid: job for job in finished(30, 10, 20)}
    woken: list[str] = []
    installation = FinishedJobCap(jobs, most, woken.append, lambda _: True)
    installation.sweep()
    assert installation.get_excess(jobs[next(iter(jobs))].owner_uid) == {j.uid for j in finished(*expected)}
    assert len(woken) == (1 if expected else 0)


def test_what_is_not_ours_does_not_count_for_the_cap_of_the_installation() -> None:
    jobs = {job.uid: job for job in finished(10, 20, 30)}
    ours = next(iter(jobs))
    installation = FinishedJobCap(jobs, 1, lambda _: None, lambda job: job.uid == ours)
    installation.sweep()
    assert installation.get_excess(jobs[ours].owner_uid) == frozenset()


def test_what_is_no_longer_beyond_the_cap_stays() -> None:
    jobs = {job.uid: job for job in finished(10, 20)}
    installation = FinishedJobCap(jobs, 1, lambda _: None, lambda _: True)
    installation.sweep()
    _, gone = jobs.popitem()
    installation.sweep()
    assert installation.get_excess(gone.owner_uid) == frozenset()


@pytest.mark.parametrize(
    ("seconds", "cap"),
    [
        pytest.param(89, None, id="neither floor has passed"),
        pytest.param(90, Cap.SCHEDULE, id="that of Jobs beyond the cap"),
        pytest.param(599, Cap.SCHEDULE, id="not the usual one"),
        pytest.param(600, "history", id="the usual one: they would go anyway"),
    ],
)
def test_what_is_beyond_the_cap_and_the_history_goes_by_the_floor_that_passes_first(
    seconds: float, cap: Cap | str | None
) -> None:
    """A usual floor that is longer than that of the cap is one without a fence."""
    jobs = finished(10)
    (job,) = jobs
    assert job.released_at is not None
    plan = build_plan(build_scheduled_job(build_spec(history={"successful": 0, "failed": 0})))
    limits = Limits(timedelta(seconds=600), capped_tombstone=timedelta(seconds=90), most_finished=0)
    now = job.released_at + timedelta(seconds=seconds)
    choice = decide_deletions(
        jobs, parse_stored_status({"cursor": format_instant(at(9000))}), plan, limits, now
    )
    found = choice.capped.get(job.uid, "history") if choice.jobs else None
    assert found == cap
