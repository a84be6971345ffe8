"""The pure parts of the benches: what is counted, judged and written down."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bench.burst_figures import compare_rounds
from bench.goals import (
    GOALS,
    judge,
    judge_all,
    read_figure,
)
from bench.harness.audit import parse_writes, summarise
from bench.harness.operators import is_idle, parse_metrics
from bench.rate_figures import (
    Starts,
    describe_lateness,
    find_knee,
    is_past_knee,
    percentile,
)
from bench.scale_manifests import build_schedule
from bench.steady_manifests import build_steady_job
from bench.tables import (
    PAGE,
    build_api,
    build_goals,
    build_rate,
    build_scale,
    build_writes,
    fill,
)
from bench.writes import describe
from testkit.scheduled_jobs import build_item

from sundial_clock.schedule import CompiledSchedule
from sundial_core.resources.objects import parse_scheduled_job
from sundial_core.resources.plans import Plan, compile_plan

NOW = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


def build_event(verb: str, resource: str, code: int = 200, **how: Any) -> bytes:
    reference = {"resource": resource} | ({"subresource": how["sub"]} if "sub" in how else {})
    event = {
        "verb": verb,
        "objectRef": reference,
        "requestURI": how.get("uri", "/apis"),
        "requestReceivedTimestamp": "2026-11-23T17:00:00.250000Z",
        "responseStatus": {"code": code},
    }
    return json.dumps(event).encode()


@pytest.mark.parametrize(
    ("event", "kind", "what"),
    [
        pytest.param(build_event("create", "jobs", 201), "stored", "create jobs", id="a Job"),
        pytest.param(
            build_event("patch", "scheduledjobs", sub="status"),
            "stored",
            "patch scheduledjobs/status",
            id="a status",
        ),
        pytest.param(build_event("patch", "leases"), "heartbeats", "patch leases", id="a renewal"),
        pytest.param(build_event("create", "events", 201), "events", "create events", id="an Event"),
        pytest.param(build_event("create", "jobs", 409), "refused", "create jobs", id="refused"),
        pytest.param(
            build_event("create", "jobs", 201, uri="/jobs?dryRun=All"),
            "not_stored",
            "create jobs",
            id="a probe",
        ),
        pytest.param(
            build_event("create", "selfsubjectaccessreviews", 201),
            "not_stored",
            "create selfsubjectaccessreviews",
            id="a review",
        ),
    ],
)
def test_each_request_counts_as_what_it_is(event: bytes, kind: str, what: str) -> None:
    counts = summarise(parse_writes([event]))
    assert {name: count for name, count in counts.items() if count} == {kind: {what: 1}}


def test_a_request_has_the_instant_at_which_it_came() -> None:
    (write,) = parse_writes([build_event("create", "jobs", 201)])
    assert write.at == NOW.timestamp() + 0.25


def test_metrics_are_read_by_name_and_labels() -> None:
    text = '# HELP a b\na 1.0\nb{verb="GET",code="200"} 2.5\n'
    assert parse_metrics(text) == {"a": 1, 'b{verb="GET",code="200"}': 2.5}


IDLE = {
    "sundial_leader": 1.0,
    "sundial_reconcile_seconds_count": 5.0,
    "sundial_decisions_waiting": 0.0,
    "sundial_queue_depth": 0.0,
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({}, True, id="all looked at, nothing left"),
        pytest.param({"sundial_leader": 0.0}, False, id="a standby"),
        pytest.param({"sundial_reconcile_seconds_count": 4.0}, False, id="one not looked at"),
        pytest.param({"sundial_decisions_waiting": 1.0}, False, id="one to look at again"),
        pytest.param({"sundial_queue_depth": 1.0}, False, id="one write left"),
    ],
)
def test_an_operator_is_idle_when_nothing_is_left(changed: dict[str, float], *, expected: bool) -> None:
    assert is_idle(IDLE | changed, 5) is expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [pytest.param(0.5, 50, id="half"), pytest.param(0.99, 99, id="p99"), pytest.param(1.0, 100, id="all")],
)
def test_a_percentile_is_not_exceeded_by_its_share(share: float, expected: float) -> None:
    assert percentile(list(range(1, 101)), share) == expected


def test_a_second_job_of_a_slot_is_counted_and_does_not_hide_the_first() -> None:
    starts = Starts()
    for at in (10.2, 10.9):
        starts.take("uid", 10.0, at)
    starts.take("uid", 20.0, 20.5)
    assert starts.doubled == 1
    assert starts.find_lateness(10, 20) == pytest.approx([0.2])


@pytest.mark.parametrize(
    ("lateness", "wanted", "expected"),
    [
        pytest.param([0.1, 0.2], 2, False, id="on time"),
        pytest.param([0.1, 1.2], 2, True, id="late"),
        pytest.param([0.1], 2, True, id="one lost"),
        pytest.param([], 2, True, id="nothing came"),
    ],
)
def test_a_rate_is_too_much_when_jobs_are_late_or_lost(
    lateness: list[float], wanted: int, *, expected: bool
) -> None:
    assert is_past_knee(describe_lateness(lateness, wanted)) is expected


def build_step(rate: int, lateness: float) -> dict[str, Any]:
    cores = {"operator": 0.5, "kube-apiserver": 1.0, "machine": 2.0}
    return {"per_second": rate, "cores": cores} | describe_lateness([lateness], 1)


def test_the_knee_lies_between_the_last_rate_that_kept_up_and_the_first_that_did_not() -> None:
    knee = find_knee([build_step(20, 0.1), build_step(30, 0.4), build_step(40, 1.5)])
    assert (knee["kept_up_per_second"], knee["too_much_per_second"]) == (30, 40)
    assert knee["cores_there"]["kube-apiserver"] == 1.0


def compile_manifest(manifest: dict[str, Any]) -> CompiledSchedule:
    work = {"template": {"spec": {"template": {"spec": {"containers": []}}}}}
    spec = {"schedule": manifest["spec"]["schedule"]} | work
    item = build_item(spec)
    item["metadata"] |= {"name": manifest["metadata"]["name"], "creationTimestamp": NOW.isoformat()}
    plan = compile_plan(parse_scheduled_job(item), None, timedelta(seconds=1))
    assert isinstance(plan, Plan), plan
    return plan.schedule


@pytest.mark.parametrize("number", range(0, 480, 7))
def test_no_schedule_of_the_bench_of_scale_is_due_for_two_days(number: int) -> None:
    slot = compile_manifest(build_schedule(number, NOW)).next_slot(NOW)
    assert slot is not None
    assert slot > NOW + timedelta(days=2)


def test_steady_schedules_are_due_evenly_in_each_second() -> None:
    until = NOW + timedelta(seconds=10)
    slots = [
        slot
        for number in range(20)
        for slot in compile_manifest(build_steady_job(number, NOW, 10)).latest_slots(NOW, until, 9)
    ]
    assert sorted(slots) == [NOW + timedelta(seconds=1 + n // 2) for n in range(20)]


def test_writes_are_shared_among_the_runs() -> None:
    counted = {"stored": {"create jobs": 100, "patch scheduledjobs/status": 198}}
    report = describe(counted, 100)
    assert report["writes_per_run"] == 2.98
    assert report["by_request"] == {"create jobs": 1.0, "patch scheduledjobs/status": 1.98}


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        pytest.param(4.0, True, id="just met"),
        pytest.param(4.01, False, id="missed"),
        pytest.param(None, False, id="no figure"),
    ],
)
def test_a_goal_is_met_up_to_its_bound(figure: float | None, *, expected: bool) -> None:
    assert judge(GOALS[-1], {"writes": {"writes_per_run": figure}})["met"] is expected


def test_counts_by_name_are_judged_by_their_sum() -> None:
    assert read_figure({"stored": {"create jobs": 1, "patch leases": 2}}, ("stored",)) == 3


def test_only_the_goals_of_the_benches_that_were_run_are_judged() -> None:
    goals = judge_all({"rate": {"steady": {"p99_seconds": 0.2}, "doubled": 1}})
    assert [(goal["name"], goal["met"]) for goal in goals] == [
        ("rate: p99 lateness, s", True),
        ("rate: doubled Jobs", False),
    ]


MACHINE = {"date": "2026-11-23 17:00", "cores": 2, "kubernetes": "v1.37.2", "python": "3.11.2"}


def test_the_table_of_rates_names_who_used_the_processors() -> None:
    table = build_rate({"machine": MACHINE, "steps": [build_step(20, 0.1)]})
    assert "| 20 | 1 of 1 | 0.1 | 0.1 | 0.1 | 0.1 | 2.0 | apiserver 1, operator 0.5 |" in table


def test_the_table_of_scale_has_a_column_without_and_one_with_jobs() -> None:
    writes = {"stored": {}, "heartbeats": {"patch leases": 30}, "not_stored": {}}
    idle = {"cpu_percent_of_a_core": 1.5, "resident_mb": 200, "peak_mb": 210, "seconds": 60, "writes": writes}
    restart = {"seconds": 7.5, "cpu_seconds": 6.5, "idle": idle}
    scale = {"restart": restart, "restart_with_jobs": restart, "schedules": 10_000, "finished_jobs": 30_000}
    table = build_scale(scale | {"machine": MACHINE})
    assert "| restart to fully planned, s | 7.5 | 7.5 |" in table
    assert "| idle for 60 s, heartbeats | 30 x patch leases | 30 x patch leases |" in table


def test_the_table_of_writes_lists_what_is_no_write_of_a_run() -> None:
    counted = {"stored": {"create jobs": 100}, "heartbeats": {"patch leases": 50}}
    counted |= {"events": {}, "refused": {}, "not_stored": {}}
    table = build_writes(describe(counted, 100) | {"machine": MACHINE})
    assert "| create jobs | 1.0 |" in table
    assert "| (patch leases: 50 in all) |  |" in table


def test_a_table_replaces_what_is_between_its_marks() -> None:
    page = "before\n<!-- rate -->\nold\n<!-- /rate -->\nafter\n"
    assert fill(page, {"rate": "new\n"}) == "before\n<!-- rate -->\nnew\n<!-- /rate -->\nafter\n"


def test_a_page_without_a_place_for_a_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 places for the table rate"):
        fill("", {"rate": ""})


def test_the_page_has_a_place_for_every_table() -> None:
    names = ("goals", "burst", "scale", "rate", "writes", "api")
    assert fill(PAGE.read_text(), dict.fromkeys(names, "")).count("<!--") == 2 * len(names)


def test_a_goal_that_is_missed_stands_out() -> None:
    table = build_goals([{"name": "x", "figure": 9, "goal": "at most 8", "met": False}])
    assert "| x | 9 | at most 8 | **no** |" in table


def test_the_table_of_the_api_has_the_mirror_and_each_list() -> None:
    figures = {"total": 9, "first_page_p95_ms": 4.5, "any_page_p95_ms": 44.5}
    sync = {"schedules": 10, "jobs": 30, "seconds": 1.5, "cpu_seconds": 0.5, "resident_mb": 150}
    lag = {"changes_per_second": 100.0, "p50_ms": 110, "p90_ms": 150, "p99_ms": 200}
    events = {"listeners": 300, "changes_per_second": 50, "p95_ms_without": 8.5, "p95_ms": 11.5}
    lists = {"executions": figures}
    reads = {"executions": 10_000_000, "namespaces": 1_000, "lists": lists, "events": events}
    reach = {"visible": 30, "namespaces": 1_000, "executions": 1_000_000, "lists": {"jobs": figures}}
    reach |= {"complete_p50_seconds": 1.25, "complete_max_seconds": 2.5}
    api = {"first_sync": sync, "lag": lag, "reads": reads, "reach": reach, "machine": MACHINE}
    table = build_api(api)
    assert "| found, s (median, worst) | 1.25 | 2.5 |" in table
    assert "| jobs | 4.5 | 44.5 |" in table
    assert "| lag at 100 changes/s, p99, ms | 200 |" in table
    assert "| executions | 9 | 4.5 | 44.5 |" in table
    assert "| beside 300 listeners and 50 changes/s | 11.5 |" in table


def test_rounds_are_compared_by_the_median_of_their_ratios() -> None:
    rounds = [{"bare": 1.0, "bare-marked": 1.25, "sundial": sundial} for sundial in (10.0, 1.2, 1.5)]
    assert compare_rounds(rounds) == {
        "last_job: sundial / bare, median of rounds": 1.5,
        "last_job: sundial / bare-marked, median of rounds": 1.2,
        "last_job: bare-marked / bare, median of rounds": 1.25,
    }
    assert compare_rounds([]) == {}
