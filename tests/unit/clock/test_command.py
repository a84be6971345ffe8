"""`python -m sundial_clock slots`: for a person, for a program, and line by line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sundial_clock.answers import answer_line
from sundial_clock.command import main

NOW = datetime.fromisoformat("2026-05-01T12:00:00Z")
COMMAND = [sys.executable, "-m", "sundial_clock", "slots"]


def ask(**keys: Any) -> Any:
    return json.loads(answer_line(json.dumps(keys).encode(), NOW))


@pytest.mark.parametrize(
    ("keys", "slots"),
    [
        pytest.param({"cron": "0 9 * * *", "count": 1}, ["2026-05-02T09:00:00Z"], id="cron, after now"),
        pytest.param(
            {"fields": {"hour": 9, "dayOfWeek": "mon"}, "count": 1}, ["2026-05-04T09:00:00Z"], id="fields"
        ),
        pytest.param(
            {"fields": {"day_of_week": "mon"}, "count": 1}, ["2026-05-04T00:00:00Z"], id="day_of_week"
        ),
        pytest.param(
            {"fields": {"hour": 9, "day": None}, "count": 1}, ["2026-05-02T09:00:00Z"], id="null is absent"
        ),
        pytest.param(
            {"interval": {"minutes": 90}, "count": 1}, ["2026-05-01T13:30:00Z"], id="interval from after"
        ),
        pytest.param(
            {"interval": {"days": 1}, "anchor": "2026-05-02T00:00:00Z", "count": 1},
            ["2026-05-02T00:00:00Z"],
            id="anchor",
        ),
        pytest.param(
            {"interval": {"days": 1}, "anchor": "2026-01-01T00:00:00.25Z", "count": 1},
            ["2026-05-02T00:00:00.250000Z"],
            id="fraction",
        ),
        pytest.param({"at": "2026-12-01T10:00:00+02:00"}, ["2026-12-01T08:00:00Z"], id="at"),
        pytest.param({"at": "2026-04-01T10:00:00Z"}, [], id="at has passed"),
        pytest.param(
            {"cron": "0 9 * * *", "after": "2026-01-01T23:30:00-09:30", "count": 1},
            ["2026-01-03T09:00:00Z"],
            id="offset",
        ),
        pytest.param(
            {"cron": "0 9 * * *", "after": "2026-01-01T08:59:59.999999999Z", "count": 1},
            ["2026-01-01T09:00:00Z"],
            id="nanoseconds",
        ),
        pytest.param(
            {"cron": "0 9 * * *", "after": "2026-01-01t09:00:00z", "count": 1},
            ["2026-01-02T09:00:00Z"],
            id="lower case",
        ),
        pytest.param(
            {"cron": "0 9 * * *", "zone": "Africa/Cairo", "count": 1}, ["2026-05-02T06:00:00Z"], id="zone"
        ),
        pytest.param(
            {"cron": "30 2 29 3 *", "zone": "Europe/Berlin", "after": "2026-03-01T00:00:00Z", "count": 1},
            ["2026-03-29T01:00:00Z"],
            id="once",
        ),
        pytest.param(
            {
                "cron": "30 2 29 3 *",
                "zone": "Europe/Berlin",
                "dst": "literal",
                "after": "2026-03-01T00:00:00Z",
                "count": 1,
            },
            ["2027-03-29T00:30:00Z"],
            id="literal",
        ),
        pytest.param(
            {"cron": "H H * * *", "name": "team/job", "count": 1}, ["2026-05-02T08:52:00Z"], id="name"
        ),
        pytest.param(
            {"cron": "@daily", "endsAt": "2026-05-02T00:00:00Z"}, ["2026-05-02T00:00:00Z"], id="window"
        ),
        pytest.param({"cron": "0 0 30 2 *"}, [], id="never"),
        pytest.param(
            {"cron": "@daily", "id": 7, "at": None, "count": 1},
            ["2026-05-02T00:00:00Z"],
            id="a key of the asker's",
        ),
    ],
)
def test_line(keys: dict[str, Any], slots: list[str]) -> None:
    assert ask(**keys) == {"slots": slots}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        pytest.param({}, ["exactly one of cron, fields, interval and at"], id="nothing"),
        pytest.param({"cron": "@daily", "at": "2026-12-01T08:00:00Z"}, ["exactly one"], id="two kinds"),
        pytest.param({"cron": "61 * * * *"}, ["cron:", "minute", "0 to 59"], id="cron"),
        pytest.param({"cron": 5}, ["cron:", "double quotes"], id="cron is a number"),
        pytest.param({"cron": "@daily", "zone": "Mars/X"}, ["zone:", "Mars/X"], id="zone"),
        pytest.param({"cron": "@daily", "zone": ""}, ["zone:"], id="empty zone"),
        pytest.param(
            {"cron": "@daily", "timeZone": "UTC"}, ["timeZone:", "write zone"], id="the resource's key"
        ),
        pytest.param({"cron": "@daily", "dst": "never"}, ["dst:", "once or literal"], id="dst"),
        pytest.param({"cron": "@daily", "count": 0}, ["count:", "1 to"], id="count 0"),
        pytest.param({"cron": "@daily", "count": "5"}, ["count:"], id="count as text"),
        pytest.param({"cron": "@daily", "count": True}, ["count:"], id="count is true"),
        pytest.param({"cron": "@daily", "count": 2.5}, ["count:"], id="count with a fraction"),
        pytest.param(
            {"cron": "@daily", "after": "2026-01-01"}, ["after:", "2026-12-01T08:00:00Z"], id="a date"
        ),
        pytest.param({"cron": "@daily", "after": "2026-01-01T00:00:00"}, ["after:"], id="no offset"),
        pytest.param(
            {"cron": "@daily", "after": "2026-02-30T00:00:00Z"}, ["after:", "calendar"], id="30 February"
        ),
        pytest.param(
            {"cron": "@daily", "after": "0001-01-01T00:00:00+10:00"},
            ["after:", "calendar"],
            id="before year 1",
        ),
        pytest.param(
            {"cron": "@daily", "after": "\uff12026-01-01T00:00:00Z"}, ["after:"], id="full-width digits"
        ),
        pytest.param({"cron": "@daily", "after": 1767225600}, ["after:"], id="a number"),
        pytest.param({"fields": {}}, ["fields:", "at least one"], id="no field"),
        pytest.param({"fields": []}, ["fields:", "not an object"], id="fields is a list"),
        pytest.param({"fields": {"minutes": 5}}, ["fields:", "minutes", "dayOfWeek"], id="unknown field"),
        pytest.param({"fields": {"hour": 9.0}}, ["fields.hour:"], id="decimal"),
        pytest.param({"fields": {"hour": True}}, ["fields.hour:"], id="true"),
        pytest.param({"fields": {"dayOfWeek": "FRI#2"}}, ["fields.dayOfWeek:", "mon-fri"], id="FRI#2"),
        pytest.param({"interval": {}}, ["interval:", "at least one second"], id="no period"),
        pytest.param({"interval": {"hours": 1.5}}, ["interval.hours:", "whole"], id="half an hour"),
        pytest.param({"interval": {"hours": -1}}, ["interval.hours:", "0 or more"], id="negative"),
        pytest.param({"interval": {"milliseconds": 5}}, ["interval:", "milliseconds"], id="unknown period"),
        pytest.param({"interval": 60}, ["interval:", "not an object"], id="interval is a number"),
        pytest.param({"at": "tomorrow"}, ["at:", "tomorrow"], id="at"),
        pytest.param(
            {"cron": "@daily", "anchor": "2026-01-01T00:00:00Z"},
            ["anchor:", "only with interval"],
            id="anchor",
        ),
        pytest.param({"cron": "x" * 100_000}, ["cron:", "256"], id="100 KB"),
    ],
)
def test_line_refused(keys: dict[str, Any], words: list[str]) -> None:
    answer = ask(**keys)
    assert set(answer) == {"error"}
    assert all(word in answer["error"] for word in words), answer["error"]
    assert len(answer["error"]) < 400


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"x", b"[]", b"null", b"5", b'"a"', b"\xff\xfe", b"[" * 100_000, b'{"a":']
)
def test_line_that_is_no_object(line: bytes) -> None:
    answer = json.loads(answer_line(line, NOW))
    assert answer["error"].startswith("line: ")
    assert "write one" in answer["error"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
keys_of = st.dictionaries(
    st.sampled_from(["cron", "fields", "interval", "anchor", "at", "zone", "after", "count", "dst", "name"]),
    json_values
    | st.sampled_from(["* * * * *", "@daily", "UTC", "2026-01-01T00:00:00Z", 3, {"hours": 1}, {"hour": 9}]),
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(keys=keys_of)
def test_any_object_is_answered(keys: dict[str, Any]) -> None:
    answer = json.loads(answer_line(json.dumps(keys).encode("utf-8", "replace"), NOW))
    assert set(answer) in ({"slots"}, {"error"})


def test_text_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    options = "--cron|0 9 * * 1-5|--zone|Africa/Cairo|--after|2026-04-23T00:00:00Z|--count|2"
    assert main(["slots", *options.split("|")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "At 09:00, Monday to Friday (Africa/Cairo)",
        "2026-04-23T07:00:00Z  Thu 2026-04-23 09:00:00 +02:00 EET",
        "2026-04-24T06:00:00Z  Fri 2026-04-24 09:00:00 +03:00 EEST",
    ]


def test_text_says_when_nothing_follows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slots", "--cron", "0 0 30 2 *", "--after", "2026-01-01T00:00:00Z"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "no slot follows 2026-01-01T00:00:00Z"


def test_json_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--fields", '{"hour": 9}', "--after", "2026-01-01T00:00:00Z", "--count", "1", "-o", "json"]
    assert main(["slots", *options]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "text": "At 09:00, every day (UTC)",
        "slots": ["2026-01-01T09:00:00Z"],
    }


@pytest.mark.parametrize(
    ("options", "word"),
    [
        pytest.param(["--cron", "61 * * * *"], "0 to 59", id="cron"),
        pytest.param(["--fields", "{"], "not JSON", id="fields"),
        pytest.param(["--count", "x", "--cron", "@daily"], "1 to", id="count"),
        pytest.param([], "exactly one", id="nothing"),
        pytest.param(["--zone", "\udcff", "--cron", "@daily"], "udcff", id="bytes that are no text"),
    ],
)
def test_a_mistake_is_said_on_stderr(
    options: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["slots", *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert word in captured.err


def test_help_tells_about_intervals_without_anchor(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["slots", "--help"])
    assert leaving.value.code == 0
    assert "default: --after" in capsys.readouterr().out


def test_arabic_is_answered_who_asks_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["slots", "--language", "ar", "--at", "2020-01-01T00:00:00Z", "--after", "2026-01-01T00:00:00Z"]
    assert main(options) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "مرة واحدة في \u20682020-01-01 00:00:00 UTC\u2069",
        "لا موعد بعد \u20682026-01-01T00:00:00Z\u2069",
    ]
    assert main(["slots", "--language", "ar", "--cron", "0 24 * * *"]) == 2
    assert "خارج المدى" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"cron": "0 24 * * *", "language": "ar"}, "خارج المدى"),
        ({"cron": "@daily", "language": "fr"}, 'language: "fr" is not a language here; write en or ar.'),
        ({"cron": "@daily", "language": 5}, "is not a text"),
        ({"cron": "0 24 * * *", "language": []}, "is not a text"),
    ],
    ids=str,
)
def test_language_of_a_line(keys: dict[str, Any], words: str) -> None:
    assert words in ask(**keys)["error"]


def test_each_line_is_answered_before_the_next_is_read() -> None:
    with subprocess.Popen([*COMMAND, "--stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for line in (
            b'{"cron": "@daily", "after": "2026-01-01T00:00:00Z", "count": 1}\n',
            b"rubbish\n",
            b"{}\n",
        ):
            process.stdin.write(line)
            process.stdin.flush()
            assert set(json.loads(process.stdout.readline())) in ({"slots"}, {"error"})
        process.stdin.close()
        assert process.wait() == 0


def test_a_closed_pipe_is_no_traceback() -> None:
    with subprocess.Popen(
        [*COMMAND, "--stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        _, errors = process.communicate(b'{"cron": "@daily"}\n' * 100)
        assert errors == b""
        assert process.returncode == 141


def test_an_interrupt_is_no_traceback() -> None:
    with subprocess.Popen(
        [*COMMAND, "--stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdin.write(b"{}\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr.read() == b""
