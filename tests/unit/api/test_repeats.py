"""What an Idempotency-Key remembers of a body: what it asks for, in any form, and nothing to guess from."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from testkit.scheduled_jobs import CREATED, build_item

from sundial_api.http.errors import HTTPProblem
from sundial_api.jobs.repeats import REPEAT_WITHIN, check_repeat, digest_request
from sundial_api.jobs.schemas import ScheduledJobCreate

BODY: dict[str, Any] = {
    "name": "Clean up",
    "taskFunctionId": 2,
    "jobTypeId": 1,
    "scheduleConfig": {"hours": 1},
}


def digest(key: str = "k", **fields: Any) -> str:
    return digest_request(key, ScheduledJobCreate.model_validate(BODY | fields))


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"retryCount": 3, "isEnabled": True, "description": None}, id="the defaults, said"),
        pytest.param({"taskFunctionId": "2", "maxInstances": 1.0}, id="another form of a number"),
        pytest.param({"odd": 1}, id="a field that is not known"),
    ],
)
def test_same_request(fields: dict[str, Any]) -> None:
    assert digest(**fields) == digest()


def test_order_of_keys_says_nothing() -> None:
    assert digest(taskArgs={"a": 1, "b": {"c": 1, "d": 2}}) == digest(
        taskArgs={"b": {"d": 2, "c": 1}, "a": 1}
    )


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"name": "Another"}, id="name"),
        pytest.param({"taskArgs": {}}, id="empty arguments"),
        pytest.param({"scheduleConfig": {"hours": True}}, id="true for 1"),
        pytest.param({"isEnabled": False}, id="disabled"),
        pytest.param({"key": "l"}, id="another key"),
    ],
)
def test_other_request(fields: dict[str, Any]) -> None:
    assert digest(**fields) != digest()


def test_known_digest_and_age_are_checked() -> None:
    item, old = build_item(request_digest="x"), build_item()
    check_repeat(item, CREATED, "x")
    check_repeat(item, CREATED)
    check_repeat(old, CREATED + REPEAT_WITHIN, "x")
    for found, now, status in (
        (item, CREATED, 422),
        (old, CREATED + REPEAT_WITHIN + timedelta(seconds=1), 409),
    ):
        with pytest.raises(HTTPProblem) as caught:
            check_repeat(found, now, "y")
        assert caught.value.status == status
