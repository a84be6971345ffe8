"""Deterministic names and ids: equal input, equal name, within the limits of Kubernetes."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta, timezone

import pytest
from testkit.scheduled_jobs import UID, at

from sundial_core.resources.names import (
    build_celery_task_id,
    build_installation,
    build_job_name,
    build_run_id,
)

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def test_a_run_id_is_known_to_everybody() -> None:
    assert build_run_id(UID, at(10)) == str(uuid.uuid5(uuid.UUID(UID), "2026-01-01T00:00:10Z"))


def test_a_run_id_does_not_depend_on_the_offset_of_its_instant() -> None:
    cairo = timezone(timedelta(hours=2))
    assert build_run_id(UID, at(10).astimezone(cairo)) == build_run_id(UID, at(10))


def test_names_differ_by_schedule_slot_and_attempt() -> None:
    runs = [build_run_id(uid, at(slot)) for uid in (UID, str(uuid.UUID(int=1))) for slot in (10, 10.5, 20)]
    assert len({build_job_name("tick", run, attempt) for run in runs for attempt in (1, 2, 11)}) == 18


def test_a_job_name_is_stable() -> None:
    assert build_job_name("tick", build_run_id(UID, at(10)), 1) == "tick-zkxb2h6ibh"


@pytest.mark.parametrize("name", ["a", "a" * 52, "0-0"])
def test_a_job_name_is_a_dns_label(name: str) -> None:
    job_name = build_job_name(name, build_run_id(UID, at(10)), 1)
    assert DNS_LABEL.fullmatch(job_name)
    assert len(job_name) == len(name) + 11


@pytest.mark.parametrize(
    ("ns", "release", "expected"),
    [
        pytest.param("sundial-system", "sundial", "sundial-system.sundial", id="short"),
        pytest.param("n" * 31, "r" * 31, "n" * 31 + "." + "r" * 31, id="63 characters"),
    ],
)
def test_an_installation_is_named_by_namespace_and_release(ns: str, release: str, expected: str) -> None:
    assert build_installation(ns, release) == expected


def test_a_long_installation_is_shortened_and_stays_unique() -> None:
    names = {build_installation("n" * 63, release) for release in ("a" * 53, "b" * 53, "c" * 53)}
    assert {len(name) for name in names} == {63}
    assert len(names) == 3
    assert all(LABEL_VALUE.fullmatch(name) and name.startswith("n" * 52 + "-") for name in names)


def test_the_id_of_a_celery_task_is_known_before_it_is_sent() -> None:
    run_id = build_run_id(UID, at(10))
    second, third = (str(uuid.uuid5(uuid.UUID(run_id), attempt)) for attempt in ("2", "3"))
    assert [build_celery_task_id(run_id, attempt) for attempt in range(4)] == [run_id, run_id, second, third]
