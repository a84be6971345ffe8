"""What does the API do while something that it needs is away, frozen, slow or full? In each way to log in.

docs/architecture.md, "Degraded mode", is this table in words. That jobs run on while the database is away is
tested by `test_api_outages_and_kills.py`, who reads on in an outage by `test_api_reads_without_cluster.py`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest
from chaos.weather import CLEAR, Trouble, Weather
from testkit.degraded.sites import JSON, PREFIX, Site, Told, build_job, build_site, until_well
from testkit.degraded.small_disks import CAN_MOUNT, fill, lock

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until
from sundial_devcluster.postgres import Postgres

MODES = ("none", "kubernetes", "oidc")
ALL_MODES = "SUNDIAL_ALL_LOGINS" in os.environ
"""`make degraded` tries each trouble with each way to log in; else the one that needs most is tried."""
ANSWER_SECONDS = 5.0
"""No answer takes longer; what the machine itself needs for an answer is measured meanwhile and added."""
SLOW_SECONDS = 3.0
READS = ("list", "job", "executions", "status", "events")
WRITES = ("create", "edit", "trigger", "pause", "cancel", "delete")


@dataclass(frozen=True, slots=True)
class Expected:
    """With which status a request is answered, and what the sentence names."""

    statuses: tuple[int, ...]
    words: str = ""


OK = Expected((200, 201, 204))
NO_CLUSTER = Expected((503,), "API server")
NO_DATABASE = Expected((503,), "the database")
AWAY = Expected((503,), "the database cannot be reached")
SLOW = Expected((503,), "the database did not answer in time")
LATE_CLUSTER = Expected((200, 201, 503), "")
EITHER = Expected((503,), "")


@contextmanager
def cut_cluster(site: Site) -> Iterator[None]:
    site.cluster_wire.cut()
    yield
    site.cluster_wire.clear()


@contextmanager
def freeze_cluster(site: Site) -> Iterator[None]:
    site.cluster_wire.freeze()
    yield
    site.cluster_wire.clear()


@contextmanager
def weather(trouble: Trouble, site: Site) -> Iterator[None]:
    site.proxy.weather = Weather(trouble, late_seconds=SLOW_SECONDS)
    yield
    site.proxy.weather = CLEAR


@contextmanager
def cut_database(site: Site) -> Iterator[None]:
    site.database_wire.cut()
    yield
    site.database_wire.clear()


@contextmanager
def freeze_database(site: Site) -> Iterator[None]:
    site.database_wire.freeze()
    yield
    site.database_wire.clear()


@contextmanager
def lock_jobs(site: Site) -> Iterator[None]:
    with lock(site.database, "scheduled_jobs"):
        yield


@contextmanager
def fill_disk(site: Site) -> Iterator[None]:
    with fill(site.database):
        yield


@contextmanager
def cut_provider(site: Site) -> Iterator[None]:
    site.provider_wire.cut()
    yield
    site.provider_wire.clear()


@contextmanager
def freeze_provider(site: Site) -> Iterator[None]:
    site.provider_wire.freeze()
    yield
    site.provider_wire.clear()


@contextmanager
def freeze_both(site: Site) -> Iterator[None]:
    with freeze_cluster(site), freeze_database(site):
        yield


@contextmanager
def cut_both(site: Site) -> Iterator[None]:
    with cut_cluster(site), cut_database(site):
        yield


@dataclass(frozen=True, slots=True)
class Case:
    """A trouble, and what is expected of requests in it; what is not named is OK."""

    begin: Callable[[Site], object]
    expected: dict[str, Expected] = field(default_factory=dict)
    is_stranger_known: bool = True
    """Whether somebody whom the API has never seen may still ask for what needs no right."""


def expect(reads: Expected = OK, writes: Expected = OK, **others: Expected) -> dict[str, Expected]:
    return dict.fromkeys(READS, reads) | dict.fromkeys(WRITES, writes) | others


NO_WRITES = expect(writes=NO_CLUSTER)
CASES = {
    "API server refuses": Case(cut_cluster, NO_WRITES, is_stranger_known=False),
    "API server frozen": Case(freeze_cluster, NO_WRITES, is_stranger_known=False),
    "API server slow": Case(
        partial(weather, Trouble.LATE),
        expect(writes=NO_CLUSTER, create=LATE_CLUSTER),
        is_stranger_known=False,
    ),
    "API server answers 500": Case(partial(weather, Trouble.ERRORS), NO_WRITES, is_stranger_known=False),
    "API server answers 429": Case(partial(weather, Trouble.THROTTLED), NO_WRITES, is_stranger_known=False),
    "database away": Case(cut_database, expect(AWAY, AWAY)),
    "database frozen": Case(freeze_database, expect(NO_DATABASE, NO_DATABASE)),
    "database slow": Case(lock_jobs, expect(SLOW, SLOW, create=OK, executions=OK, cancel=OK)),
    "database full": Case(fill_disk, expect()),
    "both away": Case(cut_both, expect(AWAY, EITHER), is_stranger_known=False),
    "both frozen": Case(freeze_both, expect(NO_DATABASE, EITHER), is_stranger_known=False),
    "provider away": Case(cut_provider, expect()),
    "provider frozen": Case(freeze_provider, expect()),
}


SHORT_FORM = ("API server refuses", "database away")
"""What each way to log in is tried with anyway."""


def list_cases() -> Iterator[object]:
    for mode in MODES:
        for name in CASES:
            needs_root = pytest.mark.skipif(
                not CAN_MOUNT, reason="a small file system is mounted: needs root"
            )
            if name.startswith("provider") and mode != "oidc":
                continue
            if not ALL_MODES and mode != "oidc" and name not in SHORT_FORM:
                continue
            marks = [needs_root] if name == "database full" else []
            yield pytest.param(mode, name, id=f"{mode}-{name}", marks=marks)


@pytest.fixture(scope="module")
def sites(
    cluster: Cluster, postgres: Postgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Site]]:
    """Give a function that gives the site of a mode; only one is up at a time."""
    up: dict[str, Site] = {}
    exits = ExitStack()

    def get(mode: str) -> Site:
        if mode not in up:
            exits.close()
            up.clear()
            folder = tmp_path_factory.mktemp(mode)
            up[mode] = exits.enter_context(build_site(mode, cluster, postgres, template, folder))
        return up[mode]

    yield get
    exits.close()


@dataclass(frozen=True, slots=True)
class Targets:
    """What one round of requests is about: each write has an object of its own."""

    job: str
    paused: str
    doomed: str
    execution: str


def make_targets(site: Site) -> Targets:
    """Make the targets of a round, and wait until they are mirrored."""
    ids = [site.ask("POST", f"{PREFIX}/jobs", build_job(site)).said["id"] for _ in range(3)]
    places = [f"{PREFIX}/jobs/{job_id}" for job_id in ids]
    started = site.ask("POST", f"{places[0]}/trigger").said["executionId"]
    execution = f"{PREFIX}/executions/{started}"
    until(lambda: {site.ask("GET", place).status for place in (*places, execution)} == {200})
    return Targets(*places, execution)


def list_requests(site: Site, targets: Targets) -> dict[str, tuple[str, str, JSON | None]]:
    schedule = {"jobTypeId": 1, "scheduleConfig": {"hours": 1}}
    return {
        "list": ("GET", f"{PREFIX}/jobs", None),
        "job": ("GET", targets.job, None),
        "executions": ("GET", f"{PREFIX}/executions", None),
        "status": ("GET", f"{PREFIX}/status", None),
        "events": ("GET", f"{PREFIX}/events", None),
        "create": ("POST", f"{PREFIX}/jobs", build_job(site)),
        "edit": ("PUT", targets.job, {"retryDelaySeconds": secrets.randbelow(3000)}),
        "trigger": ("POST", f"{targets.job}/trigger", None),
        "pause": ("POST", f"{targets.paused}/pause", {"reason": "a round"}),
        "cancel": ("POST", f"{targets.execution}/cancel", None),
        "delete": ("DELETE", targets.doomed, None),
        "preview": ("POST", f"{PREFIX}/preview", schedule),
        "livez": ("GET", "/livez", None),
        "readyz": ("GET", "/readyz", None),
        "metrics": ("GET", "/metrics", None),
    }


def check(told: Told, expected: Expected, what: str) -> None:
    assert told.status in expected.statuses, f"{what}: {told}"
    assert expected.words in told.detail, f"{what}: {told}"
    if told.status == 503 and not what.endswith("readyz"):
        assert "API server" in told.detail or "the database" in told.detail, f"{what}: {told}"


def list_expected(case: Case) -> dict[str, Expected]:
    return {"preview": OK, "livez": OK, "metrics": OK, "readyz": OK} | case.expected


@pytest.mark.parametrize(("mode", "name"), list(list_cases()))
def test_each_request_is_answered_in_time_and_says_what_is_wrong(
    sites: Callable[[str], Site], mode: str, name: str
) -> None:
    site, case = sites(mode), CASES[name]
    until_well(site)
    stranger = site.make_token(f"new-{secrets.token_hex(4)}")
    before, known, strange = [make_targets(site) for _ in range(3)]
    for what, told in site.ask_all(list_requests(site, before), site.token).items():
        check(told, OK, f"before, {what}")
    with site.measure_lag() as lag, case.begin(site):  # type: ignore[attr-defined]
        answers = site.ask_all(list_requests(site, known), site.token)
        unknown = site.ask_all(list_requests(site, strange), stranger)
    longest = max(told.seconds for told in (*answers.values(), *unknown.values()))
    for what, expected in list_expected(case).items():
        check(answers[what], expected, what)
    check_cancelled(answers["cancel"])
    check_stranger(site, case, unknown)
    assert longest < ANSWER_SECONDS + 2 * lag(), (longest, lag())
    until_well(site)


def check_cancelled(told: Told) -> None:
    """Check that a cancel that was done says so, whether the database could take it or not."""
    if told.status == 200:
        said = {name: told.said[name] for name in ("status", "phase", "reason")}
        assert said == {"status": "failed", "phase": "Cancelled", "reason": "Cancelled"}
        assert told.said["completedAt"] >= told.said["startedAt"]


def check_stranger(site: Site, case: Case, answers: dict[str, Told]) -> None:
    """Check what somebody is told whom the API has never seen; without log-in nobody is a stranger."""
    if site.mode == "none" or case.is_stranger_known:
        for what, expected in list_expected(case).items():
            check(answers[what], expected, f"a stranger's {what}")
        return
    for what in (*READS, *WRITES):
        check(answers[what], EITHER, f"a stranger's {what}")
    preview = OK if site.mode == "oidc" else NO_CLUSTER
    check(answers["preview"], preview, "a stranger's preview")


def build_edit() -> JSON:
    return {"retryDelaySeconds": secrets.randbelow(3000)}


@pytest.mark.skipif(not CAN_MOUNT, reason="a small file system is mounted: needs root")
def test_what_a_full_database_could_not_take_is_there_when_it_has_place(
    sites: Callable[[str], Site],
) -> None:
    site = sites("oidc")
    until_well(site)

    def make_unstored() -> str | None:
        assert site.ask("POST", f"{PREFIX}/jobs", build_job(site)).status == 201
        place = f"{PREFIX}/jobs/{site.made[-1]['id']}"
        return place if site.ask("GET", place).status == 404 else None

    edited = f"{PREFIX}/jobs/{site.made[-1]['id']}"
    with fill(site.database):
        place = until(make_unstored)
        until(lambda: "no place left" in site.ask("PUT", edited, build_edit()).detail)
    until(lambda: site.ask("GET", str(place)).status == 200)


def test_nobody_is_known_until_the_provider_answers(sites: Callable[[str], Site]) -> None:
    """The API is started while its provider is frozen; every question is answered in time."""
    site = sites("oidc")
    until_well(site)
    site.provider_wire.freeze()
    with site.start_another() as other, other.measure_lag() as lag:
        told = [other.ask("GET", f"{PREFIX}/jobs") for _ in range(2)]
        assert {(one.status, "OpenID provider" in one.detail) for one in told} == {(503, True)}
        assert max(one.seconds for one in told) < ANSWER_SECONDS + 2 * lag()
        assert other.ask("GET", "/readyz").status == 200
        site.provider_wire.clear()
        until(lambda: other.ask("GET", f"{PREFIX}/jobs").status == 200)
