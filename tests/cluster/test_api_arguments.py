"""Arguments that do not fit the parametersSchema of a task function, on their way through the API."""

from __future__ import annotations

from typing import Any

from testkit.api_callers import Api

JsonObject = dict[str, Any]
SCHEMA: JsonObject = {
    "properties": {"retention_days": {"type": "integer", "minimum": 1}, "text": {"pattern": "^[a-z]*$"}},
    "required": ["retention_days"],
    "additionalProperties": False,
}
SECRET = "Hunter-2"


def places(answer: JsonObject) -> dict[str, str]:
    """Give what is said of each place in taskArgs."""
    for problem in answer["detail"]:
        assert problem["loc"][:2] == ["body", "taskArgs"]
    return {".".join(problem["loc"][2:]): problem["msg"] for problem in answer["detail"]}


async def test_each_value_that_does_not_fit_is_named_and_none_is_repeated(api: Api) -> None:
    await api.make_function({"parametersSchema": SCHEMA})
    args = {"retention_days": 0, "text": SECRET, "colour": SECRET}
    answer = await api.create(422, taskArgs=args)
    assert places(answer) == {
        "retention_days": "is less than the minimum of 1",
        "text": "does not match ^[a-z]*$",
        "colour": "is not known here",
    }
    assert SECRET not in str(answer)
    for missing in ({}, {"taskArgs": None}, {"taskArgs": {}}):
        assert places(await api.create(422, **missing)) == {"retention_days": "is required"}
    assert places(await api.create(422, taskArgs={"retention_days": "5"})) == {
        "retention_days": "is not of type integer"
    }
    assert await api.create(taskArgs={"retention_days": 5})


async def test_it_is_said_in_arabic(api: Api) -> None:
    await api.make_function({"parametersSchema": SCHEMA})
    arabic = {"Accept-Language": "ar"}
    answer = await api.create(422, taskArgs={"retention_days": 0}, headers=arabic)
    assert places(answer)["retention_days"].startswith("أصغر من الحد الأدنى")


async def test_an_edit_is_checked_where_it_touches_the_arguments(api: Api) -> None:
    job = await api.create(taskArgs={"retention_days": 0})
    path = f"/jobs/{job['id']}"
    await api.make_function({"parametersSchema": SCHEMA})
    shown = await api.ask("GET", path)
    await api.ask("PUT", path, shown | {"name": "Renamed", "scheduleConfig": {"hours": 2}})
    await api.ask("PUT", f"{path}/status", {"isEnabled": False})
    refused = await api.ask("PUT", path, {"taskArgs": {"retention_days": -1}}, 422)
    assert places(refused) == {"retention_days": "is less than the minimum of 1"}
    assert places(await api.ask("PUT", path, {"taskArgs": None}, 422)) == {"retention_days": "is required"}
    await api.ask("PUT", path, {"taskArgs": {"retention_days": 1}})
    assert api.read(job)["spec"]["args"] == {"retention_days": 1}


async def test_another_task_function_brings_its_schema(api: Api) -> None:
    job = await api.create(taskArgs={"retention_days": 0})
    await api.make_function({"name": "other", "parametersSchema": SCHEMA}, "other")
    listed = await api.ask("GET", "/task-functions")
    (other,) = (one["id"] for one in listed["taskFunctions"] if one["resourceName"] == "other")
    refused = await api.ask("PUT", f"/jobs/{job['id']}", {"taskFunctionId": other}, 422)
    assert places(refused) == {"retention_days": "is less than the minimum of 1"}
    both = {"taskFunctionId": other, "taskArgs": {"retention_days": 3}}
    assert (await api.ask("PUT", f"/jobs/{job['id']}", both))["taskFunctionId"] == other


async def test_a_run_of_a_job_whose_arguments_do_not_fit_is_refused(api: Api) -> None:
    job = await api.create(taskArgs={"retention_days": 0})
    api.apply_function({"parametersSchema": SCHEMA})  # the API has no row of it yet: the objects decide
    refused = await api.ask("POST", f"/jobs/{job['id']}/trigger", status=409)
    expected = "InvalidArgs: spec.args.retention_days: is less than the minimum of 1"
    assert refused["detail"] == f"the job cannot run: {expected}"


async def test_a_schema_that_cannot_be_used_takes_no_new_jobs(api: Api) -> None:
    await api.make_function({"parametersSchema": {"allOf": [{"$ref": "#"}]}})
    answer = await api.create(422)
    assert answer["detail"] == [
        {
            "loc": ["body", "taskFunctionId"],
            "msg": "cannot be used, parametersSchema.allOf.0.$ref: refers to itself; write out the levels"
            " that there may be",
            "type": "value_error",
        }
    ]
