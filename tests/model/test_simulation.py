"""Any story of users, crashes and trouble ends with one verdict and at most one Job a slot, or a request."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from testkit.scheduled_jobs import CREATED, TEMPLATE, at
from testkit.simulation.cluster import Cluster
from testkit.simulation.invariants import check_story
from testkit.simulation.process import Process
from testkit.simulation.stories import Era, Story, compile_spec

from sundial_clock.instants import format_instant
from sundial_core.resources import names

schedules = st.one_of(
    st.integers(1, 10).map(lambda seconds: {"interval": {"seconds": seconds}}),
    st.sampled_from([{"cron": "*/7 * * * * *"}, {"cron": "0,1,30 * * * * *"}]),
)
windows = st.fixed_dictionaries(
    {"interval": st.just({"seconds": 4})},
    optional={
        name: st.sampled_from([0, 30, 90, 1000]).map(lambda number: format_instant(at(number)))
        for name in ("anchor", "endsAt")
    },
)
limits = {"maxInstances": st.integers(1, 3)}
concurrency = st.one_of(
    st.fixed_dictionaries({"policy": st.sampled_from(["Forbid", "Allow", "Replace"]), **limits}),
    st.fixed_dictionaries({"policy": st.just("Queue"), "maxQueued": st.integers(1, 3), **limits}),
)
specs = st.fixed_dictionaries(
    {
        "schedule": schedules,
        "template": st.just(TEMPLATE),
        "concurrency": concurrency,
        "retry": st.sampled_from([{"count": 0}, {"count": 2, "delaySeconds": 7}]),
        "catchUp": st.fixed_dictionaries(
            {
                "policy": st.sampled_from(["None", "Latest", "All"]),
                "graceSeconds": st.sampled_from([5, 30]),
                "windowSeconds": st.sampled_from([0, 20, 3600]),
                "maxRuns": st.integers(1, 3),
            }
        ),
    }
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "scheduledFor": st.sampled_from([-10, 10, 30, 35, 60]).map(lambda number: format_instant(at(number))),
        "ignoreConcurrency": st.booleans(),
        "ttlSecondsAfterFinished": st.integers(0, 20),
    },
)
MARKS = [
    names.RUN,
    names.TRIGGER,
    names.SCHEDULED_FOR,
    names.ATTEMPT,
    names.RETRIES_USED,
    names.TIMEOUT,
    names.START_TIMEOUT,
]
seconds = st.one_of(
    st.integers(1, 15_000).map(lambda milliseconds: milliseconds / 1000), st.integers(15, 100)
)
outages = st.one_of(
    st.tuples(st.just("wait"), seconds),
    st.tuples(st.just("crash"), seconds),
    st.tuples(st.just("be_away"), st.integers(1, 400), seconds),
    st.tuples(st.sampled_from(["hear", "grow_deaf"]), seconds),
    st.tuples(
        st.just("meet_statuses"),
        st.sampled_from(["store", "store silently", "lose", "refuse", "conflict"]),
        seconds,
    ),
)
changes = st.one_of(
    st.tuples(st.just("suspend"), st.sampled_from([True, False, None]), seconds),
    st.tuples(st.just("suspend_for"), seconds, seconds),
    st.tuples(st.just("pause"), st.sampled_from([None, "true", "false", "rubbish", 3, 30]), seconds),
    st.tuples(st.just("edit"), st.one_of(schedules, windows), seconds),
    st.tuples(st.just("label"), seconds),
    st.tuples(st.just("write_as"), st.sampled_from(["", "client"]), seconds),
)
steps = st.one_of(
    outages,
    changes,
    st.tuples(
        st.just("meet_creates"),
        st.sampled_from(["ok", "refuse", "reject", "lose", "land", "land late", "land too late"]),
        seconds,
    ),
    st.tuples(
        st.just("plan_jobs"),
        st.integers(0, 40),
        st.sampled_from(["Complete", "Failed", "FailureTarget"]),
        seconds,
    ),
    st.tuples(st.just("cancel"), seconds),
    st.tuples(st.just("tamper"), st.sampled_from(MARKS), st.sampled_from([None, "one", "7", "-1"]), seconds),
    st.tuples(st.just("copy_job"), st.sampled_from(["name", "namespace"]), seconds),
    st.tuples(st.just("hold"), st.sampled_from(["", "SUNDIAL_HOLD"]), seconds),
    st.tuples(st.just("set_clock"), st.sampled_from([0, 3600, -3600]), seconds),
)
asking = st.one_of(
    st.tuples(st.just("ask"), requests, seconds),
    st.tuples(st.just("ask"), requests, st.just(0)),
    st.tuples(st.just("withdraw"), st.integers(0, 5), seconds),
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(spec=specs, script=st.lists(steps, min_size=1, max_size=15))
def test_each_slot_that_counts_ends_in_one_verdict(
    spec: dict[str, Any], script: list[tuple[Any, ...]]
) -> None:
    check_story(play(spec, script))


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(spec=specs, script=st.lists(st.one_of(asking, steps), min_size=3, max_size=15))
def test_each_run_that_is_asked_for_starts_once_and_ends_with_a_status(
    spec: dict[str, Any], script: list[tuple[Any, ...]]
) -> None:
    check_story(play(spec, script))


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(spec=specs, script=st.lists(st.one_of(changes, changes, outages), min_size=3, max_size=12))
def test_no_change_fires_the_past(spec: dict[str, Any], script: list[tuple[Any, ...]]) -> None:
    check_story(play(spec, script))


def play(spec: dict[str, Any], script: list[tuple[Any, ...]]) -> Story:
    """Play a story from its first step to a calm end."""
    cluster = Cluster(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sundial_core.status.recent_slots.KEPT", 1_000_000)
        patch.setattr("sundial_core.status.omitted.MAX_LISTED", 2)
        patch.setattr("sundial_core.decision.unstored_limit.MAX_STARTS", 5)
        patch.setattr("sundial_core.decision.unstored_limit.MAX_UNSTORED_TIME", timedelta(seconds=30))
        patch.setattr("sundial_core.decision.unstored_limit.MAX_VERDICTS", 20)
        story = Story(cluster, Process(cluster), [Era(compile_spec(spec), CREATED)])
        for step in script:
            story.play(step)
        story.settle()
    return story
