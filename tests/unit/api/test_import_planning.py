"""What the original's functions and jobs become, when they would run, and what is odd about them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from sundial_api.db.engine import UnusableUrl
from sundial_api.importing.original.rows import OddValue, OriginalFunction, OriginalJob
from sundial_api.importing.original.times import parse_end, parse_time
from sundial_api.importing.planning.functions import plan_function
from sundial_api.importing.planning.instants import InstantComparison, compare_instants
from sundial_api.importing.planning.jobs import PlanningGround, plan_job
from sundial_api.importing.planning.resources import PlannedResource, name_function, name_job
from sundial_api.importing.planning.schedules import build_schedule, read_original_schedule
from sundial_api.importing.planning.templates import (
    SAMPLE,
    TemplatesFile,
    UnusableTemplates,
    read_templates,
)
from sundial_api.importing.report import clean
from sundial_api.importing.settings import parse_original_url
from sundial_clock.zones import load_zone

CAIRO = load_zone("Africa/Cairo")
NOW = datetime(2026, 10, 28, 12, 0, 0, 5, tzinfo=UTC)
OLD_ID = "8e4f9a52-6b5e-4f5e-9a3c-0d5bd5a9a3c1"
TEMPLATE = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "backend:1"}]}}}}
ENTRY = {"template": TEMPLATE}
TEMPLATES = TemplatesFile.model_validate({"namespace": "team", "handlers": {"celery_task": ENTRY}})


def build_job(kind: str, config: Any, **changes: Any) -> OriginalJob:
    job = OriginalJob(
        id=OLD_ID,
        name="Nightly",
        description=None,
        task_function_id="1",
        job_type=kind,
        schedule_config=json.dumps(config),
        task_args=None,
        max_instances="1",
        timeout_seconds="300",
        retry_count="3",
        retry_delay_seconds="60",
        is_enabled="true",
        is_paused="false",
        next_run_time=None,
    )
    return replace(job, **changes)


def build_function(**changes: Any) -> OriginalFunction:
    function = OriginalFunction(
        id="1",
        name="sync_users",
        display_name="Sync users",
        description=None,
        handler_path="tasks.ad.sync",
        handler_type="celery_task",
        queue="ad_queue",
        default_timeout_seconds="600",
        is_active="true",
        is_system="false",
    )
    return replace(function, **changes)


def compare(job: OriginalJob, count: int = 20) -> InstantComparison:
    schedule = read_original_schedule(job, CAIRO)
    return compare_instants(schedule, build_schedule(schedule), "team/nightly", NOW, count)


@pytest.mark.parametrize(
    ("kind", "config", "next_run_time", "expected"),
    [
        pytest.param(
            "interval",
            {"hours": 0, "minutes": "30", "seconds": None},
            "2026-10-28 14:03:11.5",
            {"interval": {"hours": 0, "minutes": 30}, "anchor": "2026-10-28T11:03:11.500000Z"},
            id="interval",
        ),
        pytest.param(
            "interval", {"weeks": 1}, None, {"interval": {"weeks": 1}}, id="interval-that-never-ran"
        ),
        pytest.param(
            "cron",
            {"hour": 9, "day_of_week": "mon-fri"},
            "2026-10-28 14:03:11",
            {"cronFields": {"hour": 9, "dayOfWeek": "mon-fri"}},
            id="cron",
        ),
        pytest.param(
            "cron",
            {"hour": 9, "start_date": "2026-11-01 10:00:00", "end_date": "2026-12-01T10:00:00+00:00"},
            None,
            {
                "cronFields": {"hour": 9},
                "startsAt": "2026-11-01T08:00:00Z",
                "endsAt": "2026-12-01T10:00:00Z",
            },
            id="window",
        ),
    ],
)
def test_a_schedule_becomes(kind: str, config: Any, next_run_time: str | None, expected: Any) -> None:
    schedule = read_original_schedule(build_job(kind, config, next_run_time=next_run_time), CAIRO)
    assert build_schedule(schedule) == expected | {"timeZone": "Africa/Cairo"}


def test_a_zone_of_its_own_goes_before() -> None:
    schedule = read_original_schedule(build_job("cron", {"hour": 9, "timezone": "Asia/Tokyo"}), CAIRO)
    assert build_schedule(schedule)["timeZone"] == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("kind", "config", "said"),
    [
        pytest.param("once", {"at": "x"}, "its job type is neither", id="type"),
        pytest.param(None, {}, "its job type is neither", id="no-type"),
        pytest.param("cron", {}, "set at least one field", id="empty"),
        pytest.param("cron", [1], "schedule_config is no JSON object", id="list"),
        pytest.param("cron", {"day_of_week": "FRI#2"}, "day_of_week", id="rubbish-that-apscheduler-takes"),
        pytest.param("cron", {"day": 30, "month": 2}, "no instant in the next ten years", id="never"),
        pytest.param("cron", {"hour": 24}, "out of range", id="hour"),
        pytest.param("cron", {"fortnight": 1}, "does not belong", id="key"),
        pytest.param("interval", {"minutes": 0}, "period is zero", id="zero"),
        pytest.param("interval", {"minutes": -5}, "whole number", id="negative"),
        pytest.param("interval", {"minutes": 1.5}, "whole number", id="fraction"),
        pytest.param("interval", {"weeks": 10**12}, "calendar", id="huge"),
        pytest.param("interval", {"minutes": 5, "timezone": "Mars"}, "Mars", id="zone"),
        pytest.param("interval", {"minutes": 5, "start_date": "soon"}, "start_date is no time", id="date"),
    ],
)
def test_an_odd_schedule_is_named(kind: str, config: Any, said: str) -> None:
    with pytest.raises(OddValue, match=said):
        compare(build_job(kind, config))


SAME = [
    pytest.param("interval", {"minutes": 7}, "2026-10-28 14:03:11.123457", id="interval"),
    pytest.param("interval", {"hours": 1}, "2020-01-01 14:03:11", id="interval-long-ago"),
    pytest.param("interval", {"seconds": 45}, None, id="interval-that-never-ran"),
    pytest.param("cron", {"hour": 9, "minute": "*/20", "day_of_week": "mon-fri"}, None, id="steps"),
    pytest.param("cron", {"day": "last", "month": "2,6"}, None, id="last-day"),
    pytest.param("cron", {"year": 2027, "month": 2, "day": "1-3"}, None, id="three-only"),
]


@pytest.mark.parametrize(("kind", "config", "next_run_time"), SAME)
def test_instants_are_the_same(kind: str, config: Any, next_run_time: str | None) -> None:
    told = compare(build_job(kind, config, next_run_time=next_run_time))
    assert told.differences == []
    assert told.old == told.new
    assert len(told.new) == (3 if "year" in config else 20)


def test_a_repeated_hour_is_named() -> None:
    """On 30 October at midnight Cairo's clocks go back: 23:30 comes twice, and the original runs twice."""
    told = compare(build_job("cron", {"hour": 23, "minute": 30}))
    assert told.differences == [(datetime(2026, 10, 29, 21, 30, tzinfo=UTC), "the original")]


def test_weekdays_of_a_crontab_line_are_named() -> None:
    told = compare(build_job("cron", {"expression": "0 9 * * 1"}), 2)
    assert [who for _, who in told.differences] == ["Sundial", "the original", "Sundial"]


def test_what_only_one_has_counts_up_to_the_end_of_the_other() -> None:
    hours = [NOW + timedelta(hours=n) for n in range(4)]
    told = InstantComparison(hours[:3], [hours[0], hours[3]])
    assert told.differences == [(hours[1], "the original"), (hours[2], "the original")]


def test_a_job_is_suspended_and_remembers_its_id() -> None:
    functions = {"1": plan_function(build_function(), TEMPLATES)}
    planned = plan_job(build_job("interval", {"minutes": 5}), PlanningGround(functions, CAIRO, NOW, 3))
    assert planned.manifest is not None
    assert planned.manifest["spec"]["suspend"] is True
    assert planned.manifest["metadata"]["annotations"] == {"sundial.dev/imported-from": OLD_ID}
    assert (planned.is_enabled, len(planned.instants.new)) == (True, 3)
    assert "counts from when its resource is made" in planned.notes[0]


def test_jitter_is_named() -> None:
    functions = {"1": plan_function(build_function(), TEMPLATES)}
    job = build_job("cron", {"hour": 9, "jitter": 30})
    planned = plan_job(job, PlanningGround(functions, CAIRO, NOW, 3))
    assert planned.notes == ("jitter of 30 s is left out",)


@pytest.mark.parametrize(
    ("functions", "said"),
    [
        pytest.param({}, "there is no task function 1", id="none"),
        pytest.param({"1": plan_function(build_function(), None)}, "its function sync_users", id="left-out"),
    ],
)
def test_a_job_without_its_function_is_left_out(functions: dict[str, PlannedResource], said: str) -> None:
    planned = plan_job(build_job("cron", {"hour": 9}), PlanningGround(functions, CAIRO, NOW, 3))
    assert (planned.manifest, said in planned.problem) == (None, True)


def test_a_function_becomes() -> None:
    entry = ENTRY | {"app": "celery_app", "namespace": "directory"}
    file = TemplatesFile.model_validate({"namespace": "team", "handlers": {"celery_task": entry}})
    planned = plan_function(build_function(), file)
    assert (planned.namespace, planned.name) == ("directory", "sync-users")
    assert planned.manifest is not None
    assert planned.manifest["spec"] == {
        "name": "sync_users",
        "displayName": "Sync users",
        "defaultTimeoutSeconds": 600,
        "active": True,
        "system": False,
        "handler": {"celery": {"task": "tasks.ad.sync", "queue": "ad_queue", "app": "celery_app"}},
        "template": TEMPLATE,
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"handler_type": "shell"}, "neither celery_task nor async_function: shell", id="type"),
        pytest.param({"name": None}, "it has no name", id="no-name"),
        pytest.param({"default_timeout_seconds": "soon"}, "default_timeout_seconds", id="timeout"),
        pytest.param({"handler_type": "async_function"}, "no template says its image", id="no-template"),
    ],
)
def test_an_odd_function_is_named(changes: Any, said: str) -> None:
    planned = plan_function(build_function(**changes), TEMPLATES)
    assert (planned.manifest, said in planned.problem) == (None, True)


def test_names_of_functions_are_all_different() -> None:
    names = ["sync_users", "sync-users", "Sync_Users", "sync__users", "sync.users", "مزامنة"]
    names += ["x" * 80, "x" * 90]
    assert len({name_function(name) for name in names}) == len(names)
    assert name_function("sync_users") == "sync-users"


def test_names_of_jobs_are_by_their_ids() -> None:
    names = {name_job("تقرير", OLD_ID), name_job("تقرير", "another"), name_job("Report " * 30, OLD_ID)}
    assert len(names) == 3
    assert max(map(len, names)) <= 52


def test_the_longest_path_that_fits_goes_first() -> None:
    paths = {name: ENTRY | {"namespace": name[0]} for name in ("a.*", "a.b.*", "a.b.c", "d.*")}
    file = TemplatesFile.model_validate({"namespace": "n", "paths": paths, "handlers": {"t": ENTRY}})
    wanted = {"a.b.c": "a.b.c", "a.b.d": "a.b.*", "a.x": "a.*", "ab.c": None}
    found = {path: file.find("t", path) for path in wanted}
    assert {path: place and place.namespace for path, place in found.items()} == {
        "a.b.c": "a",
        "a.b.d": "a",
        "a.x": "a",
        "ab.c": "n",
    }
    assert file.find("u", "ab.c") is None


def test_the_sample_can_be_used(tmp_path: Path) -> None:
    file = tmp_path / "templates.yaml"
    file.write_text(SAMPLE)
    assert set(read_templates(file).handlers) == {"celery_task", "async_function"}
    assert yaml.safe_load(SAMPLE)["namespace"] == "scheduler"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("namespace: [", "is no YAML", id="yaml"),
        pytest.param("[" * 3000, "is no YAML", id="nested"),
        pytest.param("- 1", "the file: ", id="list"),
        pytest.param("handlers: {}", "namespace: Field required", id="no-namespace"),
        pytest.param("namespace: a\nhandler: {}", "handler: Extra inputs", id="key"),
        pytest.param("namespace: a\nhandlers: {x: {image: b}}", "x.template: Field required", id="entry"),
    ],
)
def test_an_unusable_file_is_named(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "templates.yaml"
    file.write_text(text)
    with pytest.raises(UnusableTemplates, match=said):
        read_templates(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableTemplates, match="cannot be read"):
        read_templates(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-07-01 12:00:00", "2026-07-01T09:00:00", id="naive-in-summer"),
        pytest.param("2026-01-01 12:00:00.5", "2026-01-01T10:00:00.500000", id="naive-in-winter"),
        pytest.param("2026-07-01 12:00:00+05", "2026-07-01T07:00:00", id="with-an-offset"),
        pytest.param("2026-10-29 23:30:00", "2026-10-29T20:30:00", id="twice-is-the-first"),
        pytest.param("2026-04-24 00:30:00", "2026-04-23T22:30:00", id="skipped"),
    ],
)
def test_times_without_an_offset_are_of_the_originals_zone(text: str, expected: str) -> None:
    instant = parse_time(text, CAIRO, "it")
    assert instant is not None
    assert instant.isoformat() == f"{expected}+00:00"


def test_an_end_in_the_repeated_hour_is_after_its_beginning() -> None:
    began = parse_time("2026-10-29 23:50:00", CAIRO, "it")
    assert began is not None
    ended = parse_end("2026-10-29 23:10:00", began, CAIRO)
    assert ended is not None
    assert ended - began == timedelta(minutes=20)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("mysql://a:hunter2@b/c", "must begin with postgresql", id="mysql"),
        pytest.param("hunter2", "is not a URL", id="text"),
        pytest.param("postgresql://a:hunter2@b:port/c", "is not a URL", id="port"),
    ],
)
def test_an_unusable_url_is_not_repeated(text: str, said: str) -> None:
    with pytest.raises(UnusableUrl, match=said) as refused:
        parse_original_url(text)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"])
def test_any_driver_of_the_original_is_taken(scheme: str) -> None:
    assert parse_original_url(f"{scheme}://app:a%40b@db/app") == "postgresql://app:a%40b@db/app"


def test_a_terminal_obeys_nothing_of_others() -> None:
    assert clean("a\x1b[31mb\u202ec\nd") == "a\ufffd[31mb\ufffdc\ufffdd"
