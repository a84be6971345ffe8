"""Which language a caller gets, and that everything it is shown is in that language."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from testkit.api_apps import serve_reads
from testkit.rows import job_row

from sundial_api.events.places import LogPlace
from sundial_api.events.schemas import ChangedJob, write_event
from sundial_api.http.languages import (
    MAX_HEADER_CHARS,
    LanguageMiddleware,
    choose_language,
    current_language,
    speaking,
)
from sundial_api.jobs.wording import WordedSchedule, show_ready, show_schedule
from sundial_clock.sentences import Language

ID = "11111111-1111-4111-8111-111111111111"
AWAY = "postgresql://nobody:nothing@127.0.0.1:1/none"
ARABIC = {"Accept-Language": "ar-EG, ar;q=0.9, en;q=0.5"}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "en"),
        ("", "en"),
        ("ar", "ar"),
        ("AR-eg", "ar"),
        ("ar-u-nu-latn", "ar"),
        ("en, ar", "en"),
        ("ar, en", "ar"),
        ("en;q=0.4, ar;q=0.5", "ar"),
        ("en;q=0.5, ar;q=0.4", "en"),
        ("fr, ar;q=0.1", "ar"),
        ("fr", "en"),
        ("ar;q=0", "en"),
        ("en;q=0, ar;q=0", "en"),
        ("*", "en"),
        ("en;q=0, *", "ar"),
        ("en;q=0.2, *;q=0.3", "ar"),
        ("ar;q=0.2, *;q=0.1", "ar"),
        ("ar;q=1.0, en;q=1.000", "ar"),
        ("ar ; q=0.3", "ar"),
        ("ar;q=2", "en"),
        ("ar;q=-1", "en"),
        ("ar;q=0.1234", "en"),
        ("ar;level=1", "en"),
        ("ar;q=", "en"),
        ("ar_EG", "en"),
        ("arabic", "en"),
        ("ar,,en", "ar"),
        ("ar\x00", "en"),
        ("ar, <script>", "en"),
        ("ar" + " " * MAX_HEADER_CHARS, "en"),
        (", ".join(["ar"] * MAX_HEADER_CHARS), "en"),
    ],
)
def test_language_that_a_header_likes_best(header: str | None, expected: str) -> None:
    assert choose_language(header) == expected


@given(st.text(max_size=60) | st.text("arenq=;,.-*01 ", max_size=60))
def test_any_header_gives_a_language(header: str) -> None:
    assert choose_language(header) in Language


async def ask(api: httpx.AsyncClient, method: str, path: str, body: Any, **headers: str) -> httpx.Response:
    return await api.request(method, path, json=body, headers=headers)


PROBLEMS = [
    pytest.param("GET", "/jobs", None, 503, "لا يمكن الوصول إلى قاعدة البيانات", id="database"),
    pytest.param("GET", "/nothing", None, 404, "لا يوجد شيء بهذا العنوان", id="path"),
    pytest.param("PATCH", "/jobs", None, 405, "هذا العنوان لا يقبل هذه الطريقة", id="method"),
    pytest.param("POST", "/preview", "text", 422, "اكتب كائنًا", id="body"),
    pytest.param("POST", "/preview", {}, 422, "حقل مطلوب", id="missing"),
    pytest.param("GET", "/jobs?per_page=1000", None, 422, "اكتب رقمًا لا يزيد على 100", id="number"),
    pytest.param("GET", "/jobs?is_enabled=so", None, 422, "اكتب", id="boolean"),
    pytest.param(
        "POST",
        "/jobs",
        {"name": "x", "taskFunctionId": 2, "jobTypeId": 1},
        422,
        "اكتب حرفين على الأقل",
        id="short",
    ),
    pytest.param(
        "POST", "/preview", {"jobTypeId": 2, "scheduleConfig": {"x": 1}}, 422, "ليس من", id="schedule key"
    ),
    pytest.param(
        "POST", "/preview", {"jobTypeId": 2, "scheduleConfig": {"hour": 30}}, 422, "خارج المدى", id="clock"
    ),
    pytest.param(
        "POST", "/preview", {"jobTypeId": 1, "scheduleConfig": {"x": 2**70}}, 422, "أطول", id="own check"
    ),
    pytest.param("POST", "/preview", {"count": 1.5}, 422, "ليس رقمًا صحيحًا", id="whole number"),
    pytest.param("POST", f"/jobs/{ID}/backfill", {"from": "x"}, 422, "ليس وقتًا محددًا", id="instant"),
    pytest.param("GET", "/jobs?fields=x", None, 422, "والحقول هي", id="fields"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "words"), PROBLEMS)
async def test_problems_are_told_in_the_language_that_is_asked_for(
    method: str, path: str, body: Any, status: int, words: str
) -> None:
    async with serve_reads(AWAY) as api:
        arabic = await ask(api, method, path, body, **ARABIC)
        english = await ask(api, method, path, body)
    assert (arabic.status_code, english.status_code) == (status, status)
    assert words in arabic.text
    assert not re.search("[\u0600-\u06ff]", english.text)
    for answer, language in ((arabic, "ar"), (english, "en")):
        assert answer.headers["Content-Language"] == language
        assert answer.headers["Vary"] == "Accept-Language"


async def test_english_of_a_value_is_pydantics_own() -> None:
    async with serve_reads(AWAY) as api:
        body = {"name": "x", "taskFunctionId": 2, "jobTypeId": 1, "taskArgs": {"a": float(2**70)}}
        answer = await api.post("/jobs", json=body)
        odd = await api.post("/preview", json={"jobTypeId": 1, "scheduleConfig": {"x": 2**70}})
    said = {
        "loc": ["body", "name"],
        "msg": "String should have at least 2 characters",
        "type": "string_too_short",
    }
    assert said in answer.json()["detail"]
    assert odd.json()["detail"][0]["msg"] == "has a whole number of more than 64 bits"


async def test_malformed_json_is_told_in_arabic() -> None:
    async with serve_reads(AWAY) as api:
        answer = await api.post(
            "/preview", content=b"{", headers=ARABIC | {"Content-Type": "application/json"}
        )
    assert (answer.status_code, "متن الطلب ليس" in answer.text) == (400, True)


async def test_previews_speak_arabic() -> None:
    body = {"jobTypeId": 2, "scheduleConfig": {"expression": "0 0 30 2 *"}}
    async with serve_reads(AWAY) as api:
        arabic = (await ask(api, "POST", "/preview", body, **ARABIC)).json()
        english = (await ask(api, "POST", "/preview", body)).json()
    assert arabic["text"] == "الساعة 00:00، في اليوم 30 من الشهر، في فبراير (\u2068Africa/Cairo\u2069)"
    assert arabic["warnings"] == ["لا موعد في السنوات العشر القادمة: لن تعمل المهمة أبدًا"]
    assert english["text"] == "At 00:00, on the 30th of the month, in February (Africa/Cairo)"
    assert english["warnings"] == ["no slot in the next ten years: the job would never run"]


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/api/v1/scheduler/openapi.json"])
async def test_what_is_for_machines_has_no_language(path: str) -> None:
    async with serve_reads(AWAY) as api:
        answer = await api.get(f"http://api{path}", headers=ARABIC)
    assert (answer.status_code, "Content-Language" in answer.headers) == (200, False)


@pytest.mark.parametrize(
    ("kind", "marked"), [("text/event-stream; charset=utf-8", False), ("application/json", True)]
)
async def test_stream_of_events_is_the_same_for_all(kind: str, marked: bool) -> None:  # noqa: FBT001
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(current_language().value, media_type=kind)(scope, receive, send)

    transport = httpx.ASGITransport(LanguageMiddleware(application, "/"))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as api:
        answer = await api.get("/events", headers=ARABIC)
    assert (answer.text, "Content-Language" in answer.headers) == ("ar", marked)
    assert current_language() is Language.ENGLISH


def test_events_are_english_for_a_reader_of_arabic_too() -> None:
    words = {
        "schedule_text": "At 09:00, every day (UTC)",
        "ready_reason": "Scheduled",
        "ready_message": "the schedule is accepted",
    }
    counts = dict.fromkeys(("active_count", "queued_count", "consecutive_failures"), 0)
    limits = dict.fromkeys(("max_instances", "timeout_seconds", "retry_count", "retry_delay_seconds"), 1)
    flags = {"is_enabled": True, "is_paused": False, "is_late": False}
    job = ChangedJob.model_validate(
        job_row(1, time_zone="UTC", concurrency_policy="Forbid", **words, **counts, **limits, **flags)
    )
    with speaking(Language.ARABIC):
        assert "الجدول مقبول" in job.model_dump_json(by_alias=True)
        event = write_event("job", LogPlace("log", 1), job).decode()
    assert '"scheduleText":"At 09:00, every day (UTC)"' in event
    assert '"readyMessage":"the schedule is accepted"' in event


NESTED: list[Any] = []
for _ in range(300):
    NESTED = [NESTED]
STORED = [
    (1, {"minutes": 5}, "Every 5 minutes", "كل 5 دقائق"),
    (2, {"hour": 9}, "At 09:00, every day (UTC)", "الساعة 09:00، كل يوم (\u2068UTC\u2069)"),
    (2, {"expression": "0 9 * * 5"}, "At 09:00, Friday (UTC)", "الساعة 09:00، يوم الجمعة (\u2068UTC\u2069)"),
    (
        1,
        {"hours": 2},
        "Every 2 hours, from 2026-01-01 00:00:00 UTC, until 2027-01-01 00:00:00 UTC",
        "كل ساعتين، من \u20682026-01-01 00:00:00 UTC\u2069، حتى \u20682027-01-01 00:00:00 UTC\u2069",
    ),
    (2, {"expression": "nonsense"}, "what the operator said", "what the operator said"),
    (2, {"what": "ever"}, "what the operator said", "what the operator said"),
    (
        1,
        {"hours": 2},
        "Every 2 hours, until 2027-99-01 00:00:00 UTC",
        "Every 2 hours, until 2027-99-01 00:00:00 UTC",
    ),
    (1, {"hours": 2**80}, "what the operator said", "what the operator said"),
    (1, {"hours": NESTED}, "what the operator said", "what the operator said"),
    (2, {"expression": {"a": []}}, "what the operator said", "what the operator said"),
    (2, {"hour": [None]}, "what the operator said", "what the operator said"),
]


@pytest.mark.parametrize(("kind", "config", "english", "arabic"), STORED)
def test_stored_schedule_is_said_anew(kind: int, config: dict[str, Any], english: str, arabic: str) -> None:
    stored = WordedSchedule.of(kind, config, "UTC", "team/tick", english)
    assert show_schedule(stored, Language.ARABIC) == arabic
    assert show_schedule(stored, Language.ENGLISH) == english


def test_ready_message_is_said_by_its_reason() -> None:
    assert show_ready("Scheduled", "the schedule is accepted", Language.ARABIC) == "الجدول مقبول"
    told = show_ready("InvalidSpec", "spec.x: no", Language.ARABIC)
    assert told == "المواصفة غير صالحة: \u2068spec.x: no\u2069"
    assert show_ready("Unheard", "of", Language.ARABIC) == "of"
    assert show_ready("Scheduled", "the schedule is accepted", Language.ENGLISH) == "the schedule is accepted"
    assert show_ready(None, None, Language.ARABIC) is None
