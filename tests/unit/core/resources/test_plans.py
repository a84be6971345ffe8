"""What a bad spec is told, and what a good one comes to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    SECOND,
    TEMPLATE,
    at,
    build_scheduled_job,
    build_spec,
    nest,
)

from sundial_core.resources.nesting import MAX_LEVELS
from sundial_core.resources.objects import TaskFunction
from sundial_core.resources.plans import (
    MAX_ARGS_BYTES,
    Plan,
    Problem,
    compile_plan,
    hash_schedule,
)

BY_REFERENCE = {"template": None, "taskFunctionRef": {"name": "clean-up"}}


def compile_spec(
    function: TaskFunction | None = None, minimum: timedelta = SECOND, **fields: Any
) -> Plan | Problem:
    return compile_plan(build_scheduled_job(build_spec(**fields)), function, minimum)


def build_function(handler: dict[str, Any] | None = None, **fields: Any) -> TaskFunction:
    spec = {"handler": handler or {"container": {}}, "template": {"spec": {"mine": True}}} | fields
    return TaskFunction("f", 1, "team", "clean-up", 1, at(0), spec, {})


def build_template(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": list(containers)}}}}


@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        pytest.param({"schedule": None}, "InvalidSpec", "spec.schedule", id="no schedule"),
        pytest.param(
            {"schedule": {}}, "InvalidSchedule", "spec.schedule: exactly one of", id="empty schedule"
        ),
        pytest.param(
            {"schedule": {"cron": "* * * * *", "at": "2026-02-01T00:00:00Z"}},
            *("InvalidSchedule", "spec.schedule: exactly one of"),
            id="two schedules",
        ),
        pytest.param(
            {"schedule": {"cron": "61 * * * *"}}, "InvalidSchedule", "spec.schedule.cron: ", id="bad cron"
        ),
        pytest.param(
            {"schedule": {"cron": "* * * *"}}, "InvalidSchedule", "spec.schedule.cron: ", id="four fields"
        ),
        pytest.param(
            {"schedule": {"cron": "x" * 257}}, "InvalidSpec", "spec.schedule.cron: ", id="long cron"
        ),
        pytest.param(
            {"schedule": {"cron": "* * * * *", "timeZone": "Mars/Base"}},
            *("InvalidSchedule", "spec.schedule.timeZone: "),
            id="unknown zone",
        ),
        pytest.param(
            {"schedule": {"interval": {"seconds": 0}}},
            "InvalidSchedule",
            "spec.schedule.interval: ",
            id="0 s",
        ),
        pytest.param(
            {"schedule": {"interval": {"seconds": -5}}},
            "InvalidSpec",
            "spec.schedule.interval.seconds: ",
            id="-5 s",
        ),
        pytest.param(
            {"schedule": {"interval": {"seconds": "x"}}},
            "InvalidSpec",
            "spec.schedule.interval.seconds: ",
            id="x s",
        ),
        pytest.param(
            {"schedule": {"cronFields": {}}},
            "InvalidSchedule",
            "spec.schedule.cronFields",
            id="no cron fields",
        ),
        pytest.param({"schedule": {"at": "noon"}}, "InvalidSpec", "spec.schedule.at: ", id="at noon"),
        pytest.param(
            {"schedule": {"at": "2026-02-01T00:00:00"}},
            "InvalidSchedule",
            "spec.schedule.at: ",
            id="at without zone",
        ),
        pytest.param(
            {"schedule": {"cron": "* * * * *", "anchor": "2026-01-01T00:00:00Z"}},
            *("InvalidSchedule", "spec.schedule.anchor: "),
            id="anchor without interval",
        ),
        pytest.param(
            {"schedule": {"cron": "* * * * *", "dst": "Twice"}},
            "InvalidSpec",
            "spec.schedule.dst: ",
            id="dst",
        ),
        pytest.param(
            {"concurrency": {"maxInstances": 0}},
            "InvalidSpec",
            "spec.concurrency.maxInstances: ",
            id="places",
        ),
        pytest.param(
            {"concurrency": {"policy": "Maybe"}}, "InvalidSpec", "spec.concurrency.policy: ", id="policy"
        ),
        pytest.param(
            {"catchUp": {"graceSeconds": 4}}, "InvalidSpec", "spec.catchUp.graceSeconds: ", id="grace"
        ),
        pytest.param({"catchUp": {"maxRuns": 101}}, "InvalidSpec", "spec.catchUp.maxRuns: ", id="maxRuns"),
        pytest.param({"timeoutSeconds": 0}, "InvalidSpec", "spec.timeoutSeconds: ", id="timeout"),
        pytest.param({"args": [1]}, "InvalidSpec", "spec.args: ", id="args are a list"),
        pytest.param(
            {"args": {"a": "x" * MAX_ARGS_BYTES}}, "ArgsTooLarge", "spec.args: 65544 bytes", id="args"
        ),
        pytest.param(
            {"args": {"a": nest(MAX_LEVELS)}},
            "InvalidSpec",
            "spec.args: nested more than 64 levels",
            id="deep",
        ),
        pytest.param(
            {"template": None}, "InvalidSpec", "set taskFunctionRef or template", id="nothing to run"
        ),
        pytest.param(
            BY_REFERENCE, "TaskFunctionNotFound", "there is no TaskFunction clean-up", id="no function"
        ),
    ],
)
def test_what_a_bad_spec_is_told(fields: dict[str, Any], reason: str, words: str) -> None:
    problem = compile_spec(**fields)
    assert isinstance(problem, Problem)
    assert (problem.reason, words in problem.message) == (reason, True), problem.message
    assert problem.schedule_hash == hash_schedule(build_spec(**fields))


def test_what_is_nested_as_deep_as_may_be() -> None:
    assert isinstance(compile_spec(args={"a": nest(MAX_LEVELS - 1)}), Plan)


def test_a_function_that_is_nested_too_deeply_does_not_run() -> None:
    function = build_function(parametersSchema={"a": nest(MAX_LEVELS)})
    problem = compile_spec(function=function, **BY_REFERENCE)
    assert isinstance(problem, Problem)
    assert problem.message.startswith("TaskFunction clean-up: spec.parametersSchema: nested more than 64")


NEEDS_DAYS = {
    "type": "object",
    "required": ["retention_days"],
    "properties": {"retention_days": {"type": "integer", "minimum": 1}},
}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        pytest.param(
            {"retention_days": 0}, "spec.args.retention_days: is less than the minimum of 1", id="limit"
        ),
        pytest.param({"retention_days": "30"}, "spec.args.retention_days: is not of type integer", id="type"),
        pytest.param(None, "spec.args.retention_days: is required", id="none at all"),
    ],
)
def test_args_that_do_not_fit_the_schema_are_told_where(args: dict[str, Any] | None, message: str) -> None:
    function = build_function(parametersSchema=NEEDS_DAYS)
    problem = compile_spec(function, args=args, **BY_REFERENCE)
    assert isinstance(problem, Problem)
    assert (problem.reason, problem.message) == ("InvalidArgs", message)


def test_args_that_fit_are_taken_and_the_schema_goes_with_the_plan() -> None:
    function = build_function(parametersSchema=NEEDS_DAYS)
    plan = compile_spec(function, args={"retention_days": 30}, **BY_REFERENCE)
    assert isinstance(plan, Plan)
    assert plan.parameters_schema == NEEDS_DAYS
    assert isinstance(compile_spec(build_function(), args={"retention_days": 0}, **BY_REFERENCE), Plan)


def test_a_schema_that_cannot_be_used_is_told_as_the_function_s() -> None:
    function = build_function(parametersSchema={"properties": {"a": {"type": "intger"}}})
    problem = compile_spec(function, **BY_REFERENCE)
    assert isinstance(problem, Problem)
    assert problem.reason == "InvalidParametersSchema"
    assert problem.message.startswith(
        "TaskFunction clean-up: spec.parametersSchema.properties.a.type: is no type; write one of"
    )


def test_a_job_with_a_template_of_its_own_has_no_schema_to_fit() -> None:
    assert isinstance(compile_spec(build_function(parametersSchema=NEEDS_DAYS), args={}), Plan)


def test_at_most_five_misfits_are_told() -> None:
    schema = {"required": [f"field-{n}" for n in range(50)]}
    problem = compile_spec(build_function(parametersSchema=schema), **BY_REFERENCE)
    assert isinstance(problem, Problem)
    assert problem.message.count("is required") == 5


def test_a_message_does_not_repeat_what_may_be_secret() -> None:
    problem = compile_spec(args="s3cret", timeoutSeconds="s3cret")
    assert isinstance(problem, Problem)
    assert "s3cret" not in problem.message


@pytest.mark.parametrize("size", [MAX_ARGS_BYTES - 8])
def test_args_of_64_kib_are_taken(size: int) -> None:
    assert isinstance(compile_spec(args={"a": "x" * size}), Plan)


@pytest.mark.parametrize(
    ("handler", "fields", "reason", "words"),
    [
        pytest.param({"novel": {}}, {}, "InvalidSpec", "spec.handler: exactly one of", id="unknown handler"),
        pytest.param({"celery": {}}, {}, "InvalidSpec", "spec.handler.celery.task: ", id="no task"),
        *(
            pytest.param(
                handler,
                {"template": None},
                *("TemplateMissing", "spec.template: is required"),
                id=f"no template for {next(iter(handler))}",
            )
            for handler in ({"celery": {"task": "x"}}, {"function": {"path": "a.b"}}, {"container": {}})
        ),
        pytest.param(
            {"function": {"path": "a.b"}},
            {"template": build_template()},
            *("TemplateInvalid", "containers: name the container"),
            id="no container",
        ),
        pytest.param(
            {"container": {}},
            {"template": build_template(*({"name": f"c{n}"} for n in range(101)))},
            *("TemplateInvalid", "containers: 101 containers"),
            id="too many containers",
        ),
    ],
)
def test_functions_that_cannot_be_run(
    handler: dict[str, Any], fields: dict[str, Any], reason: str, words: str
) -> None:
    problem = compile_spec(build_function(handler, **fields), **BY_REFERENCE)
    assert isinstance(problem, Problem)
    assert problem.reason == reason
    assert problem.message.startswith("TaskFunction clean-up: spec.")
    assert words in problem.message


@pytest.mark.parametrize(("count", "is_taken"), [(100, True), (101, False)])
def test_a_template_of_its_own_has_a_hundred_containers_at_most(count: int, is_taken: bool) -> None:  # noqa: FBT001
    template = build_template(*({"name": f"c{n}"} for n in range(count)))
    assert isinstance(compile_spec(template=template), Plan) is is_taken


@pytest.mark.parametrize("kind", ["celery", "function"])
def test_functions_and_celery_tasks_run(kind: str) -> None:
    handler = {"celery": {"task": "x"}} if kind == "celery" else {"function": {"path": "a.b"}}
    plan = compile_spec(build_function(handler, template=TEMPLATE), **BY_REFERENCE)
    assert isinstance(plan, Plan)
    assert plan.handler is not None
    assert plan.handler.needs_runner


@pytest.mark.parametrize(
    ("own", "default", "expected"),
    [
        pytest.param(None, None, 300, id="neither"),
        pytest.param(None, 40, 40, id="the function's"),
        pytest.param(7, 40, 7, id="the job's own"),
    ],
)
def test_timeouts(own: int | None, default: int | None, expected: int) -> None:
    function = build_function(defaultTimeoutSeconds=default)
    plan = compile_spec(function, timeoutSeconds=own, **BY_REFERENCE)
    assert isinstance(plan, Plan)
    assert (plan.timeout_seconds, plan.template) == (expected, {"spec": {"mine": True}})


def test_an_inline_template_goes_through_as_it_is() -> None:
    plan = compile_spec(timeoutSeconds=9)
    assert isinstance(plan, Plan)
    assert (plan.template, plan.timeout_seconds) == (TEMPLATE, 9)


@pytest.mark.parametrize(
    ("schedule", "minimum", "is_refused"),
    [
        pytest.param({"interval": {"seconds": 59}}, 60, True, id="interval too short"),
        pytest.param({"interval": {"seconds": 60}}, 60, False, id="interval just long enough"),
        pytest.param({"interval": {"seconds": 1}}, 1, False, id="the default minimum"),
        pytest.param({"cron": "*/30 * * * * *"}, 60, True, id="cron too often"),
        pytest.param({"cron": "0,30 0 3 * * *"}, 60, True, id="cron too close once a day"),
        pytest.param({"cron": "* * * * *"}, 60, False, id="cron just right"),
        pytest.param({"at": "2027-01-01T00:00:00Z"}, 3600, False, id="at"),
    ],
)
def test_the_shortest_period_of_an_installation(
    schedule: dict[str, Any], minimum: int, is_refused: Any
) -> None:
    found = compile_spec(minimum=timedelta(seconds=minimum), schedule=schedule)
    assert isinstance(found, Problem) is is_refused
    assert not is_refused or found.reason == "TooFrequent"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("fields", "is_same"),
    [
        pytest.param(
            {"args": {"a": 1}, "timeoutSeconds": 9, "suspend": True}, True, id="what does not move slots"
        ),
        pytest.param({"schedule": {"interval": {"seconds": 11}}}, False, id="the interval"),
        pytest.param(
            {"schedule": {"interval": {"seconds": 10}, "timeZone": "Asia/Tokyo"}}, False, id="the zone"
        ),
        pytest.param({"schedule": {"interval": {"seconds": 10}, "dst": "Literal"}}, False, id="dst"),
        pytest.param(
            {"schedule": {"interval": {"seconds": 10}, "endsAt": "2027-01-01T00:00:00Z"}}, False, id="window"
        ),
    ],
)
def test_the_hash_is_of_what_moves_slots(fields: dict[str, Any], is_same: Any) -> None:
    assert (hash_schedule(build_spec(**fields)) == hash_schedule(build_spec())) is is_same


def test_the_order_of_fields_does_not_matter_to_the_hash() -> None:
    one, other = {"cron": "0 9 * * *", "timeZone": "UTC"}, {"timeZone": "UTC", "cron": "0 9 * * *"}
    assert hash_schedule({"schedule": one}) == hash_schedule({"schedule": other})
