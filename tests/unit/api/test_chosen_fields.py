"""Which fields are read, and what is answered of them; which answers the caller has already."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
from fastapi import Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic.alias_generators import to_camel
from starlette.types import Receive, Scope, Send
from testkit.rows import execution_row, job_row

from sundial_api.executions.schemas import (
    ScheduledJobExecutionDetail,
    ScheduledJobExecutionListResponse,
    ScheduledJobExecutionRead,
)
from sundial_api.http.conditional import ConditionalReads
from sundial_api.http.errors import Invalid
from sundial_api.http.fields import FieldChoice, choose_fields
from sundial_api.http.languages import LanguageMiddleware, speaking
from sundial_api.jobs.schemas import ScheduledJobDetail, ScheduledJobRead
from sundial_api.signatures import Authorship
from sundial_clock.sentences import Language

ROW = execution_row(1, requested_by="zoe", triggered_by_user_id=job_row()["id"], scheduled_for=None)


def answer_one(choice: FieldChoice[Any], row: dict[str, Any]) -> Any:
    """Answer with a row that has nothing but the columns of a choice."""
    needed = {name: row[name] for name in choice.columns if name != "authorship"}
    sent = choice.answer(choice.read(needed), Response(headers={"ETag": '"1"'}))
    assert isinstance(sent, JSONResponse)
    assert sent.headers["ETag"] == '"1"'
    return orjson.loads(sent.body)


@pytest.mark.parametrize(
    ("text", "columns", "answer"),
    [
        pytest.param("status", ("status",), {"status": "success"}, id="a column"),
        pytest.param(
            " jobId, status,status",
            ("job_id", "status"),
            {"jobId": str(ROW["job_id"]), "status": "success"},
            id="with blanks and twice",
        ),
        pytest.param(
            "authorship",
            ("authorship", "requested_by", "triggered_by_user_id"),
            {"authorship": "known"},
            id="not only a column",
        ),
        pytest.param("scheduledFor", ("scheduled_for",), {"scheduledFor": None}, id="null is a value"),
        pytest.param("startedAt", ("started_at",), {"startedAt": "2026-11-01T12:01:00Z"}, id="an instant"),
    ],
)
def test_an_answer_has_the_chosen_fields_and_no_other(
    text: str, columns: tuple[str, ...], answer: dict[str, Any]
) -> None:
    choice = choose_fields(ScheduledJobExecutionRead, text, Authorship.KNOWN)
    assert choice.columns == columns
    assert answer_one(choice, ROW) == answer


def test_a_choice_of_attempts_shows_them_as_ever() -> None:
    stored = [{"attempt": 1, "job": {"name": "a-1", "phase": "Failed"}, "pod": None}]
    choice = choose_fields(ScheduledJobExecutionDetail, "attempts")
    (attempt,) = answer_one(choice, ROW | {"attempts": stored})["attempts"]
    assert (attempt["attempt"], attempt["jobName"], attempt["podName"]) == (1, "a-1", None)


def test_what_belongs_to_a_job_is_read_by_what_finds_it() -> None:
    choice = choose_fields(ScheduledJobDetail, "name,recentExecutions,taskFunction,jobType")
    assert choice.columns == ("name", "task_function_id", "job_type_id", "id")


def test_words_of_a_job_are_read_with_what_they_are_said_by() -> None:
    choice = choose_fields(ScheduledJobRead, "scheduleText,readyMessage")
    words = {"schedule_text": "At 09:00, every day (UTC)", "ready_message": "the schedule is accepted"}
    row = job_row(2, time_zone="UTC", ready_reason="Scheduled", **words)
    with speaking(Language.ARABIC):
        arabic = answer_one(choice, row)
    assert arabic == {
        "scheduleText": "الساعة 09:00، كل يوم (\u2068UTC\u2069)",
        "readyMessage": "الجدول مقبول",
    }
    assert answer_one(choice, row) == {to_camel(name): text for name, text in words.items()}


def test_a_list_keeps_what_is_beside_its_rows() -> None:
    choice = choose_fields(ScheduledJobExecutionRead, "id")
    rows = [choice.read({"id": ROW["id"]})]
    answer = ScheduledJobExecutionListResponse.model_construct(executions=rows, total=7, next_cursor=None)
    sent = choice.answer_list(answer, Response(headers={"X-Total-Count": "7"}))
    assert isinstance(sent, JSONResponse)
    beside = {"total": 7, "nextCursor": None, "isComplete": True}
    assert orjson.loads(sent.body) == {"executions": [{"id": str(ROW["id"])}], **beside}
    assert sent.headers["X-Total-Count"] == "7"


def test_without_a_choice_the_answer_is_the_model() -> None:
    choice = choose_fields(ScheduledJobExecutionRead, None, Authorship.KNOWN)
    read = choice.read(ROW | {"phase": "Succeeded"})
    assert choice.answer(read, Response()) is read
    assert read.authorship == "known"
    assert set(choice.columns) == ScheduledJobExecutionRead.model_fields.keys()


@pytest.mark.parametrize("text", ["", "id,", "started_at", "id;name", "*", "ID"])
def test_other_names_are_told_which_there_are(text: str) -> None:
    with pytest.raises(Invalid, match="the fields are: id, name, description, taskFunctionId"):
        choose_fields(ScheduledJobRead, text)


async def ask(answer: Any, method: str = "GET", **headers: str) -> httpx.Response:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(scope, receive, send)

    transport = httpx.ASGITransport(ConditionalReads(application))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        return await http.request(method, "/", headers=named)


async def test_the_same_content_has_the_same_tag() -> None:
    tags = [(await ask(JSONResponse({"a": number}))).headers["ETag"] for number in (1, 1, 2)]
    assert tags[0] == tags[1] != tags[2]


@pytest.mark.parametrize("known", ["{}", "W/{}", '"x", {}', "*"])
async def test_who_has_the_answer_gets_no_body(known: str) -> None:
    answer = JSONResponse({"a": 1}, headers={"X-Page": "1"})
    tag = (await ask(answer)).headers["ETag"]
    again = await ask(answer, If_None_Match=known.format(tag))
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert (again.headers["X-Page"], "Content-Length" in again.headers) == ("1", False)


async def ask_in(language: str, **headers: str) -> httpx.Response:
    application = ConditionalReads(JSONResponse({"reads": "the same"}))
    transport = httpx.ASGITransport(LanguageMiddleware(application, "/"))
    named = {"Accept-Language": language} | {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        return await http.get("/", headers=named)


async def test_who_has_the_answer_in_another_language_gets_it_anew() -> None:
    english, arabic = [(await ask_in(language)).headers["ETag"] for language in ("en", "ar")]
    for language, known, status in (
        ("ar", english, 200),
        ("en", arabic, 200),
        ("ar", arabic, 304),
        ("en", english, 304),
    ):
        again = await ask_in(language, If_None_Match=known)
        assert (again.status_code, again.headers["Vary"]) == (status, "Accept-Language")
        assert again.headers["Content-Language"] == language


async def test_a_tag_of_something_else_is_no_tag_of_the_content() -> None:
    answer = JSONResponse({"a": 1}, headers={"ETag": '"object"'})
    whole = await ask(answer, If_None_Match='"object"')
    assert (whole.status_code, whole.headers["ETag"]) == (200, '"object"')
    again = await ask(answer, If_None_Match=whole.headers["X-Content-Tag"])
    assert (again.status_code, again.headers["ETag"]) == (304, '"object"')


@pytest.mark.parametrize(
    ("answer", "method"),
    [
        pytest.param(JSONResponse({"a": 1}), "POST", id="a write"),
        pytest.param(JSONResponse({"detail": "x"}, 404), "GET", id="an error"),
        pytest.param(PlainTextResponse("event: job"), "GET", id="no JSON"),
    ],
)
async def test_other_answers_have_no_tag(answer: Any, method: str) -> None:
    sent = await ask(answer, method, If_None_Match="*")
    assert (sent.status_code, sent.content, "ETag" in sent.headers) == (
        answer.status_code,
        answer.body,
        False,
    )
