"""What does a result look like as JSON?"""

import dataclasses
import datetime
import decimal
import enum
import pathlib
import uuid
from typing import Any

import orjson
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sundial_runner.json_form import LONGEST_LIST, LONGEST_TEXT, clean_text, encode, to_json


class Level(enum.Enum):
    HIGH = "high"


class Number(enum.IntEnum):
    TWO = 2


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "another"


@dataclasses.dataclass
class Inner:
    x: int
    tags: set[str]


class Model(pydantic.BaseModel):
    at: datetime.date
    inner: list[int]


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


class BrokenModel:
    def model_dump(self, **_options: str) -> Any:
        raise RuntimeError("no form")


UTC = datetime.UTC
ID = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        pytest.param(None, None, id="None"),
        pytest.param(True, True, id="bool"),
        pytest.param(2**63 - 1, 2**63 - 1, id="largest integer"),
        pytest.param(-(2**63), -(2**63), id="smallest integer"),
        pytest.param(2**63, "9223372036854775808", id="larger integer"),
        pytest.param(10**5000, "<int>", id="integer without a text"),
        pytest.param(1.5, 1.5, id="float"),
        pytest.param(float("nan"), "nan", id="NaN"),
        pytest.param(float("-inf"), "-inf", id="infinity"),
        pytest.param("فشل", "فشل", id="text"),
        pytest.param(Text("one"), "one", id="subclass of text"),
        pytest.param(b"\xff\x00a", "\\xff\x00a", id="bytes"),
        pytest.param("\ud800a\udc00", "\ufffda\ufffd", id="lone surrogates"),
        pytest.param("\ud83d\ude00", "😀", id="pair of surrogates"),
        pytest.param((1, {2}), [1, [2]], id="tuple and set"),
        pytest.param({1: "a", None: "b", ID: "c"}, {"1": "a", "None": "b", str(ID): "c"}, id="keys"),
        pytest.param({"\ud800": 1}, {"\ufffd": 1}, id="surrogate as key"),
        pytest.param(Level.HIGH, "high", id="enum"),
        pytest.param(Number.TWO, 2, id="enum of integers"),
        pytest.param(Inner(1, {"a"}), {"x": 1, "tags": ["a"]}, id="dataclass"),
        pytest.param(Inner, f"<class '{__name__}.Inner'>", id="class"),
        pytest.param(
            Model(at=datetime.date(2026, 1, 2), inner=[1]), {"at": "2026-01-02", "inner": [1]}, id="model"
        ),
        pytest.param(datetime.datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00", id="datetime"),
        pytest.param(datetime.timedelta(seconds=5), "0:00:05", id="timedelta"),
        pytest.param(decimal.Decimal("1.50"), "1.50", id="Decimal"),
        pytest.param(ID, str(ID), id="UUID"),
        pytest.param(pathlib.PurePosixPath("/x"), "/x", id="path"),
        pytest.param([Unspeakable(), 1], ["<Unspeakable>", 1], id="without a text"),
        pytest.param([BrokenModel(), 1], ["<BrokenModel>", 1], id="without a form"),
    ],
)
def test_each_value_has_a_form(value: object, form: object) -> None:
    assert to_json(value) == form
    assert type(to_json(value)) is type(form)


def test_a_cycle_ends_at_a_depth_of_twelve() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    assert encode(to_json(cycle)) == b"[" * 12 + b'"<list>"' + b"]" * 12


def test_a_value_that_refers_back_to_itself_in_many_places_is_not_looked_at_for_ever() -> None:
    parent: dict[str, Any] = {}
    parent["children"] = [{"parent": parent} for _ in range(1000)]
    assert len(encode(to_json(parent))) < 8_000_000


def test_of_a_million_parts_no_more_are_looked_at_than_fit_into_a_message() -> None:
    found = to_json({"a": list(range(1_000_000)), "b": [1], "c": {"d": 2}})
    assert isinstance(found, dict)
    assert found["a"] == list(range(LONGEST_LIST))
    assert (found["b"], found["c"]) == ([1], {"d": 2})


def test_an_endless_text_is_not_looked_at_to_its_end() -> None:
    assert len(clean_text("x" * (LONGEST_TEXT + 1))) == LONGEST_TEXT


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_read(text: str) -> None:
    assert orjson.loads(encode(clean_text(text))) == clean_text(text)
