"""What is said of a value that cannot be used? In words of the REST API, what to write instead."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from testkit.api_apps import serve_reads

from sundial_api.http.arabic.catalogue import ARABIC
from sundial_api.http.errors import Invalid
from sundial_api.http.invalid_values import PATTERNS
from sundial_api.jobs.edits import check_args, list_wanted
from sundial_api.jobs.schemas import ScheduledJobRead, ScheduledJobUpdate
from sundial_api.main import build_application
from sundial_api.settings import ApiSettings
from sundial_clock.errors import quoted
from sundial_clock.sentences import LEFT_TO_RIGHT, Sentence

AWAY = "postgresql://sundial@127.0.0.1:1/sundial"
JOB = {"name": "Clean up", "taskFunctionId": 2, "jobTypeId": 1, "scheduleConfig": {"hours": 1}}
CRON = {"jobTypeId": 2}


async def ask(method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    async with serve_reads(AWAY) as api:
        return await api.request(method, path, json=body, headers=headers)


@pytest.mark.parametrize(
    ("method", "path", "body", "place", "words"),
    [
        (
            "GET",
            "/jobs?namespace=Team",
            None,
            "query.namespace",
            "small letters, digits and, between",
        ),
        ("POST", "/jobs", JOB | {"namespace": "Team_A"}, "body.namespace", "such as team-a"),
        ("GET", "/jobs?name=a%00", None, "query.name", "has a NUL character; leave it out"),
        ("POST", "/jobs", JOB | {"name": "a\x00b"}, "body.name", "has a NUL character; leave it out"),
        ("POST", "/jobs", JOB | {"name": "  \u3000 "}, "body.name", "has nothing but blanks; write a name"),
        ("POST", "/jobs", JOB | {"name": "two\nlines"}, "body.name", "write the name in one line"),
        ("POST", "/jobs", JOB | {"name": "a\u202eb"}, "body.name", "turns the text around it"),
        ("POST", "/jobs", JOB | {"name": "a\x1b[31m"}, "body.name", "another control character"),
        ("POST", "/jobs", JOB | {"name": "a\u2028b"}, "body.name", "has a line feed or"),
        ("POST", "/jobs", JOB | {"taskArgs": {"a": 2**70}}, "body.taskArgs", "has a whole number of more"),
        (
            *("POST", "/preview", CRON | {"scheduleConfig": {"day_of_week": "x"}}),
            *("body.scheduleConfig.day_of_week", 'day_of_week "x" is not understood'),
        ),
        (
            *("POST", "/preview", CRON | {"scheduleConfig": {"expression": "@every 5m"}}),
            *(
                "body.scheduleConfig.expression",
                'jobTypeId 1 and a scheduleConfig such as {"minutes": 5}',
            ),
        ),
        (
            *("POST", "/preview", CRON | {"scheduleConfig": {"expression": "@reboot"}}),
            *("body.scheduleConfig.expression", "or jobTypeId 3 to run once"),
        ),
        (
            *("POST", "/preview", {"jobTypeId": 1, "scheduleConfig": {"hours": True}}),
            *("body.scheduleConfig.hours", '"true" is not possible; write a whole number'),
        ),
        ("GET", "/jobs?isEnabled=true", None, "query.isEnabled", "is written is_enabled here"),
        ("GET", "/executions?perPage=5", None, "query.perPage", "is written per_page here"),
        ("GET", "/forecast?perPage=5&minutesAhead=1", None, None, ""),
    ],
)
async def test_it_is_said_in_words_what_to_write(
    method: str, path: str, body: Any, place: str | None, words: str
) -> None:
    answer = await ask(method, path, body)
    if place is None:
        assert answer.status_code == 503
        return
    assert answer.status_code == 422, answer.text
    said = {".".join(map(str, one["loc"])): one["msg"] for one in answer.json()["detail"]}
    assert words in said[place]
    assert not re.search(r"\^|Value error|String should match", said[place])
    arabic = await ask(method, path, body, **{"Accept-Language": "ar"})
    assert all(re.search("[\u0600-\u06ff]", one["msg"]) for one in arabic.json()["detail"]), arabic.text
    assert "`" not in arabic.text


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_that_is_not_sent_as_json_names_the_header(kind: str) -> None:
    async with serve_reads(AWAY) as api:
        headers = {"Content-Type": kind} if kind else {}
        answer = await api.post("/preview", content=b'{"jobTypeId": 1}', headers=headers)
    assert answer.status_code == 422
    assert answer.json()["detail"] == [
        {
            "loc": ["header", "Content-Type"],
            "msg": "send the body as JSON, with the header Content-Type: application/json",
            "type": "value_error",
        }
    ]


async def test_a_body_of_json_that_is_no_object_is_not_a_matter_of_headers() -> None:
    answer = await ask("POST", "/preview", [])
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body"])


async def test_choices_in_arabic_have_no_english_between_them() -> None:
    answer = await ask("GET", "/jobs?sort=x", **{"Accept-Language": "ar"})
    said = answer.json()["detail"][0]["msg"]
    assert "newest, next_run, name, last_run, failing" in said
    assert " or " not in said


async def test_one_character_in_arabic_is_in_the_accusative() -> None:
    answer = await ask("POST", "/jobs", JOB, **{"Accept-Language": "ar", "Idempotency-Key": ""})
    assert "اكتب حرفًا واحدًا على الأقل" in answer.text


def test_code_with_braces_is_isolated_in_arabic() -> None:
    forms = [form for form in ARABIC.forms if "`" in ARABIC.forms[form] and "{{" in ARABIC.forms[form]]
    assert len(forms) > 4
    for form in forms:
        shown = ARABIC.render(Sentence(form, form, (("job_id", "1"),)))
        assert "`" not in shown
        assert LEFT_TO_RIGHT in shown


def test_every_pattern_of_a_request_has_words() -> None:
    application = build_application(ApiSettings(database_url=AWAY, auth="none"))
    patterns = set(re.findall(r"'pattern': '([^']*)'", str(application.openapi()["components"])))
    patterns |= set(re.findall(r"'pattern': '([^']*)'", str(application.openapi()["paths"])))
    assert {pattern.replace("\\\\", "\\") for pattern in patterns} == set(PATTERNS)


def test_arguments_have_at_most_64_fields() -> None:
    check_args({str(number): 1 for number in range(64)})
    with pytest.raises(Invalid) as refused:
        check_args({str(number): 1 for number in range(65)})
    assert refused.value.errors[0].sentence.english.startswith("has 65 fields, and may have 64 at most")


def test_truth_is_quoted_as_json() -> None:
    assert (quoted(True), quoted(False), quoted("True")) == ('"true"', '"false"', '"True"')


def test_an_edit_takes_an_empty_zone_as_null() -> None:
    body = ScheduledJobUpdate.model_validate({"timeZone": "", "description": ""})
    shown = ScheduledJobRead.model_construct(time_zone="Africa/Cairo", description="x")
    assert list_wanted(body, shown) == {"description": None}
