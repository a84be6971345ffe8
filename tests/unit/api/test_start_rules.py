"""When a click may not start a run: what the operator would refuse, and nothing that it would run."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import TEMPLATE, at, build_item, build_spec

from sundial_api.jobs.start_rules import find_refusal
from sundial_core.resources.objects import (
    TaskFunction,
    parse_scheduled_job,
    parse_task_function,
)

NOW = at(60)
OF_A_FUNCTION = {"schedule": {"interval": {"hours": 1}}, "taskFunctionRef": {"name": "clean-up"}}
NOT_READY = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}
TOO_FREQUENT = NOT_READY | {
    "reason": "TooFrequent",
    "message": "slots are 1 s apart",
    "observedGeneration": 1,
}


def build_function(**spec: Any) -> TaskFunction:
    return parse_task_function(build_item({"handler": {"container": {}}, "template": TEMPLATE} | spec))


def ask(item: dict[str, Any], function: TaskFunction | None = None, open_runs: int = 0) -> str | None:
    refusal = find_refusal(parse_scheduled_job(item), function, open_runs, NOW)
    return None if refusal is None else refusal.english


RUNS = [
    pytest.param(build_item(), None, id="sound"),
    pytest.param(build_item(OF_A_FUNCTION), build_function(), id="of a function"),
    pytest.param(build_item(OF_A_FUNCTION), build_function(active=False), id="of one that is not offered"),
    pytest.param(build_item(OF_A_FUNCTION), None, id="of one that may still come"),
    pytest.param(build_item(build_spec(schedule={"at": "2020-01-01T00:00:00Z"})), None, id="InThePast"),
    pytest.param(build_item(build_spec(schedule={"cron": "0 0 30 2 *"})), None, id="NeverFires"),
    pytest.param(
        build_item(build_spec(schedule={"cron": "@daily", "endsAt": "2020-01-01T00:00:00Z"})),
        None,
        id="Completed",
    ),
    pytest.param(build_item(paused="2026-01-01T00:00:30Z"), None, id="a pause that has ended"),
    pytest.param(build_item(paused="false"), None, id="not paused"),
    pytest.param(
        build_item(status={"conditions": [TOO_FREQUENT]}, generation=2), None, id="was too frequent before"
    ),
    pytest.param(
        build_item(status={"conditions": [TOO_FREQUENT | {"reason": "InThePast"}]}),
        None,
        id="told as InThePast",
    ),
]


@pytest.mark.parametrize(("item", "function"), RUNS)
def test_run_is_asked_for(item: dict[str, Any], function: TaskFunction | None) -> None:
    assert ask(item, function) is None


REFUSED = [
    pytest.param(build_item(build_spec(suspend=True)), None, "is disabled; enable", id="suspended"),
    pytest.param(build_item(paused="true"), None, "the job is paused; resume it first", id="paused"),
    pytest.param(build_item(paused="2026-01-01T00:01:01Z"), None, "resume it", id="paused until later"),
    pytest.param(build_item(paused="tomorrow"), None, "resume it", id="paused by what cannot be read"),
    pytest.param(
        build_item(build_spec(concurrency={"policy": "Odd"})), None, "InvalidSpec: spec.", id="spec"
    ),
    pytest.param(
        build_item(build_spec(schedule={"cron": "0 25 * * *"})), None, "InvalidSchedule: spec.", id="schedule"
    ),
    pytest.param(build_item(build_spec(args={"a": "x" * 70_000})), None, "ArgsTooLarge: spec.", id="args"),
    pytest.param(
        build_item(OF_A_FUNCTION),
        build_function(handler={"celery": {"task": "a.b"}}, template=None),
        "TemplateMissing: TaskFunction clean-up",
        id="no template",
    ),
    pytest.param(
        build_item(OF_A_FUNCTION),
        build_function(handler={"celery": {"task": "a.b"}}, template={}),
        "TemplateInvalid: TaskFunction clean-up",
        id="template that the runner cannot run in",
    ),
    pytest.param(
        build_item(OF_A_FUNCTION | {"startTimeoutSeconds": 500}),
        build_function(defaultTimeoutSeconds=400),
        "InvalidSpec: spec.startTimeoutSeconds",
        id="start timeout beyond the function's",
    ),
    pytest.param(
        build_item(status={"conditions": [TOO_FREQUENT]}),
        None,
        "TooFrequent: slots are 1 s",
        id="too frequent",
    ),
]


@pytest.mark.parametrize(("item", "function", "words"), REFUSED)
def test_run_is_refused_in_words(item: dict[str, Any], function: TaskFunction | None, words: str) -> None:
    refusal = ask(item, function)
    assert refusal is not None
    assert words in refusal
    assert len(refusal) <= 1000


@pytest.mark.parametrize(
    ("concurrency", "open_runs", "queued", "is_refused"),
    [
        pytest.param({}, 0, 0, False, id="Forbid, free"),
        pytest.param({}, 1, 0, True, id="Forbid, taken"),
        pytest.param({"maxInstances": 2}, 1, 0, False, id="Forbid, one of two"),
        pytest.param({"policy": "Queue"}, 1, 0, False, id="Queue, waits"),
        pytest.param({"policy": "Queue"}, 1, 1, True, id="Queue, full of slots"),
        pytest.param({"policy": "Queue"}, 2, 0, True, id="Queue, full of runs"),
        pytest.param({"policy": "Queue", "maxQueued": 2}, 1, 1, False, id="Queue, room for another"),
        pytest.param({"policy": "Replace"}, 5, 0, False, id="Replace"),
        pytest.param({"policy": "Allow"}, 5, 0, False, id="Allow"),
    ],
)
def test_places(concurrency: dict[str, Any], open_runs: int, queued: int, is_refused: bool) -> None:  # noqa: FBT001
    waiting = {"slot": "2026-01-01T00:00:10Z", "since": "2026-01-01T00:00:10Z", "reason": "AlreadyActive"}
    item = build_item(build_spec(concurrency=concurrency), {"queued": [waiting] * queued})
    assert (ask(item, open_runs=open_runs) is not None) == is_refused
