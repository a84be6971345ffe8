"""Do operator and API go on when the tokens that they began with have ended? Ten minutes is the shortest."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from testkit.chart_sites import TEAM, Site, build_schedule, open_site
from testkit.helm_charts import NS

from sundial_devcluster.cluster import find_obstacle
from sundial_devcluster.polling import until

POLICY = Path(__file__).parent / "audit-policy.yaml"
TOKEN_SECONDS = 600
UNTIL = timedelta(seconds=TOKEN_SECONDS + 60)
PERIOD = timedelta(seconds=2)


def count_codes(site: Site) -> Counter[tuple[int, str]]:
    """Count the answers of the API server, with what was asked of it."""
    with (site.cluster.folder / "logs" / "audit.log").open() as log:
        events = [json.loads(line) for line in log if line.endswith("\n")]
    return Counter(
        (event["responseStatus"]["code"], event.get("objectRef", {}).get("subresource", ""))
        for event in events
        if "responseStatus" in event
    )


def test_tokens_are_read_again_before_they_end() -> None:
    if obstacle := find_obstacle():
        pytest.skip(f"real Pods are not to be had: {obstacle}")
    with open_site(POLICY) as site:
        for ns in (NS, TEAM):
            site.make_namespace(ns)
        site.make_database("sundial", NS)
        short = {"tokenExpirationSeconds": TOKEN_SECONDS}
        site.deploy("install", {"operator": short, "api": short})
        site.apply(build_schedule("tick", concurrency={"policy": "Allow"}), TEAM)
        until(lambda: len(site.list_starts()) > 1, 60)
        first = site.list_starts()[0].slot
        pods = [one for part in ("operator", "api") for one in site.list_pods(part)]
        issued = count_codes(site)[201, "token"]
        ends = max(datetime.fromisoformat(one["metadata"]["creationTimestamp"]) for one in pods) + UNTIL
        while datetime.now(UTC) < ends:
            left = (ends - datetime.now(UTC)).total_seconds()
            sys.stderr.write(
                f"{left:4.0f} s until the first tokens have ended; {len(site.list_starts())} starts\n"
            )
            time.sleep(min(30, max(left, 0)))
        seen = len(site.list_starts())
        until(lambda: len(site.list_starts()) > seen + 2, 30)
        slots = [one.slot for one in site.list_starts() if one.slot]
        assert {after - one for one, after in pairwise(slots)} == {PERIOD}
        assert slots[0] == first
        codes = count_codes(site)
        assert sum(count for (code, _), count in codes.items() if code == 401) == 0
        assert codes[201, "token"] >= issued + len(pods)
        after = [one for part in ("operator", "api") for one in site.list_pods(part)]
        assert {one["metadata"]["uid"] for one in after} == {one["metadata"]["uid"] for one in pods}
        assert sum(one["status"]["containerStatuses"][0]["restartCount"] for one in after) == 0
