"""Which termination messages are of the protocol, and what is taken of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from testkit.mirror_facts import build_pod_item, build_termination
from testkit.scheduled_jobs import build_job_item

from sundial_api.mirror.projection.run_facts import PodFact, parse_pod_fact
from sundial_api.mirror.projection.run_messages import (
    LONGEST_LINE,
    LONGEST_MESSAGE,
    RunMessage,
    lacks_result,
    parse_last_line,
    parse_message,
)
from sundial_core.resources import names
from sundial_runner.endings import Outcome
from sundial_runner.messages import LONGEST_LINE as RUNNERS_LINE
from sundial_runner.messages import build_message
from sundial_runner.redaction import Redactor

TASK_ID = "3f6d9b0e-8a51-4c7e-b1a7-2f1f5a0c9d11"
DEEP = '{"a":' * 900 + "1" + "}" * 900


def read(text: str) -> RunMessage:
    message = parse_message(text)
    assert message is not None
    return message


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        pytest.param('{"a": 1}', {"a": 1}, id="an object"),
        pytest.param("[1]", {"result": [1]}, id="a list"),
        pytest.param("0", {"result": 0}, id="a number"),
        pytest.param("null", None, id="nothing"),
        pytest.param('"a\\u0000b"', {"result": "a\ufffdb"}, id="a NUL"),
        pytest.param('{"\\u0000": "\\ud800"}', {"\ufffd": "\ufffd"}, id="a lone surrogate"),
        pytest.param('"\\ud83d\\ude00"', {"result": "😀"}, id="a pair of surrogates"),
        pytest.param("1e400", {"result": "inf"}, id="a number that is none"),
        pytest.param("18446744073709551616", {"result": "18446744073709551616"}, id="64 bits exceeded"),
        pytest.param('{"token": "x", "new_tokens": 2}', {"token": "***", "new_tokens": 2}, id="a key"),
        pytest.param('"redis://:pw@host"', {"result": "redis://[redacted]@host"}, id="a password in a URL"),
    ],
)  # fmt: skip
def test_what_is_taken_of_a_result(result: str, shown: Any) -> None:
    assert read(f'{{"sundial": 1, "result": {result}}}').result == shown


def test_what_lies_too_deep_in_a_result_is_named() -> None:
    shown = read(f'{{"sundial": 1, "result": {DEEP}}}').result
    assert orjson.dumps(shown) == b'{"a":' * 12 + b'"<dict>"' + b"}" * 12


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"sundial": 1, "result": {"a": 1}}', id="as it is"),
        pytest.param('\n {"result": {"a": 1}, "sundial": 1}\n', id="in another order"),
        pytest.param('{"sundial": 1, "result": {"a": 1}, "novel": [], "sundials": 2}', id="further keys"),
        pytest.param('OOM: {"sundial": 1, "result": {"a": 1}}', id="behind a runtime's words"),
        pytest.param('a: {b}: {"sundial": 1, "result": {"a": 1}}', id="behind words with braces"),
        pytest.param('{"sundial": 1, "result": {"a": 1}, "task": 7, "error": {}}', id="other types"),
    ],
)  # fmt: skip
def test_a_message_is_found_by_its_marker(text: str) -> None:
    assert read(text) == RunMessage(result={"a": 1})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="nothing"),
        pytest.param("", id="empty"),
        pytest.param("connecting with password=hunter2", id="words"),
        pytest.param('{"result": {"a": 1}}', id="without the marker"),
        pytest.param('{"sundial": true, "result": 1}', id="true is not 1"),
        pytest.param('{"sundial": "1", "result": 1}', id="a text is not 1"),
        pytest.param('{"sundial": 2, "result": 1}', id="a later version"),
        pytest.param('{"novel": {"sundial": 1, "result": 1}}', id="the marker elsewhere"),
        pytest.param('[{"sundial": 1}]', id="a list"),
        pytest.param('"sundial"', id="a text"),
        pytest.param('{"sundial": 1, "result": {"a', id="broken"),
        pytest.param('{"sundial": 1, "result": 1} and more', id="with words behind it"),
        pytest.param('{"sundial": 1, "result": ' + "[" * 8000 + "]" * 8000 + "}", id="deeper than a parser"),
        pytest.param('{"sundial": 1, "result": ' + "9" * 5000 + "}", id="a number without an end"),
        pytest.param('{"sundial": 1, "result": "' + "x" * LONGEST_MESSAGE + '"}', id="huge"),
        pytest.param('x: {"sundial": 1, ' * 800, id="many beginnings"),
    ],
)
def test_what_is_no_message_tells_nothing(text: str | None) -> None:
    assert parse_message(text) is None


def test_a_result_is_redacted_by_every_form() -> None:
    result = {"urls": ["https://host/x?sig=abcdefgh1234"], "key": "sk_live_0123456789"}
    hidden = {"urls": ["https://host/x?sig=[redacted]"], "key": "[redacted]"}
    assert read(json.dumps({"sundial": 1, "result": result})).result == hidden


def test_an_error_does_not_turn_the_text_beside_it() -> None:
    found = read(json.dumps({"sundial": 1, "error": "\u202egnp.exe", "traceback": "\u2066x"}))
    assert (found.error, found.traceback) == ("gnp.exe", "x")


def test_an_error_is_redacted_and_cut() -> None:
    said = {"sundial": 1, "error": "E: \ud800 token=abc123 passcode: sesame", "traceback": "t\n" * 9000}
    message = parse_message(json.dumps(said), longest=100_000)
    assert message is not None
    assert message.error == "E: \ufffd token=[redacted] passcode: ***"
    assert message.traceback == "t\n" * 9000
    assert len(read(json.dumps({"sundial": 1, "error": "x" * 9000})).error or "") == 2000


@pytest.mark.parametrize(
    ("task", "found"),
    [
        pytest.param({"id": TASK_ID, "state": "SUCCESS"}, TASK_ID, id="a UUID"),
        pytest.param({"id": TASK_ID.upper()}, TASK_ID, id="in capitals"),
        pytest.param({"id": "../../x"}, None, id="another text"),
        pytest.param({"id": 7}, None, id="a number"),
        pytest.param({"state": "SUCCESS"}, None, id="without an id"),
        pytest.param([TASK_ID], None, id="a list"),
    ],
)
def test_which_task_really_ran(task: Any, found: str | None) -> None:
    assert read(json.dumps({"sundial": 1, "task": task})).task_id == found


def test_paths_of_what_was_left_out_are_few_and_short() -> None:
    paths = ["result.ids", 7, "", "x" * 99, "too many"]
    assert read(json.dumps({"sundial": 1, "truncated": paths})).truncated == ["result.ids"]
    assert read(json.dumps({"sundial": 1, "truncated": ["y" * 99]})).truncated == ["y" * 63 + "…"]


@given(st.text(alphabet=st.sampled_from('{}[]":, \\u0d8sundial1n') | st.characters(), max_size=200))
@example('{"sundial": 1, "error": "\\ud800\\u0000"}')
@example('{"sundial":1,"task":{"id":"\\u0000"}}')
def test_whatever_a_container_wrote_is_no_error(text: str) -> None:
    for said in (text, '{"sundial": 1, "result": ' + text + "}", json.dumps({"sundial": 1, "error": text})):
        orjson.dumps(message := parse_message(said))
        assert message is None or "\x00" not in "".join(list_texts(asdict(message)))


def list_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from list_texts(part)


def test_what_the_runner_writes_is_read() -> None:
    result = {"ids": list(range(9000)), "name": "\ud800é", "ok": True}
    text = build_message(Outcome(result=result), Redactor({}), 4096).decode()
    message = read(text)
    assert message.truncated == ["result.ids"]
    assert message.result is not None
    assert (message.result["name"], message.result["ok"]) == ("\ufffdé", True)
    failed = build_message(Outcome(1, error="ValueError: x", traceback="T"), Redactor({}), 4096).decode()
    assert read(failed) == RunMessage(error="ValueError: x", traceback="T")


OURS = [{"name": names.RUN_VARIABLE, "value": "x"}]


def read_pod(**said: tuple[int, str]) -> PodFact:
    """Read a Pod whose containers ended so: `main` and `helper` are of the template, the others are not."""
    item = build_pod_item(build_job_item(10))
    own = ("main", "helper")
    specs = [{"name": name, "env": OURS if name in own else []} for name in sorted(said) if name != "native"]
    item["spec"] |= {"containers": specs, "initContainers": [{"name": "native", "restartPolicy": "Always"}]}
    states = [
        {
            "name": name,
            "state": {"terminated": build_termination(code, {"sundial": 1, "error": text} if text else "")},
        }
        for name, (code, text) in sorted(said.items())
    ]
    item["status"] = {
        "phase": "Failed"
        if any(code for name, (code, _) in said.items() if name != "native")
        else "Succeeded",
        "containerStatuses": [state for state in states if state["name"] != "native"],
        "initContainerStatuses": [state for state in states if state["name"] == "native"],
    }
    part = parse_pod_fact(item, 1).part
    assert isinstance(part, PodFact)
    return part


@pytest.mark.parametrize(
    ("said", "found", "code"),
    [
        pytest.param({"a": (0, "a"), "main": (0, "m"), "helper": (0, "h")}, "m", 0, id="main first"),
        pytest.param({"a": (1, "a"), "main": (3, "m"), "helper": (2, "h")}, "m", 3, id="failed, main first"),
        pytest.param({"a": (1, "a"), "main": (0, "m"), "helper": (2, "h")}, "h", 2, id="one that failed"),
        pytest.param({"a": (1, "a"), "main": (0, "m")}, "a", 1, id="only a sidecar failed"),
        pytest.param({"a": (0, "a"), "main": (0, "")}, "a", 0, id="any container may tell"),
        pytest.param({"main": (0, "m"), "native": (143, "n")}, "m", 0, id="a native sidecar is stopped"),
        pytest.param({"main": (0, ""), "native": (143, "n")}, "n", 0, id="a native sidecar may tell"),
        pytest.param({"main": (0, ""), "a": (0, "")}, None, 0, id="nobody tells"),
    ],
)
def test_whose_message_is_taken(said: dict[str, tuple[int, str]], found: str | None, code: int) -> None:
    part = read_pod(**said)
    assert (part.error, part.exit_code) == (found, code)


def test_a_pod_whose_work_goes_on_has_told_nothing() -> None:
    item = build_pod_item(build_job_item(10), running={"startedAt": "2026-01-01T00:00:11Z"})
    ended = {"terminated": build_termination(0, {"sundial": 1, "result": {"early": True}})}
    item["status"]["initContainerStatuses"] = [{"name": "setup", "state": ended}]
    part = parse_pod_fact(item, 1).part
    assert isinstance(part, PodFact)
    assert (part.result, part.rank) == (None, 1)


@pytest.mark.parametrize("part", ["a: {", '{"sundial": 1', "token=", "://a:", "[", "\\ud800", "'"])
def test_a_long_text_takes_steps_in_proportion(part: str) -> None:
    """What looks at each place from each place would take minutes here."""
    longest = 2_000_000
    told = parse_message(f'{{"sundial": 1, "error": {json.dumps(part * 100_000)}}}', longest)
    assert told is not None
    assert told.error
    assert parse_message("sundial" + part * 100_000, longest) is None


@pytest.mark.parametrize(
    ("log", "result"),
    [
        pytest.param(b'{"sundial":1,"result":{"a":1}}\n', {"a": 1}, id="alone"),
        pytest.param(b'one\r\n{"sundial":1,"result":{"a":"\xc3\xa9"}}', {"a": "é"}, id="the last one"),
        pytest.param(b'99 %{"sundial":1,"result":{"sundial":1}}\n\n', {"sundial": 1}, id="behind words"),
        pytest.param(b'{"sundial":1,"result":{"a":1}}\nmore\n', None, id="not the last"),
        pytest.param(b'{"sundial":1,"error":"E"}\n', None, id="without a result"),
        pytest.param(b'"result":{"a":1}}\n', None, id="its beginning is not there"),
        pytest.param(b'{"sundial":1,"result":"' + b"x" * LONGEST_LINE + b'"}\n', None, id="too long"),
        pytest.param(b'{"sundial":1,"result":"\xff"}\n', {"result": "\ufffd"}, id="no UTF-8"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_the_last_line_of_a_log_may_tell_a_result(log: bytes, result: Any) -> None:
    assert parse_last_line(log) == (None if result is None else RunMessage(result=result))


def test_the_longest_line_of_the_runner_is_read() -> None:
    assert RUNNERS_LINE == LONGEST_LINE
    line = build_message(Outcome(result={"ids": list(range(90_000))}), Redactor({}), RUNNERS_LINE)
    message = parse_last_line(b"99 %" + line + b"\n")
    assert message is not None
    assert (message.truncated, lacks_result(message.truncated)) == (["result.ids"], True)
    assert len(line) > LONGEST_LINE * 3 // 4
