"""What the API says of arguments that do not fit the row of a task function."""

from __future__ import annotations

from typing import Any

import pytest

from sundial_api.http.errors import Invalids
from sundial_api.http.languages import render
from sundial_api.jobs.argument_checks import check_fit
from sundial_clock.sentences import Language

SCHEMA = {"properties": {"days": {"minimum": 1}, "ids": {"items": {"type": "integer"}}}, "required": ["days"]}


def build_row(schema: Any, deleted_at: str | None = None) -> dict[str, Any]:
    return {"parameters_schema": schema, "deleted_at": deleted_at}


def refuse(args: dict[str, Any] | None, row: dict[str, Any], language: Language) -> list[tuple[Any, ...]]:
    with pytest.raises(Invalids) as refused:
        check_fit(args, row)
    return [(*error.loc, render(error.sentence, language)) for error in refused.value.errors]


def test_each_misfit_has_its_place_in_the_body() -> None:
    assert refuse({"days": 0, "ids": [1, "x"]}, build_row(SCHEMA), Language.ENGLISH) == [
        ("body", "taskArgs", "days", "is less than the minimum of 1"),
        ("body", "taskArgs", "ids", 1, "is not of type integer"),
    ]
    assert refuse(None, build_row(SCHEMA), Language.ENGLISH) == [("body", "taskArgs", "days", "is required")]


def test_it_is_said_in_arabic_too() -> None:
    (said,) = refuse({"days": 0}, build_row(SCHEMA), Language.ARABIC)
    assert said == ("body", "taskArgs", "days", "أصغر من الحد الأدنى \u20681\u2069")
    (broken,) = refuse({}, build_row({"$ref": "#"}), Language.ARABIC)
    assert broken[:2] == ("body", "taskFunctionId")
    assert "يشير إلى نفسه" in broken[-1]


@pytest.mark.parametrize(
    ("args", "row"),
    [
        pytest.param({"days": 1}, build_row(SCHEMA), id="they fit"),
        pytest.param({"days": 0}, None, id="no function"),
        pytest.param({"days": 0}, build_row(None), id="no schema"),
        pytest.param({"days": 0}, build_row(SCHEMA, "2026-01-01"), id="a function that is gone"),
    ],
)
def test_what_is_taken(args: dict[str, Any], row: dict[str, Any] | None) -> None:
    check_fit(args, row)
