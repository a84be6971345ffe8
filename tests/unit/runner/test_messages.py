"""What is told of a run, within the bytes that the kubelet keeps?"""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sundial_runner.endings import Outcome
from sundial_runner.environment import FEWEST_MESSAGE_BYTES
from sundial_runner.messages import LONGEST_ERROR, build_message
from sundial_runner.redaction import Redactor

TEXT = st.text(st.characters(exclude_categories=()), max_size=300)
LONG = st.builds(lambda text, times: text * times, TEXT, st.integers(1, 40))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | LONG | st.binary(max_size=50),
    lambda inner: st.lists(inner, max_size=60) | st.dictionaries(TEXT | st.integers(), inner, max_size=20),
    max_leaves=60,
)
TASKS = st.just({}) | st.fixed_dictionaries({"id": st.uuids().map(str), "state": TEXT | LONG})


def build_outcome(result: Any, error: str, traceback: str, task: dict[str, str]) -> Outcome:
    outcome = Outcome(0, result, error, traceback)
    outcome.task = task
    return outcome


OUTCOMES = st.builds(build_outcome, VALUES, TEXT | LONG, TEXT | LONG, TASKS)
LIMITS = st.integers(FEWEST_MESSAGE_BYTES, 4096)


def tell(outcome: Outcome, limit: int = 4096) -> Any:
    data = build_message(outcome, Redactor({}), limit)
    assert len(data) <= limit
    return json.loads(data)


@settings(max_examples=60, deadline=None)
@given(OUTCOMES, LIMITS)
def test_a_message_fits_and_is_read(outcome: Outcome, limit: int) -> None:
    data = build_message(outcome, Redactor({}), limit)
    assert len(data) <= limit
    message = orjson.loads(data)
    assert message["sundial"] == 1
    assert message.keys() <= {"sundial", "task", "result", "error", "traceback", "truncated"}
    assert isinstance(message.get("result", {}), dict)
    assert len(message.get("truncated", [])) <= 3


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        pytest.param(Outcome(), {}, id="nothing"),
        pytest.param(Outcome(result={"a": 1}), {"result": {"a": 1}}, id="object"),
        pytest.param(Outcome(result=[1]), {"result": {"result": [1]}}, id="list"),
        pytest.param(Outcome(result=0), {"result": {"result": 0}}, id="zero"),
        pytest.param(Outcome(result={}), {"result": {}}, id="empty object"),
        pytest.param(
            Outcome(1, error="ValueError: فشل", traceback="t\n"),
            {"error": "ValueError: فشل", "traceback": "t\n"},
            id="failure",
        ),
        pytest.param(Outcome(1, error="\ud800"), {"error": "\ufffd"}, id="lone surrogate"),
    ],
)
def test_what_fits_is_told_whole(outcome: Outcome, message: dict[str, object]) -> None:
    assert tell(outcome) == {"sundial": 1} | message


def test_small_values_stay_where_a_large_one_is_cut() -> None:
    result = {"deleted": 5, "ids": list(range(142_857)), "ok": True}
    message = tell(Outcome(result=result))
    shown = message["result"]
    assert (shown["deleted"], shown["ok"], message["truncated"]) == (5, True, ["result.ids"])
    count = len(shown["ids"]) - 1
    assert shown["ids"] == [*range(count), f"… {142_857 - count} more"]
    assert count > 100


def test_large_values_share_the_room() -> None:
    shown = tell(Outcome(result={"a": "x" * 5000, "b": "y" * 1000, "c": "z" * 5000}))["result"]
    assert len(shown["b"]) == 1000
    assert 1300 < len(shown["a"]) == len(shown["c"])


def test_a_text_is_cut_at_its_end_and_never_inside_a_character() -> None:
    message = tell(Outcome(result="é" * 1_000_000))
    shown = message["result"]["result"]
    assert shown.strip("é") == "…"
    assert len(shown.encode()) > 3800
    assert message["truncated"] == ["result.result"]


def test_an_object_keeps_its_beginning_and_tells_how_much_there_was() -> None:
    shown = tell(Outcome(result={f"key{i}": i for i in range(2000)}))["result"]
    assert list(shown)[:3] == ["key0", "key1", "key2"]
    assert shown["…"] == f"{2000 - len(shown) + 1} more"


def test_an_entry_whose_key_is_too_long_is_left_out_alone() -> None:
    shown = tell(Outcome(result={"k" * 9000: 1, "ok": True}))["result"]
    assert shown == {"ok": True, "…": "1 more"}


def test_three_paths_of_what_was_cut_are_told() -> None:
    message = tell(Outcome(result={f"{letter * 50}": "x" * 5000 for letter in "abcd"}))
    assert [path[:10] for path in message["truncated"]] == ["result.aaa", "result.bbb", "result.ccc"]


def test_a_full_message_is_not_cut() -> None:
    room = 4096 - len('{"sundial":1,"result":{"result":""}}')
    assert "truncated" not in tell(Outcome(result="x" * room))
    assert tell(Outcome(result="x" * (room + 1)))["truncated"] == ["result.result"]


def test_an_error_has_a_thousand_bytes() -> None:
    message = tell(Outcome(1, error="E" * 1_000_000))
    assert len(message["error"].encode()) == LONGEST_ERROR - 2
    assert message["truncated"] == ["error"]


def test_a_traceback_loses_its_middle() -> None:
    lines = [f"line {i} of the traceback" for i in range(1000)]
    shown = tell(Outcome(1, traceback="\n".join(lines)))["traceback"].split("\n")
    (gap,) = (i for i, line in enumerate(shown) if line.startswith("…"))
    begin, end = shown[:gap], shown[gap + 1 :]
    assert (begin, end) == (lines[: len(begin)], lines[-len(end) :])
    assert shown[gap] == f"… {1000 - len(begin) - len(end)} lines left out …"
    assert 2.5 < len(end) / len(begin) < 3.5


def test_the_last_line_of_a_traceback_is_told_however_long_it_is() -> None:
    shown = tell(Outcome(1, traceback="Traceback:\n  frame\nValueError: " + "x" * 100_000))["traceback"]
    assert shown.startswith("Traceback:\n  frame\n")
    assert "\nValueError: xxx" in shown


def test_secrets_are_hidden_before_anything_is_cut() -> None:
    secret = "hunter2-is-secret"
    padding = "x" * (LONGEST_ERROR - len(secret) // 2)
    redactor = Redactor({"DB_PASSWORD": secret})
    outcome = Outcome(1, {"a": secret}, f"{padding}{secret}", f"{padding}{secret}")
    assert b"hunter" not in build_message(outcome, redactor, 4096)


TASK = {"id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "state": "SUCCESS"}


def test_the_task_is_told_before_all_else() -> None:
    message = tell(build_outcome({"a": 1}, "e" * 5000, "", TASK))
    assert list(message) == ["sundial", "task", "error", "result", "truncated"]
    assert message["task"] == TASK


def test_a_state_that_a_task_made_up_is_cut_and_redacted() -> None:
    message = tell(build_outcome(None, "", "", TASK | {"state": "token=abcdefgh " + "x" * 10_000}))
    assert message["task"]["state"].startswith("token=*** x")
    assert len(message["task"]["state"]) <= 40


def test_a_task_is_left_out_where_there_is_no_room() -> None:
    assert tell(build_outcome(None, "failed", "", TASK), FEWEST_MESSAGE_BYTES) == {
        "sundial": 1,
        "error": "failed",
    }
