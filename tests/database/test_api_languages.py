"""What is stored in English and shown in the caller's language: schedules, Ready, kinds of schedules."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import insert
from testkit.api_apps import build_services, serve_reads
from testkit.rows import function_row, job_row, numbered

from sundial_api.db.engine import build_engine
from sundial_api.db.tables import ScheduledJobRow, TaskFunctionRow
from sundial_api.settings import ApiSettings

ARABIC = {"Accept-Language": "ar"}
WINDOW = ", until 2027-01-01 00:00:00 UTC"
JOBS = [
    job_row(
        1,
        name="Interval",
        task_function_id=2,
        schedule_text=f"At 09:00, every day (UTC){WINDOW}",
        ready_reason="Scheduled",
        ready_message="the schedule is accepted",
        is_ready=True,
    ),
    job_row(
        2,
        task_function_id=2,
        job_type_id=1,
        schedule_config={"minutes": 2},
        schedule_text="Every 2 minutes",
        ready_reason="TaskFunctionNotFound",
        ready_message="spec.taskFunctionRef.name: there is no TaskFunction x",
        is_ready=False,
    ),
]


@pytest.fixture
async def api(fresh_database: str) -> AsyncIterator[httpx.AsyncClient]:
    engine = build_engine(ApiSettings(database_url=fresh_database, auth="none"))
    async with engine.begin() as connection:
        await connection.execute(insert(TaskFunctionRow).values(function_row(2, display_name="Interval")))
        for job in JOBS:
            await connection.execute(insert(ScheduledJobRow).values(job))
    await engine.dispose()
    async with serve_reads(fresh_database) as client:
        yield client


async def read(api: httpx.AsyncClient, path: str, language: str) -> Any:
    answer = await api.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Language"] == language
    assert answer.headers["Vary"] == "Accept-Language"
    return answer.json()


async def test_lists_of_jobs_speak_the_callers_language(api: httpx.AsyncClient) -> None:
    arabic, english = [(await read(api, "/jobs", language))["jobs"] for language in ("ar", "en")]
    shown = {job["resourceName"]: (job["scheduleText"], job["readyMessage"]) for job in arabic}
    assert shown == {
        "job-1": (
            "الساعة 09:00، كل يوم (\u2068UTC\u2069)، حتى \u20682027-01-01 00:00:00 UTC\u2069",
            "الجدول مقبول",
        ),
        "job-2": (
            "كل دقيقتين",
            "الدالة غير موجودة في هذا النطاق:"
            " \u2068spec.taskFunctionRef.name: there is no TaskFunction x\u2069",
        ),
    }
    stored = {job["resource_name"]: (job["schedule_text"], job["ready_message"]) for job in JOBS}
    assert {job["resourceName"]: (job["scheduleText"], job["readyMessage"]) for job in english} == stored


async def test_one_job_speaks_the_callers_language_and_names_stay(api: httpx.AsyncClient) -> None:
    arabic = await read(api, f"/jobs/{numbered(2)}", "ar")
    assert (arabic["scheduleText"], arabic["jobType"]["displayName"]) == ("كل دقيقتين", "فترة متكررة")
    assert arabic["taskFunction"]["displayName"] == "Interval"
    english = await read(api, f"/jobs/{numbered(2)}", "en")
    assert (english["scheduleText"], english["jobType"]["displayName"]) == ("Every 2 minutes", "Interval")


async def test_kinds_of_schedules_are_named_in_both(api: httpx.AsyncClient) -> None:
    arabic, english = [await read(api, "/job-types", language) for language in ("ar", "en")]
    assert [kind["displayName"] for kind in english] == ["Interval", "Cron", "Once"]
    for kind in arabic:
        assert re.search("[\u0600-\u06ff]", kind["description"])
    assert [kind["name"] for kind in arabic] == ["interval", "cron", "once"]


async def test_one_callers_language_is_not_the_next_ones(api: httpx.AsyncClient) -> None:
    for language, text in (("ar", "كل دقيقتين"), ("en", "Every 2 minutes")) * 2:
        assert (await read(api, f"/jobs/{numbered(2)}", language))["scheduleText"] == text


async def test_what_goes_wrong_inside_is_told_in_arabic_too(fresh_database: str) -> None:
    class Broken:
        async def find_reach(self, *_: object) -> None:
            raise RuntimeError("unforeseen")

    async with build_services(fresh_database, access=Broken()) as application:
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api/api/v1/scheduler") as api:
            answer = await api.get("/jobs", headers=ARABIC)
    assert (answer.status_code, answer.headers["Content-Language"]) == (500, "ar")
    assert answer.json()["detail"].startswith("حدث خطأ داخلي")
