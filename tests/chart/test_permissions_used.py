"""Is all that the chart grants used, and nothing else? All is done that there is to do, and the log read.

A grant that nothing uses fails the test, and so does a request that none allows.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path

import httpx
import pytest
from testkit.databases import copy_database
from testkit.processes.apis import is_ready, make_user
from testkit.processes.operators import Sundial, build_scheduled_job
from testkit.role_rules import Grant
from testkit.used_permissions.api_stories import CALLER, take_back, use_api
from testkit.used_permissions.comparisons import describe_grant
from testkit.used_permissions.releases import PROGRAMS, TEAM, DeafOperator, Release, open_release, wait_for
from testkit.used_permissions.schedule_stories import (
    EDITED,
    EVERY_SECOND,
    RUNNER,
    build_stories,
    edit_quickly,
    lose_runner,
)
from testkit.used_permissions.stories import play

from sundial_devcluster.polling import until
from sundial_devcluster.postgres import Postgres

WAYS_TO_LIST = {"streaming lists": (), "plain lists": ("--feature-gates=WatchList=false",)}
"""Flags of the API server: with streaming lists, the first list of a kind is a watch."""


@pytest.mark.parametrize("namespaces", [(), (TEAM,)], ids=["all namespaces", "one namespace"])
def test_each_verb_that_is_granted_is_used_and_no_other(
    namespaces: tuple[str, ...], postgres: Postgres, template: str, tmp_path: Path
) -> None:
    used: dict[str, set[Grant]] = defaultdict(set)
    for way, flags in WAYS_TO_LIST.items():
        with (
            copy_database(postgres, template) as database,
            open_release(tmp_path / way, {"scope": {"namespaces": [*namespaces]}}, *flags) as release,
        ):
            check_requests(release, database)
            for program in PROGRAMS:
                used[program] |= release.compare(program).used
            granted = {program: release.list_granted(program) for program in PROGRAMS}
    unused = {program: sorted(map(describe_grant, granted[program] - used[program])) for program in PROGRAMS}
    assert unused == {program: [] for program in PROGRAMS}


def check_requests(release: Release, database: str) -> None:
    """Do everything, and check that nothing was asked for that is not granted."""
    try:
        do_everything(release, database)
    except Exception as error:
        error.add_note(f"not granted: {list_ungranted(release)}")
        raise
    assert list_ungranted(release) == {program: [] for program in PROGRAMS}


def list_ungranted(release: Release) -> dict[str, list[str]]:
    return {program: sorted(map(str, release.compare(program).ungranted)) for program in PROGRAMS}


def do_everything(release: Release, database: str) -> None:
    """Do all that makes operator and API ask the API server for something."""
    with release.run_api(database) as api, release.run_operator() as first:
        token = make_user(release.cluster, TEAM, "caller", CALLER, "ClusterRole")
        wait_for(first.log, lambda: '"event": "leading"' in first.log.read_text())
        wait_for(api.log, lambda: is_ready(api.url))
        with (
            release.run_operator(DeafOperator) as second,
            api.connect(token) as client,
            release.connect(token) as direct,
        ):
            play(build_stories(first) | {"api": use_api(client, first)}, 90)
            second.wait_for("standing by", 60)
            first.cluster.kubectl("delete", "configmap", "-n", TEAM, RUNNER)
            first.end()
            second.wait_for("leading", 30)
            play({"late": itertools.chain(lose_runner(second), take_back(client, second))}, 60)
            edit_until_read(release, direct, second)


def edit_until_read(release: Release, client: httpx.Client, user: Sundial) -> None:
    """Edit until the operator has met a status that it cannot write, and read the object again."""

    def is_read() -> bool:
        edit_quickly(client, user)
        used = release.compare("sundial-operator").used
        return ("scheduledjobs", "get") in {(resource, verb) for _, _, resource, _, verb in used}

    user.apply(build_scheduled_job(EDITED, EVERY_SECOND, concurrency={"policy": "Allow"}))
    until(is_read, 60)
