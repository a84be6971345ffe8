"""What stands for a number or a boolean in a body: what the frontend's original took and loses nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from sundial_api.actions.schemas import BackfillRequest, PauseRequest
from sundial_api.http.errors import Invalid
from sundial_api.jobs.schemas import ScheduledJobCreate, ScheduledJobToggle, ScheduledJobUpdate

JOB: dict[str, Any] = {"name": "Clean up", "taskFunctionId": 2, "jobTypeId": 1}
TAKEN = [
    pytest.param("300", 300, id="number"),
    pytest.param('"300"', 300, id="digits"),
    pytest.param('" 300 "', 300, id="digits with blanks"),
    pytest.param('"+300"', 300, id="digits with a sign"),
    pytest.param("300.0", 300, id="fraction of zero"),
    pytest.param('"300.0"', 300, id="fraction of zero as text"),
    pytest.param("3e2", 300, id="exponent"),
]
REFUSED = [
    pytest.param("300.5", id="fraction"),
    pytest.param('"300.5"', id="fraction as text"),
    pytest.param("true", id="boolean"),
    pytest.param("1e400", id="beyond any number"),
    pytest.param("9007199254740993.0", id="inexact"),
    pytest.param('"3e2"', id="exponent as text"),
    pytest.param('"3_00"', id="underscore"),
    pytest.param('"٣٠٠"', id="other digits"),
    pytest.param('""', id="empty text"),
    pytest.param(f'"{"3" * 5000}"', id="endless text"),
    pytest.param('"yes"', id="word"),
    pytest.param("[300]", id="list"),
    pytest.param("{}", id="object"),
]


def read(model: type[Any], field: str, text: str, **rest: Any) -> Any:
    return model.model_validate(rest | {field: json.loads(text)})


@pytest.mark.parametrize("model", [ScheduledJobCreate, ScheduledJobUpdate])
@pytest.mark.parametrize(("text", "number"), TAKEN)
def test_number_is_taken_where_nothing_is_lost(model: type[Any], text: str, number: int) -> None:
    taken = read(model, "timeoutSeconds", text, **JOB).timeout_seconds
    assert (taken, type(taken)) == (number, int)


@pytest.mark.parametrize("model", [ScheduledJobCreate, ScheduledJobUpdate])
@pytest.mark.parametrize("field", ["timeoutSeconds", "taskFunctionId", "jobTypeId"])
@pytest.mark.parametrize("text", REFUSED)
def test_other_number_is_refused_with_what_to_write(model: type[Any], field: str, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(model, field, text, **{name: JOB[name] for name in JOB if name != field})
    (error,) = caught.value.errors()
    assert (error["loc"], error["msg"]) == ((field,), "is no whole number; write one, such as 5")


def test_limits_hold_whatever_the_form() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 30"):
        read(ScheduledJobCreate, "timeoutSeconds", '"29"', **JOB)


@pytest.mark.parametrize(
    ("text", "flag"), [("true", True), ("false", False), ('"true"', True), ('"false"', False)]
)
def test_boolean_may_be_text(text: str, flag: bool) -> None:  # noqa: FBT001
    assert read(ScheduledJobToggle, "isEnabled", text).is_enabled is flag


@pytest.mark.parametrize("text", ['"yes"', "1", "0", "1.0", '"1"', '"True"', '""', "null", "[]", "{}"])
def test_other_boolean_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(ScheduledJobToggle, "isEnabled", text)
    assert caught.value.errors()[0]["msg"] == "is neither true nor false; write one of them"


@pytest.mark.parametrize("field", ["maxInstances", "isEnabled", "taskFunctionId"])
def test_null_in_an_edit_is_left_out(field: str) -> None:
    assert read(ScheduledJobUpdate, field, "null").model_dump(exclude_none=True) == {}


RANGE = {"from": "2026-11-26T00:00:00Z", "to": "2026-11-27T00:00:00Z"}


@pytest.mark.parametrize(
    ("model", "key", "expected"),
    [
        pytest.param(ScheduledJobCreate, "timezone", "is written timeZone here", id="case"),
        pytest.param(ScheduledJobUpdate, "retry_Count", "is written retryCount here", id="underscore"),
        pytest.param(BackfillRequest, "dryrun", "is written dryRun here", id="a dry run"),
        pytest.param(
            PauseRequest,
            "untill",
            "is not known here; what can be given is reason, until",
            id="a typing error",
        ),
    ],
)
def test_a_key_that_would_be_left_out_in_silence_is_refused(model: Any, key: str, expected: str) -> None:
    with pytest.raises(Invalid) as refused:
        model.model_validate_json(json.dumps({key: "x"}))
    (error,) = refused.value.errors
    assert (error.loc, error.sentence.english) == (("body", key), expected)


def test_a_form_may_send_back_what_it_was_shown() -> None:
    body = JOB | {"scheduleConfig": {"hours": 1}, "lastStatus": "failed", "runCount": 3, "time_zone": "UTC"}
    assert ScheduledJobCreate.model_validate_json(json.dumps(body)).time_zone == "UTC"


@pytest.mark.parametrize(("given", "taken"), [("true", True), (False, False)])
def test_a_dry_run_takes_every_form_of_a_boolean(given: object, taken: bool) -> None:  # noqa: FBT001
    assert BackfillRequest.model_validate_json(json.dumps(RANGE | {"dryRun": given})).dry_run is taken
